"""Answers inference requests of every protocol."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.catalogue import Catalogue
from gateway.errors import InstanceLost, WrongTask
from gateway.frames.admission import Admission
from gateway.inference.alias_frames import AliasFrames
from gateway.inference.cascade_frames import CascadeFrames
from gateway.inference.classification_tensors import (
    CLASSIFICATION_OUTPUTS,
    PROBABILITIES_OUTPUT,
    classification_response,
)
from gateway.inference.detection_tensors import (
    CASCADE_OUTPUTS,
    DETECTION_OUTPUTS,
    SOURCE_OUTPUT,
    detection_response,
)
from gateway.inference.frame_paths import FramePaths
from gateway.inference.frame_request import frames_of, requested_outputs, threshold_of, top_k_of
from gateway.inference.question import Question
from gateway.inference.raw_tensors import RawTensors, Tensors
from gateway.messages import ClassificationResult, DetectionResult, InferRequest, InferResponse
from gateway.metrics import ServingMetrics


class InferenceService:
    """An alias or a cascade takes pictures; a build's name takes tensors.

    Args:
        catalogue: Returns the current snapshot.
        admission: Asked for room for all frames of a request before the first is begun.
        frames: Path of one frame.
        tensors: Path of raw tensors.
        metrics: Counts results.
        default_timeout_seconds: Deadline of a request that brings none.
        on_instance_lost: Told about an instance that died under a raw request.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        catalogue: Callable[[], Catalogue],
        admission: Admission,
        frames: FramePaths,
        tensors: Tensors,
        metrics: ServingMetrics,
        *,
        default_timeout_seconds: float,
        on_instance_lost: Callable[[InstanceLost], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue = catalogue
        self._admission = admission
        self._aliases = AliasFrames(catalogue, frames)
        self._cascades = CascadeFrames(catalogue, frames)
        self._raw = RawTensors(
            catalogue,
            admission,
            tensors,
            on_instance_lost=on_instance_lost,
            on_executed=metrics.count_execution,
            clock=clock,
        )
        self._metrics = metrics
        self._default_timeout_seconds = default_timeout_seconds
        self._clock = clock

    async def infer(self, request: InferRequest) -> InferResponse:
        """Answer one request of the Open Inference Protocol.

        Raises:
            GatewayError: See ``gateway.errors``.
        """
        catalogue = self._catalogue()
        if not catalogue.is_alias(request.model):
            return await self._raw.infer(request, self._deadline(request.deadline_at, self._clock()))
        frames = frames_of(request)
        question = self._question(request.id, request.arrived_at, request.deadline_at, threshold_of(request))
        if catalogue.is_classifier(request.model, question.key):
            return await self._classes(request, frames, question)
        extra = CASCADE_OUTPUTS if request.model in catalogue.cascades else ()
        names = requested_outputs(request, DETECTION_OUTPUTS, (SOURCE_OUTPUT, *extra))
        found = await self._detect(request.model, frames, question)
        found_at = self._clock()
        return replace(detection_response(found, request, names), found_at=found_at)

    async def _classes(
        self, request: InferRequest, frames: Sequence[bytes | memoryview], question: Question
    ) -> InferResponse:
        names = requested_outputs(request, CLASSIFICATION_OUTPUTS, (PROBABILITIES_OUTPUT, SOURCE_OUTPUT))
        top_k = top_k_of(request)
        result = await self._classify(request.model, frames, question)
        found_at = self._clock()
        return replace(classification_response(result, request, names, top_k), found_at=found_at)

    async def detect(
        self,
        alias: str,
        frames: Sequence[bytes | memoryview],
        *,
        deadline_at: float | None,
        key: str = "",
        threshold: float | None = None,
    ) -> DetectionResult:
        """Find what is in some frames.

        Args:
            alias: The name of an alias or a cascade.
            frames: JPEG, PNG, WebP or BMP bytes, each one picture.
            deadline_at: Monotonic seconds, or None for the default timeout.
            key: Equal keys fall on the same side of a canary's share; without one, chance decides.
            threshold: Lowest score for every class, instead of the card's.

        Raises:
            WrongTask: The alias is a classifier.
            GatewayError: See ``gateway.errors``; one unusable frame fails its request.
        """
        return await self._detect(alias, frames, self._question(key, None, deadline_at, threshold))

    async def classify(
        self,
        alias: str,
        frames: Sequence[bytes | memoryview],
        *,
        deadline_at: float | None,
        key: str = "",
        threshold: float | None = None,
    ) -> ClassificationResult:
        """Say what some frames are; arguments as for ``detect``.

        Raises:
            WrongTask: The alias is a detector or a cascade.
            GatewayError: See ``gateway.errors``; one unusable frame fails its request.
        """
        if alias in self._catalogue().cascades:
            raise WrongTask(alias, "detection")
        return await self._classify(alias, frames, self._question(key, None, deadline_at, threshold))

    async def _detect(self, alias: str, frames: Sequence[bytes | memoryview], question: Question) -> DetectionResult:
        self._admission.require_room(len(frames))
        catalogue = self._catalogue()
        if alias in catalogue.cascades:
            result = await self._cascades.detect(alias, frames, question)
        else:
            result = await self._aliases.detect(alias, catalogue.resolve(alias, question.key), frames, question)
        self._metrics.observe_detections(result)
        return result

    async def _classify(
        self, alias: str, frames: Sequence[bytes | memoryview], question: Question
    ) -> ClassificationResult:
        self._admission.require_room(len(frames))
        chosen = self._catalogue().resolve(alias, question.key)
        result = await self._aliases.classify(alias, chosen, frames, question)
        self._metrics.observe_classes(result)
        return result

    def _question(
        self, key: str, arrived_at: float | None, deadline_at: float | None, threshold: float | None
    ) -> Question:
        now = self._clock()
        return Question(key or secrets.token_hex(4), arrived_at or now, self._deadline(deadline_at, now), threshold)

    def _deadline(self, deadline_at: float | None, now: float) -> float:
        return now + self._default_timeout_seconds if deadline_at is None else deadline_at
