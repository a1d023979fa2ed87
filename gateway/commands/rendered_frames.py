"""Pictures with their detections drawn, written as JPEG files."""

from collections.abc import Sequence
from pathlib import Path

import simplejpeg

from gateway.commands.class_names import label_of
from gateway.commands.frame_answer import FrameAnswer
from vision.decode import Pixels, decode_frame
from vision.drawing import draw_detections, draw_label
from vision.prepare import DEFAULT_MAX_PIXELS

_JPEG_QUALITY = 90


class RenderedFrames:
    """Writes into one folder, never over a picture of the same run.

    Args:
        folder: Created where it is missing.
        labels: Names of the classes.
    """

    def __init__(self, folder: Path, labels: Sequence[str]) -> None:
        self._folder = folder
        self._labels = labels
        self._written: set[Path] = set()

    def write(self, source: Path, frame: bytes, answer: FrameAnswer) -> Path:
        """Draw the detections or the best class of one frame; returns the file.

        Raises:
            vision.errors.ImageError: The picture cannot be decoded here.
            OSError: The file cannot be written.
        """
        rgb = decode_frame(frame, target_wh=None, max_pixels=DEFAULT_MAX_PIXELS).rgb
        drawn = self._drawn(rgb, answer)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._free_path(source.stem)
        path.write_bytes(simplejpeg.encode_jpeg(drawn, quality=_JPEG_QUALITY, colorspace="RGB"))
        self._written.add(path)
        return path

    def _drawn(self, rgb: Pixels, answer: FrameAnswer) -> Pixels:
        if answer.boxes_xyxy is not None:
            return draw_detections(rgb, answer.boxes_xyxy, answer.scores, answer.classes, self._labels)
        best = int(answer.classes[0])
        return draw_label(rgb, f"{label_of(best, self._labels)} {answer.scores[0]:.2f}", best)

    def _free_path(self, stem: str) -> Path:
        path, number = self._folder / f"{stem}.jpg", 2
        while path in self._written:
            path, number = self._folder / f"{stem}-{number}.jpg", number + 1
        return path
