"""Pictures for a cascade: a classifier sees every frame, a detector only those that it does not pass."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gateway.catalogue import CascadeResolution, Catalogue
from gateway.errors import TritonCode, TritonRejected
from gateway.inference.alias_frames import frame_task
from gateway.inference.all_frames import look_into_all
from gateway.inference.frame_paths import FramePaths
from gateway.inference.question import Question
from gateway.messages import CascadeFrame, CascadeTask, CascadeTrace, DetectionResult, FrameDetections

_NO_BOXES = np.zeros((0, 4), np.float32)
_NO_SCORES = np.zeros(0, np.float32)
_NO_CLASSES = np.zeros(0, np.int32)


class CascadeFrames:
    """Asks the two builds behind a cascade about frames.

    Args:
        catalogue: Returns the current snapshot.
        paths: Of one frame.
    """

    def __init__(self, catalogue: Callable[[], Catalogue], paths: FramePaths) -> None:
        self._catalogue = catalogue
        self._paths = paths

    async def detect(self, name: str, frames: Sequence[bytes | memoryview], question: Question) -> DetectionResult:
        """Find what is in those frames that need a look; the others come back without detections.

        Raises:
            ModelNotReady: One of the two aliases does not answer, or is not what the cascade needs.
            GatewayError: See ``gateway.errors``.
        """
        chosen = self._catalogue().resolve_cascade(name, question.key)
        try:
            found = await look_into_all(frames, _task(name, chosen, question), self._paths.cascade)
        except TritonRejected as error:
            if error.code != TritonCode.NOT_FOUND:
                raise
            # a build was unloaded while the request waited: another one answers by now, or none does
            chosen = self._catalogue().resolve_cascade(name, question.key)
            found = await look_into_all(frames, _task(name, chosen, question), self._paths.cascade)
        return _result(name, chosen, found)


def _task(name: str, chosen: CascadeResolution, question: Question) -> CascadeTask:
    # the request's threshold is for detections; the verdict has a score of its own
    first = frame_task(name, chosen.first, replace(question, threshold=None))
    then = frame_task(name, chosen.then, question)
    return CascadeTask(first, then, chosen.skip_class, chosen.cascade.skip_score)


def _result(name: str, chosen: CascadeResolution, frames: tuple[CascadeFrame, ...]) -> DetectionResult:
    trace = CascadeTrace(
        chosen.cascade.first,
        chosen.cascade.then,
        chosen.first.card.labels,
        tuple(frame.verdict for frame in frames),
        tuple(frame.found is not None for frame in frames),
    )
    ran = (chosen.first, chosen.then) if any(trace.executed) else (chosen.first,)
    return DetectionResult(
        name,
        ",".join(each.build.name for each in ran),
        ",".join(each.reason for each in ran),
        chosen.then.card.labels,
        tuple(_whole(frame) for frame in frames),
        trace,
    )


def _whole(frame: CascadeFrame) -> FrameDetections:
    verdict = frame.verdict
    if frame.found is not None:
        return replace(frame.found, times=verdict.times + frame.found.times)
    return FrameDetections(_NO_BOXES, _NO_SCORES, _NO_CLASSES, verdict.frame_width, verdict.frame_height, verdict.times)
