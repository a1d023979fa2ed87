"""Every metric family of the serving path, on a registry that is given."""

from collections.abc import Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.messages import ClassificationResult, DetectionResult, StageTimes
from gateway.transport import Refusal, Transport

_SECONDS = (
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
)
_SCORES = tuple(step / 20 for step in range(1, 21))


class ServingMetrics:
    """Counts what one serving process does.

    Args:
        registry: Where the families are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._stages: dict[str, dict[str, Histogram]] = {}
        self._executions: dict[tuple[str, str], Counter] = {}
        self.requests = Counter(
            "outpost_requests", "Requests answered", ["model", "build", "protocol", "code"], registry=registry
        )
        self.request_seconds = Histogram(
            "outpost_request_seconds",
            "From the first byte read to the answer encoded",
            ["model", "protocol"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "outpost_stage_seconds",
            "Time of one frame in each stage; the stages of a frame add up to its request",
            ["model", "stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.rejections = Counter(
            "outpost_rejections", "Requests refused before any work", ["reason"], registry=registry
        )
        self.frames = Counter("outpost_frames", "Frames answered", ["model", "build"], registry=registry)
        self.retries = Counter(
            "outpost_retries",
            "Frames sent to Triton again after a lost instance",
            ["build"],
            registry=registry,
        )
        self.executions = Counter(
            "outpost_model_executions",
            "How often each build has run on a frame (by its own name: on a request), by the name that was asked",
            ["model", "build"],
            registry=registry,
        )
        self.detections = Counter("outpost_detections", "Detections by class", ["model", "label"], registry=registry)
        self.classes = Counter(
            "outpost_classes", "Frames by the class that a classifier gave them", ["model", "label"], registry=registry
        )
        self.confidence = Histogram(
            "outpost_confidence",
            "Scores of the detections and of the best classes",
            ["model"],
            buckets=_SCORES,
            registry=registry,
        )
        self.queue_depth = Gauge("outpost_queue_depth", "Frames waiting for a place", registry=registry)
        self.in_flight = Gauge("outpost_in_flight", "Frames between decode and detections", registry=registry)
        self.body_bytes = Gauge("outpost_body_bytes", "Bodies of requests in work, in bytes", registry=registry)
        self.shared_memory = Gauge(
            "outpost_shared_memory", "1 where tensors reach Triton through shared memory", registry=registry
        )
        self.transport = Gauge(
            "outpost_transport", "Workers whose tensors reach Triton that way", ["transport"], registry=registry
        )
        self.transport_refused = Gauge(
            "outpost_transport_refused",
            "Workers whose tensors cannot reach Triton that way, and why",
            ["transport", "cause"],
            registry=registry,
        )

        self.preprocessing = Gauge(
            "outpost_preprocessing", "Workers whose frames become tensors there", ["path"], registry=registry
        )
        self.device_lost = Gauge(
            "outpost_device_lost", "Workers that prepare frames on the CPU since their GPU was lost", registry=registry
        )
        self.device_frames = Counter(
            "outpost_device_frames",
            "Frames that became tensors on a GPU, by what decoded them",
            ["decoder"],
            registry=registry,
        )

    def use_preprocessing(self, path: Literal["cpu", "cuda"]) -> None:
        """Record where frames become tensors from here on."""
        for each in ("cpu", "cuda"):
            self.preprocessing.labels(each).set(each == path)

    def use_transport(self, used: Transport, refusals: Mapping[Transport, Refusal]) -> None:
        """Record how tensors reach Triton from here on, and why not in other ways."""
        self.shared_memory.set(used != Transport.REQUEST)
        for each in Transport:
            self.transport.labels(each.value).set(each == used)
        self.transport_refused.clear()
        for each, refusal in refusals.items():
            self.transport_refused.labels(each.value, refusal.cause).set(1)

    def observe_frame(self, model: str, times: StageTimes) -> None:
        """Record the stages of one frame."""
        stages = self._stages_of(model)
        stages["queue"].observe(times.queue)
        stages["decode"].observe(times.decode)
        stages["letterbox"].observe(times.letterbox)
        stages["infer"].observe(times.infer)
        stages["postprocess"].observe(times.postprocess)

    def count_execution(self, model: str, build: str) -> None:
        """Count one run of a build, asked for by the name of an alias, a cascade or its own."""
        counter = self._executions.get((model, build))
        if counter is None:
            counter = self._executions[model, build] = self.executions.labels(model, build)
        counter.inc()

    def observe_detections(self, result: DetectionResult) -> None:
        """Record what was found, and of a cascade also the verdicts of its classifier."""
        self.frames.labels(result.alias, result.build).inc(len(result.frames))
        confidence = self.confidence.labels(result.alias)
        for frame in result.frames:
            self.observe_frame(result.alias, frame.times)
            for score, index in zip(frame.scores.tolist(), frame.classes.tolist(), strict=True):
                confidence.observe(score)
                self.detections.labels(result.alias, result.labels[index]).inc()
        if result.cascade is not None:
            for verdict in result.cascade.verdicts:
                self.classes.labels(result.alias, result.cascade.labels[verdict.best]).inc()

    def observe_classes(self, result: ClassificationResult) -> None:
        """Record what the frames are."""
        self.frames.labels(result.alias, result.build).inc(len(result.frames))
        confidence = self.confidence.labels(result.alias)
        for frame in result.frames:
            self.observe_frame(result.alias, frame.times)
            confidence.observe(frame.score)
            self.classes.labels(result.alias, result.labels[frame.best]).inc()

    def _stages_of(self, model: str) -> dict[str, Histogram]:
        """The histograms of a model, looked up once: each look-up takes a lock and some microseconds."""
        stages = self._stages.get(model)
        if stages is None:
            names = ("queue", "decode", "letterbox", "infer", "postprocess")
            stages = self._stages[model] = {name: self.stage_seconds.labels(model, name) for name in names}
        return stages
