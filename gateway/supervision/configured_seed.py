"""The builds that the settings put into a state folder."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from contracts.build_name import BuildName, InvalidBuildName
from gateway.settings import Settings
from gateway.start_errors import MountedSeedIsNoFolder, MountedSeedMisnamed, MountedSeedUnreadable
from gateway.supervision.state_folder import StateFolder, models_of, seed_builds

_LOG = logging.getLogger(__name__)


def seed(settings: Settings, state: StateFolder, accepts: Callable[[str], bool]) -> tuple[Path, tuple[str, ...]]:
    """Seed the state folder; returns the folder that the builds are from, and those that were copied.

    Args:
        settings: They name folders and models.
        state: Open.
        accepts: Whether builds for a hardware class run here.

    Raises:
        MountedSeedUnreadable: The mounted folder cannot be read.
        MountedSeedIsNoFolder: It is a file.
        MountedSeedMisnamed: What looks like builds in it is not named as builds are, and there are no others.
        SeedUnusable: A file of the builds cannot be read.
        SeedModelsUnknown: A model was named that has no build there.
        StateFolderUnusable: It cannot be written.
    """
    folder = chosen_seed_dir(settings)
    return folder, state.seed(folder, accepts, settings.seed_model_names or _preferred(settings, folder))


def chosen_seed_dir(settings: Settings) -> Path:
    """The mounted folder where it holds builds, else the other one.

    Raises:
        MountedSeedUnreadable: Whether it holds builds cannot be seen.
        MountedSeedIsNoFolder: It is a file.
        MountedSeedMisnamed: What looks like builds in it is not named as builds are, and there are no others.
    """
    mounted = settings.mounted_seed_dir
    return mounted if mounted is not None and _holds_builds(mounted) else settings.seed_dir


def _preferred(settings: Settings, folder: Path) -> tuple[str, ...]:
    """Of the preferred models, those that are shipped; a mounted folder is its operator's choice, and taken whole."""
    if folder != settings.seed_dir or not settings.preferred_model_names:
        return ()
    shipped = models_of(seed_builds(folder))
    return tuple(model for model in settings.preferred_model_names if model in shipped)


def _holds_builds(mounted: Path) -> bool:
    looked_at = mounted
    holds, others = False, []
    try:
        for looked_at in sorted(mounted.iterdir()):
            if _is_build_name(looked_at.name):
                holds = _has_config(looked_at) or holds
            else:
                others.append(looked_at)  # lost+found, for example, which root alone may read
    except FileNotFoundError:
        return False
    except NotADirectoryError as error:
        raise MountedSeedIsNoFolder(mounted) from error
    except OSError as error:
        raise MountedSeedUnreadable(looked_at, error.strerror or str(error), os.geteuid()) from error
    _say_misnamed(tuple(_like_builds(others)), holds=holds)
    return holds


def _is_build_name(name: str) -> bool:
    try:
        BuildName.parse(name)
    except InvalidBuildName:
        return False
    return True


def _has_config(entry: Path) -> bool:
    try:
        (entry / "config.pbtxt").stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _like_builds(entries: list[Path]) -> Iterator[Path]:
    for entry in entries:
        with contextlib.suppress(OSError):
            if _has_config(entry):
                yield entry


def _say_misnamed(paths: tuple[Path, ...], *, holds: bool) -> None:
    if paths and not holds:
        raise MountedSeedMisnamed(paths)
    if paths:
        _LOG.warning(
            "mounted folders are left out: they are not named as builds are", extra={"folders": list(map(str, paths))}
        )
