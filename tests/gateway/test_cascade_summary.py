from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gateway.commands.cascade_summary import cascade_summary
from gateway.commands.frame_answer import FrameAnswer, FrameRefused


class FakeClient:
    """Answers with what was prepared, in turn."""

    def __init__(self, answers: Sequence[FrameAnswer | FrameRefused]) -> None:
        self._answers = list(answers)

    def labels(self) -> tuple[str, ...]:
        return ("pit",)

    def detect(self, frame: bytes, threshold: float | None) -> FrameAnswer:
        del frame, threshold
        answer = self._answers.pop(0)
        if isinstance(answer, FrameRefused):
            raise answer
        return answer

    def close(self) -> None:
        pass


def answer(milliseconds: float, *executed: str) -> FrameAnswer:
    nothing = np.zeros(0, np.float32)
    return FrameAnswer(
        "b", "stable", np.zeros((0, 4), np.float32), nothing, np.zeros(0, np.int32), {}, milliseconds, executed
    )


def summary(folder: Path, *answers: FrameAnswer | FrameRefused) -> str:
    frame = folder / "frame.jpg"
    frame.write_bytes(b"jpeg")
    return cascade_summary(FakeClient(answers), "inspection", [frame] * len(answers))


def test_frames_are_counted_by_what_ran(tmp_path: Path) -> None:
    said = summary(
        tmp_path,
        answer(4.0, "parts"),
        answer(9.0, "parts", "defects"),
        FrameRefused("INVALID_ARGUMENT", "not a picture"),
        answer(11.0, "parts", "defects"),
    )
    assert said == (
        "The cascade inspection: 1 frame (median 4.0 ms) ended after its classifier, "
        "2 frames (median 10.0 ms) went on to the detector."
    )


def test_none_of_a_kind(tmp_path: Path) -> None:
    assert "0 frames ended" in summary(tmp_path, answer(9.0, "parts", "defects"))
