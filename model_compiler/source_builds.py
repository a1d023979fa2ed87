"""Which builds of a folder others are made from, and what lies beside them."""

from collections.abc import Iterable
from pathlib import Path

from contracts.build_manifest import CARD_FILE, CONFIG_FILE, MANIFEST_FILE
from contracts.build_name import BuildName, InvalidBuildName
from contracts.model_card import ModelCard
from model_compiler.errors import InputFileMissing, NoBuilds

_FLOAT = frozenset({"f32", "bf16"})


def source_directories(source: Path, hardware_class: str) -> tuple[Path, ...]:
    """The build that a path names, or of each model in a folder of builds the newest one.

    Of several for one version it is the one of the class itself, or else one with FP32 numbers, of which everything can
    be made.

    Args:
        source: A build directory or a folder of them.
        hardware_class: What is built for.

    Raises:
        InputFileMissing: There is no such directory.
        NoBuilds: There is no build in it.
    """
    if source.is_file():
        raise NoBuilds(source)
    if not source.is_dir():
        raise InputFileMissing(source, "build directory or folder of builds")
    if is_build(source):
        return (source,)
    by_model: dict[str, list[tuple[Path, BuildName]]] = {}
    for directory in sorted(source.iterdir()):
        name = _name(directory)
        if name is not None:
            by_model.setdefault(name.model, []).append((directory, name))
    if not by_model:
        raise NoBuilds(source)
    return tuple(_newest(builds, hardware_class) for _, builds in sorted(by_model.items()))


def is_build(directory: Path) -> bool:
    """Whether a directory looks like a build, sound or not."""
    return any((directory / file).is_file() for file in (MANIFEST_FILE, CARD_FILE, CONFIG_FILE))


def files_beside(source: Path) -> tuple[Path, ...]:
    """What a folder of builds has besides them, such as ``cascades.json``; nothing for a single build."""
    if is_build(source):
        return ()
    return tuple(path for path in sorted(source.iterdir()) if path.is_file() and not path.name.startswith("."))


def _name(directory: Path) -> BuildName | None:
    if not directory.is_dir():
        return None
    try:
        return BuildName.parse(directory.name)
    except InvalidBuildName:
        return None


def _newest(builds: Iterable[tuple[Path, BuildName]], hardware_class: str) -> Path:
    def rank(build: tuple[Path, BuildName]) -> tuple[list[int], bool, bool]:
        directory, name = build
        version = [int(part) for part in name.version.split(".")]
        return version, name.hardware_class == hardware_class, _is_float(directory)

    return max(builds, key=rank)[0]


def _is_float(directory: Path) -> bool:
    """As far as its card says so; a damaged build is found when it is read."""
    try:
        card = ModelCard.model_validate_json((directory / CARD_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return card.variant in _FLOAT
