"""Pictures for an alias: the build that answers is chosen once per request."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.catalogue import Catalogue, Resolution
from gateway.errors import ModelNotReady, TritonCode, TritonRejected, WrongTask
from gateway.inference.all_frames import look_into_all
from gateway.inference.frame_paths import FramePaths
from gateway.inference.question import Question
from gateway.messages import ClassificationResult, DetectionResult, FrameTask

_Found = TypeVar("_Found")


class AliasFrames:
    """Asks the build behind an alias about frames.

    Args:
        catalogue: Returns the current snapshot.
        paths: Of one frame.
    """

    def __init__(self, catalogue: Callable[[], Catalogue], paths: FramePaths) -> None:
        self._catalogue = catalogue
        self._paths = paths

    async def detect(
        self, alias: str, chosen: Resolution, frames: Sequence[bytes | memoryview], question: Question
    ) -> DetectionResult:
        """Find what is in some frames.

        Raises:
            WrongTask: The chosen build is a classifier.
            GatewayError: See ``gateway.errors``.
        """
        if chosen.card.task != "detection":
            raise WrongTask(alias, chosen.card.task)
        chosen, found = await self._ask(alias, chosen, frames, question, self._paths.detect)
        return DetectionResult(alias, chosen.build.name, chosen.reason, chosen.card.labels, found)

    async def classify(
        self, alias: str, chosen: Resolution, frames: Sequence[bytes | memoryview], question: Question
    ) -> ClassificationResult:
        """Say what some frames are.

        Raises:
            WrongTask: The chosen build is a detector.
            GatewayError: See ``gateway.errors``.
        """
        if chosen.card.task != "classification":
            raise WrongTask(alias, chosen.card.task)
        chosen, found = await self._ask(alias, chosen, frames, question, self._paths.classify)
        return ClassificationResult(alias, chosen.build.name, chosen.reason, chosen.card.labels, found)

    async def _ask(
        self,
        alias: str,
        chosen: Resolution,
        frames: Sequence[bytes | memoryview],
        question: Question,
        look: Callable[[bytes | memoryview, FrameTask], Awaitable[_Found]],
    ) -> tuple[Resolution, tuple[_Found, ...]]:
        try:
            return chosen, await look_into_all(frames, frame_task(alias, chosen, question), look)
        except TritonRejected as error:
            again = resolve_again(self._catalogue(), alias, question.key, chosen, error)
        if again.card.task != chosen.card.task:
            raise WrongTask(alias, again.card.task)
        return again, await look_into_all(frames, frame_task(alias, again, question), look)


def frame_task(name: str, chosen: Resolution, question: Question) -> FrameTask:
    """What is asked of the chosen build about each frame."""
    return FrameTask(
        name, chosen.build.name, chosen.card, question.arrived_at, question.deadline_at, question.threshold
    )


def resolve_again(catalogue: Catalogue, alias: str, key: str, chosen: Resolution, error: TritonRejected) -> Resolution:
    """A build may be unloaded while a request for it waits: then another one answers for the alias by now.

    Raises:
        TritonRejected: It is another refusal.
        ModelNotReady: No other build answers.
    """
    if error.code != TritonCode.NOT_FOUND:
        raise error
    again = catalogue.resolve(alias, key)
    if again.build.name == chosen.build.name:
        raise ModelNotReady(alias, f"Triton does not have build {chosen.build.name}: {error}") from error
    return again
