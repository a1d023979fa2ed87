"""The state folder: what is in it, who owns it, how an empty one is seeded."""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TextIO

from pydantic import TypeAdapter, ValidationError

from contracts.active_models import ActiveModel, ActiveModels, Alias, Cascade
from contracts.build_name import BuildName, InvalidBuildName
from contracts.engine_cache import ENGINES_FOLDER
from gateway.atomic_file import sync_folder, write_atomically
from gateway.start_errors import SeedModelsUnknown, SeedUnusable, StateFolderInUse, StateFolderUnusable
from gateway.supervision.seed_copy import copy_seed, readable

CASCADES_FILE = "cascades.json"
"""Beside shipped builds: the cascades of their models, as in ``active.json``."""
_ON_TENSORRT = re.compile(r'^\s*(backend:\s*"tensorrt"|platform:\s*"tensorrt_plan")', re.MULTILINE)
_CASCADES = TypeAdapter(dict[Alias, Cascade])


class StateFolder:
    """Paths under ``<state>``.

    Args:
        root: The folder; made when missing.
        owner: Who opens it. A gateway and a Triton in another container share one folder, two of a kind do not.
    """

    def __init__(self, root: Path, owner: Literal["gateway", "triton"] = "gateway") -> None:
        self.root = root.resolve()
        self._owner = owner
        self.active_file = self.root / "active.json"
        self.repository = self.root / "repository"
        self.engines = self.root / ENGINES_FOLDER
        self.logs = self.root / "logs"
        self.triton = self.root / "triton"
        self._lock: TextIO | None = None

    @property
    def key(self) -> str:
        """Eight characters that tell this folder from others on the machine, for names of shared memory."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    @property
    def frame_memory_prefix(self) -> str:
        """Beginning of the names of the workers' shared memory."""
        return f"outpost_{self.key}_frames_"

    @property
    def triton_memory_prefix(self) -> str:
        """Beginning of the names of the shared memory of Triton's backends."""
        return f"outpost_{self.key}_triton_"

    def open(self) -> None:
        """Make the folders and take the lock that keeps a second one of our kind out.

        Raises:
            StateFolderUnusable: It cannot be written.
            StateFolderInUse: Another one has it.
        """
        try:
            for folder in (self.root, self.repository, self.logs, self.triton):
                folder.mkdir(parents=True, exist_ok=True)
            lock = (self.root / f"{self._owner}.lock").open("a+")
        except OSError as error:
            raise StateFolderUnusable(self.root, str(error), os.geteuid()) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StateFolderInUse(self.root, self._owner) from error
        self._lock = lock

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def seed(
        self, seed_dir: Path, accepts: Callable[[str], bool] = lambda _: True, models: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Copy the shipped builds that are missing; on the first start, make each model's newest build its stable.

        The cascades that ship with them (``cascades.json``) are taken over where both their models are there.

        Args:
            seed_dir: Folder of builds.
            accepts: Whether builds for a hardware class run here; only such are made anybody's stable.
            models: Those whose builds are copied; none: all.

        Returns:
            The builds copied.

        Raises:
            StateFolderUnusable: It cannot be written (disk full); nothing half-copied stays.
            SeedUnusable: A file of ``seed_dir`` cannot be read, or ``cascades.json`` is malformed.
            SeedModelsUnknown: One of ``models`` has no build, neither there nor here.
        """
        builds = seed_builds(seed_dir)
        if models:
            builds = builds_of(models, builds, seed_dir, have=models_of(seed_builds(self.repository)))
        try:
            copied = tuple(name for name in builds if self._copy_build(seed_dir / name))
            if not self.active_file.exists() and builds:
                on_gpu = {name for name in builds if is_on_tensorrt(seed_dir / name)}
                active = first_choice(builds, seed_cascades(seed_dir), accepts, on_gpu.__contains__)
                write_atomically(self.active_file, active.model_dump_json(indent=2))
        except OSError as error:
            raise StateFolderUnusable(self.root, str(error), os.geteuid()) from error
        return copied

    def _copy_build(self, source: Path) -> bool:
        target = self.repository / source.name
        if target.exists():
            return False
        partial = self.triton / f"partial-{source.name}"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            copy_seed(source, partial)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        sync_folder(self.repository)
        return True


def seed_builds(seed_dir: Path) -> tuple[str, ...]:
    """Names of the builds in a folder, oldest version first.

    Raises:
        SeedUnusable: The folder, or one in it, cannot be read.
    """
    with readable(seed_dir):
        folders = tuple(seed_dir.iterdir()) if seed_dir.is_dir() else ()
    names = []
    for path in folders:
        try:
            name = BuildName.parse(path.name)
        except InvalidBuildName:
            continue
        with readable(path):
            is_build = (path / "config.pbtxt").is_file()
        if is_build:
            names.append((name.model, [int(part) for part in name.version.split(".")], path.name))
    return tuple(entry[-1] for entry in sorted(names))


def models_of(builds: tuple[str, ...]) -> tuple[str, ...]:
    """The models that builds are of, each once."""
    return tuple(dict.fromkeys(BuildName.parse(build).model for build in builds))


def builds_of(
    models: tuple[str, ...], builds: tuple[str, ...], seed_dir: Path, have: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The builds of some models.

    Args:
        models: Their names.
        builds: Of ``seed_dir``.
        seed_dir: For the error.
        have: Models that need none of these, since builds of them are in the state folder.

    Raises:
        SeedModelsUnknown: One of the models has none.
    """
    known = models_of(builds)
    unknown = tuple(model for model in models if model not in known and model not in have)
    if unknown:
        raise SeedModelsUnknown(unknown, known, seed_dir)
    return tuple(build for build in builds if BuildName.parse(build).model in models)


def seed_cascades(seed_dir: Path) -> dict[str, Cascade]:
    """The cascades that ship with the builds of a folder.

    Raises:
        SeedUnusable: The file is malformed or cannot be read.
    """
    path = seed_dir / CASCADES_FILE
    with readable(path):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return {}
    try:
        return _CASCADES.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SeedUnusable(path, f"{place}: {first['msg']}") from error


def is_on_tensorrt(folder: Path) -> bool:
    """Whether a build runs on TensorRT; read by eye, since a container that runs Triton alone carries no protobuf."""
    try:
        return _ON_TENSORRT.search((folder / "config.pbtxt").read_text()) is not None
    except (OSError, UnicodeDecodeError):
        return False  # what is wrong with it is said when it is loaded


def first_choice(
    builds: tuple[str, ...],
    cascades: Mapping[str, Cascade],
    accepts: Callable[[str], bool],
    made_here: Callable[[str], bool] = lambda _: False,
) -> ActiveModels:
    """Every model under its own name, with its newest build of those that run here.

    Where some of them need a plan that this machine has to make first, the newest of those is stable, and the newest
    that needs none its fallback, which answers until the plan is there.

    Models without a build that runs here are left out; where none runs here at all, all are named, for their aliases
    then say why.

    Args:
        builds: Sorted, oldest first.
        cascades: Those whose models are both there are taken over.
        accepts: Whether builds for a hardware class run here.
        made_here: Whether a build runs on a plan that this machine makes of it.
    """
    names = [BuildName.parse(build) for build in builds]
    usable = [name for name in names if accepts(name.hardware_class)] or names
    with_plan = {name.model: str(name) for name in usable if made_here(str(name))}
    without = {name.model: str(name) for name in usable if not made_here(str(name))}
    chosen = {
        model: ActiveModel(stable=with_plan[model], fallback=without.get(model))
        if model in with_plan
        else ActiveModel(stable=without[model])
        for model in dict.fromkeys(name.model for name in usable)
    }
    whole = {name: each for name, each in cascades.items() if each.first in chosen and each.then in chosen}
    return ActiveModels(models=chosen, cascades=whole)
