"""The builds that the settings put into a state folder."""

import os
from collections.abc import Callable
from pathlib import Path

from gateway.settings import Settings
from gateway.start_errors import MountedSeedUnreadable
from gateway.supervision.state_folder import StateFolder


def seed(settings: Settings, state: StateFolder, accepts: Callable[[str], bool]) -> tuple[Path, tuple[str, ...]]:
    """Seed the state folder; returns the folder that the builds are from, and those that were copied.

    Args:
        settings: They name folders and models.
        state: Open.
        accepts: Whether builds for a hardware class run here.

    Raises:
        MountedSeedUnreadable: The mounted folder cannot be read.
        SeedUnusable: A file of the builds cannot be read.
        SeedModelsUnknown: A model was named that has no build there.
        StateFolderUnusable: It cannot be written.
    """
    folder = chosen_seed_dir(settings)
    return folder, state.seed(folder, accepts, settings.seed_model_names)


def chosen_seed_dir(settings: Settings) -> Path:
    """The mounted folder where it holds builds, else the other one.

    Raises:
        MountedSeedUnreadable: Whether it holds builds cannot be seen.
    """
    mounted = settings.mounted_seed_dir
    return mounted if mounted is not None and _holds_builds(mounted) else settings.seed_dir


def _holds_builds(mounted: Path) -> bool:
    looked_at = mounted
    try:
        for looked_at in sorted(mounted.iterdir()):
            if _is_build(looked_at):
                return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise MountedSeedUnreadable(looked_at, error.strerror or str(error), os.geteuid()) from error
    return False


def _is_build(entry: Path) -> bool:
    try:
        (entry / "config.pbtxt").stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
