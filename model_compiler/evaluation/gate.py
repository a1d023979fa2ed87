"""The gate: what a variant may cost against the float model of its class. Pure rules over results."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from contracts.build_performance import BuildPerformance
from model_compiler.evaluation.gate_verdict import GateCheck, GateVerdict
from model_compiler.evaluation.variant_result import VariantResult

_MB = 1e6
_FLOAT = "f32-"


class GateSettings(BaseModel):
    """The section ``gate`` of a recipe; a limit of None is not checked.

    Attributes:
        max_accuracy_drop_points: Decided on the lower end of the paired 95 % interval, not on the measured
            difference: a variant has to show that it loses no more than this, and too few frames cannot show it.
        min_agreement: Without labels: the least F1 (equal labels for a classifier) with the float model's answers,
            decided on the lower end of its 95 % interval.
        min_frames: With fewer, accuracy is not shown at all: bootstrap intervals of a few frames are too narrow.
        min_speedup: Least images per second over the float baseline's; 1 refuses what is slower.
        max_latency_ms: Of the 99th percentile, one caller.
        max_load_seconds: From the load request to the first answer.
        max_memory_mb: Peak of the processes that run the model, in 10^6 bytes.
        max_size_mb: Of the model's files, in 10^6 bytes.
        max_size_ratio: Of the model's files over the baseline's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_accuracy_drop_points: float = Field(default=1.5, ge=0.0, le=100.0)
    min_agreement: float = Field(default=0.9, ge=0.0, le=1.0)
    min_frames: int = Field(default=30, ge=1)
    min_speedup: float = Field(default=1.0, ge=0.0)
    max_latency_ms: float | None = Field(default=None, gt=0.0)
    max_load_seconds: float | None = Field(default=None, gt=0.0)
    max_memory_mb: float | None = Field(default=None, gt=0.0)
    max_size_mb: float | None = Field(default=None, gt=0.0)
    max_size_ratio: float | None = Field(default=None, gt=0.0)

    def within(
        self, *, latency_ms: float | None = None, load_seconds: float | None = None, memory_mb: float | None = None
    ) -> "GateSettings":
        """These settings, no looser than the limits of a hardware class."""
        return self.model_copy(
            update={
                "max_latency_ms": _stricter(self.max_latency_ms, latency_ms),
                "max_load_seconds": _stricter(self.max_load_seconds, load_seconds),
                "max_memory_mb": _stricter(self.max_memory_mb, memory_mb),
            }
        )


def judge(
    settings: GateSettings, *, baseline: VariantResult, candidate: VariantResult, measured_on: str, built_for: str
) -> GateVerdict:
    """Compare a variant with the limits.

    Args:
        settings: The limits.
        baseline: The float variant that the candidate was compared with; an FP32 one may be its own.
        candidate: The variant.
        measured_on: Hardware class of the machine that measured.
        built_for: Hardware class of the build; where it is another, times and memory say nothing: ``not_measured``.
    """
    is_baseline = candidate.name == baseline.name and candidate.name.startswith(_FLOAT)
    speaks = measured_on == built_for and candidate.performance.status == "measured"
    performance = candidate.performance if speaks else None
    why = "" if speaks else f"measured on {measured_on}, not on {built_for}" if measured_on != built_for else "no run"
    checks = [
        *([] if is_baseline else [_accuracy(settings, candidate), _speedup(settings, candidate, performance, why)]),
        *_times_and_memory(settings, performance, why),
        *_sizes(settings, baseline, candidate),
    ]
    return GateVerdict(checks=tuple(checks))


def _accuracy(settings: GateSettings, candidate: VariantResult) -> GateCheck:
    if candidate.difference is not None:
        return _drop(settings, candidate)
    if candidate.agreement is not None:
        return _agreement(settings, candidate)
    return GateCheck(
        name="max_accuracy_drop_points",
        status="fail",
        limit=settings.max_accuracy_drop_points,
        reason="max_accuracy_drop_points: no FP32 variant was measured to compare with; add f32 to the variants",
    )


