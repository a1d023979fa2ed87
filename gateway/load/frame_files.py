"""Pictures on disk that become requests."""

from collections.abc import Sequence
from pathlib import Path

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
SAMPLE_FRAMES = Path("samples/frames")


class NoFrames(Exception):
    """There is nothing to send."""

    def __init__(self, places: Sequence[Path]) -> None:
        self.places = tuple(places)
        searched = ", ".join(str(place) for place in places)
        super().__init__(f"no pictures ({', '.join(PICTURE_SUFFIXES)}) in {searched}: name files or a folder of them")


def find_frames(places: Sequence[Path]) -> tuple[Path, ...]:
    """The pictures that some files and folders stand for; files are taken as they are, without places the samples.

    Raises:
        NoFrames: None are there.
    """
    chosen = tuple(places) or (SAMPLE_FRAMES,)
    found = [path for place in chosen for path in _pictures(place)]
    if not found:
        raise NoFrames(chosen)
    return tuple(found)


def _pictures(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(path for path in place.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    return [place] if place.is_file() or place != SAMPLE_FRAMES else []