def _drop(settings: GateSettings, candidate: VariantResult) -> GateCheck:
    found, limit = candidate.difference, settings.max_accuracy_drop_points
    if found is None:
        raise ValueError("there is no difference to judge")
    worst = max(0.0, -found.low)
    said = (
        f"{found.metric} {found.points:+.2f} points against {found.baseline}"
        f" [{found.low:+.2f}, {found.high:+.2f}] on {found.frames} frames, at most {limit:g} may be lost"
    )
    kept = worst <= limit and found.frames >= settings.min_frames
    if not kept and found.points >= -limit:
        said += f"; more frames (at least {settings.min_frames}) would narrow the interval"
    return _check("max_accuracy_drop_points", limit, worst, worst - limit, kept=kept, said=said)


def _agreement(settings: GateSettings, candidate: VariantResult) -> GateCheck:
    found, limit = candidate.agreement, settings.min_agreement
    if found is None or found.low is None:
        raise ValueError("there is no agreement to judge")
    said = f"agreement with the float model {found.value:.3f}, at least {found.low:.3f}, on {found.n} frames"
    kept = found.low >= limit and found.n >= settings.min_frames
    if found.n < settings.min_frames:
        said += f"; at least {settings.min_frames} frames are needed"
    said += f"; the least allowed is {limit:g}"
    return _check("min_agreement", limit, found.low, limit - found.low, kept=kept, said=said)


def _speedup(
    settings: GateSettings, candidate: VariantResult, performance: BuildPerformance | None, why: str
) -> GateCheck:
    limit = settings.min_speedup
    if performance is None or candidate.speedup is None:
        return _open("min_speedup", limit, why or "no baseline was measured beside it")
    found = candidate.speedup
    said = f"{found.ratio:.2f} times the images/s of {found.baseline}, at least {limit:g} times is asked for"
    return _check("min_speedup", limit, found.ratio, limit - found.ratio, kept=found.ratio >= limit, said=said)


def _times_and_memory(settings: GateSettings, performance: BuildPerformance | None, why: str) -> Iterator[GateCheck]:
    latency_ms = load_seconds = memory_mb = None
    if performance is not None:
        latency_ms, load_seconds = performance.latency_p99_ms, performance.load_seconds
        memory_mb = None if performance.peak_memory_bytes is None else performance.peak_memory_bytes / _MB
    numbers = (
        ("max_latency_ms", settings.max_latency_ms, latency_ms, "latency p99", "ms"),
        ("max_load_seconds", settings.max_load_seconds, load_seconds, "load", "s"),
        ("max_memory_mb", settings.max_memory_mb, memory_mb, "peak memory", "MB"),
    )
    for name, limit, value, what, unit in numbers:
        if limit is not None:
            yield _open(name, limit, why or "no number") if value is None else _at_most(name, limit, value, what, unit)


def _sizes(settings: GateSettings, baseline: VariantResult, candidate: VariantResult) -> Iterator[GateCheck]:
    if settings.max_size_mb is not None:
        yield _at_most("max_size_mb", settings.max_size_mb, candidate.size_bytes / _MB, "size", "MB")
    if settings.max_size_ratio is not None and candidate.name != baseline.name:
        ratio = candidate.size_bytes / max(1, baseline.size_bytes)
        yield _at_most("max_size_ratio", settings.max_size_ratio, ratio, "size", f"times that of {baseline.name}")


def _at_most(name: str, limit: float, value: float, what: str, unit: str) -> GateCheck:
    said = f"{what} {value:.4g} {unit}, at most {limit:g} is allowed"
    return _check(name, limit, value, value - limit, kept=value <= limit, said=said)


def _check(name: str, limit: float, value: float, excess: float, *, kept: bool, said: str) -> GateCheck:
    status = "pass" if kept else "fail"
    missed = "" if kept or excess <= 0 else f": missed by {excess:.3g}"
    return GateCheck(
        name=name, status=status, limit=limit, value=value, excess=excess, reason=f"{name}: {said}{missed}"
    )


def _open(name: str, limit: float, why: str) -> GateCheck:
    return GateCheck(name=name, status="not_measured", limit=limit, reason=f"{name}: not measured ({why})")


def _stricter(first: float | None, second: float | None) -> float | None:
    return min((limit for limit in (first, second) if limit is not None), default=None)
