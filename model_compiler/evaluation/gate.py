"""The gate: what a variant may cost against the float model of its class. Pure rules over results.

Accuracy is decided on the 95 % interval of the bootstrap, and by the *rule of three*: among n frames without a single
changed answer, up to 3/n of all frames may still change. Resampling frames that all agree gives the interval [0, 0],
which would prove anything; so no loss below 300/n points, and no agreement above 1 - 3/n, counts as shown. A limit of
1.5 points takes 200 frames, an agreement of 0.9 takes 30. For top-1 and agreement of labels this is the statistics; for
mAP and F1 it stands for a frame whose boxes all change, over the frames that have boxes.

Frames too few for a limit that the recipe states are a miss; for a limit that it leaves to the default the check is
``not_proven``: the variant stays in, and report and card say so.
"""

import math
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from contracts.build_performance import BuildPerformance
from contracts.model_card import Metric
from model_compiler.evaluation.gate_verdict import GateCheck, GateVerdict
from model_compiler.evaluation.variant_result import AccuracyDifference, VariantResult

DROP_POINTS, AGREEMENT = 1.5, 0.9
_BY_SIZE = frozenset({"max_size_mb", "max_size_ratio"})
_RULE_OF_THREE = 3.0
_ROUNDING = 1e-9
_MB = 1e6


class GateSettings(BaseModel):
    """The section ``gate`` of a recipe; a limit of None is not checked, but for those of accuracy.

    Attributes:
        max_accuracy_drop_points: Decided on the lower end of the paired 95 % interval, not on the measured
            difference: a variant has to show that it loses no more than this. None takes 1.5, and where there are too
            few frames to show it, only says so.
        min_agreement: Without labels: the least F1 (equal labels for a classifier) with the float model's answers,
            decided on the lower end of its 95 % interval. None takes 0.9, in the same way.
        min_frames: With fewer that have something to compare, accuracy counts as missed, however loose the limit.
        min_speedup: Least images per second over the float baseline's; 1 refuses what is slower.
        max_latency_ms: Of the 99th percentile, one caller.
        max_load_seconds: From the load request to the first answer.
        max_memory_mb: Peak of the processes that run the model, in 10^6 bytes.
        max_size_mb: Of the model's files, in 10^6 bytes.
        max_size_ratio: Of the model's files over the baseline's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_accuracy_drop_points: float | None = Field(default=None, gt=0.0, le=100.0)
    min_agreement: float | None = Field(default=None, ge=0.0, lt=1.0)
    min_frames: int | None = Field(default=None, ge=1)
    min_speedup: float = Field(default=1.0, ge=0.0)
    max_latency_ms: float | None = Field(default=None, gt=0.0)
    max_load_seconds: float | None = Field(default=None, gt=0.0)
    max_memory_mb: float | None = Field(default=None, gt=0.0)
    max_size_mb: float | None = Field(default=None, gt=0.0)
    max_size_ratio: float | None = Field(default=None, gt=0.0)

    @property
    def stated_to_measure(self) -> tuple[str, ...]:
        """Limits that were given and that only measuring can judge: all but those of size; 0 is none."""
        given = (name for name in type(self).model_fields if name in self.model_fields_set - _BY_SIZE)
        return tuple(name for name in given if getattr(self, name))

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
    settings: GateSettings,
    *,
    baseline: VariantResult | None,
    candidate: VariantResult,
    measured_on: str,
    built_for: str,
) -> GateVerdict:
    """Compare a variant with the limits.

    Args:
        settings: The limits.
        baseline: The FP32 variant of the whole network that the candidate was compared with, which may be itself; None
            where there is none.
        candidate: The variant.
        measured_on: Hardware class of the machine that measured.
        built_for: Hardware class of the build; where it is another, times and memory say nothing: ``not_measured``.
            Of a candidate of which nothing was measured only the size is decided.
    """
    is_baseline = baseline is not None and candidate.name == baseline.name
    why = candidate.not_measured
    if not why and measured_on != built_for:
        why = f"measured on {measured_on}, not on {built_for}"
    performance = None if why else candidate.performance
    checks = [
        *([] if is_baseline else [_accuracy(settings, candidate), _speedup(settings, candidate, performance, why)]),
        *_times_and_memory(settings, performance, why),
        *_sizes(settings, baseline, candidate),
    ]
    return GateVerdict(checks=tuple(checks))


def _accuracy(settings: GateSettings, candidate: VariantResult) -> GateCheck:
    if candidate.not_measured:
        limit = _given(settings.max_accuracy_drop_points, DROP_POINTS)
        return _open("max_accuracy_drop_points", limit, candidate.not_measured)
    if candidate.difference is not None:
        return _drop(settings, candidate, candidate.difference)
    if candidate.agreement is not None:
        return _agreement(settings, candidate, candidate.agreement)
    return GateCheck(
        name="max_accuracy_drop_points",
        status="fail",
        limit=_given(settings.max_accuracy_drop_points, DROP_POINTS),
        reason="max_accuracy_drop_points: no FP32 variant was measured to compare with; add f32 to the variants",
    )


def _drop(settings: GateSettings, candidate: VariantResult, found: AccuracyDifference) -> GateCheck:
    limit = _given(settings.max_accuracy_drop_points, DROP_POINTS)
    worst = max(0.0, -found.low)
    said = (
        f"{found.metric} {found.points:+.2f} points against {found.baseline}"
        f" [{found.low:+.2f}, {found.high:+.2f}] on {found.frames} frames, at most {limit:g} may be lost"
    )
    if worst > limit and found.points >= -limit:
        said += "; more frames would narrow the interval"
    check = _check("max_accuracy_drop_points", limit, worst, worst - limit, kept=worst <= limit, said=said)
    frames = _deciding(candidate, found.frames)
    least = math.ceil(1e4 * _share_left_open(frames) - _ROUNDING) / 100
    return _proven(check, settings, frames, limit / 100, shown=least, excess=least - limit)


def _agreement(settings: GateSettings, candidate: VariantResult, found: Metric) -> GateCheck:
    if found.low is None:
        raise ValueError("an agreement without an interval cannot be judged")
    limit = _given(settings.min_agreement, AGREEMENT)
    said = (
        f"agreement with the float model {found.value:.3f}, at least {found.low:.3f}, on {found.n} frames; the least"
        f" allowed is {limit:g}"
    )
    check = _check("min_agreement", limit, found.low, limit - found.low, kept=found.low >= limit, said=said)
    frames = _deciding(candidate, found.n)
    most = math.floor(1e3 * (1 - _share_left_open(frames)) + _ROUNDING) / 1e3
    return _proven(check, settings, frames, 1 - limit, shown=most, excess=limit - most)


def _proven(
    check: GateCheck, settings: GateSettings, frames: int, share: float, *, shown: float, excess: float
) -> GateCheck:
    """A check that was kept, if there are frames enough to show it.

    Args:
        check: Of the measured interval.
        settings: Whether they state the limit, and how many frames they ask for.
        frames: Those with something to compare.
        share: Of the frames, how many the limit lets change.
        shown: The strictest limit that these frames can show.
        excess: Of that one over the limit.
    """
    needed = max(settings.min_frames or 0, math.ceil(_RULE_OF_THREE / share - _ROUNDING))
    if check.status != "pass" or frames >= needed:
        return check
    reason = f"{check.reason}; that takes {needed} frames with something to compare, there are {frames}"
    found = {"value": shown, "excess": excess}
    stated = getattr(settings, check.name) is not None
    if not stated and frames >= (settings.min_frames or 0):
        return check.model_copy(update=found | {"status": "not_proven", "reason": f"{reason}: not proven"})
    if frames < (settings.min_frames or 0):
        reason += "; give more frames, or a lower min_frames"
    else:
        can = f" set {check.name} to {shown:g}," if 0 < shown < 100 else ""
        reason += f"; give more frames,{can} or leave {check.name} out, then it is stated as not proven"
    missed = f": missed by {excess:.3g}" if excess > 0 else ""
    return check.model_copy(update=found | {"status": "fail", "reason": reason + missed})


def _deciding(candidate: VariantResult, frames: int) -> int:
    return frames if candidate.deciding_frames is None else candidate.deciding_frames


def _share_left_open(frames: int) -> float:
    """Of all frames, how many may change although none of so many did."""
    return min(1.0, _RULE_OF_THREE / max(1, frames))


def _given(limit: float | None, default: float) -> float:
    return default if limit is None else limit


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


def _sizes(settings: GateSettings, baseline: VariantResult | None, candidate: VariantResult) -> Iterator[GateCheck]:
    if settings.max_size_mb is not None:
        yield _at_most("max_size_mb", settings.max_size_mb, candidate.size_bytes / _MB, "size", "MB")
    limit = settings.max_size_ratio
    if limit is None:
        return
    if baseline is None:
        reason = "max_size_ratio: there is no FP32 variant to compare with; add f32 to the variants"
        yield GateCheck(name="max_size_ratio", status="fail", limit=limit, reason=reason)
    elif candidate.name != baseline.name:
        ratio = candidate.size_bytes / max(1, baseline.size_bytes)
        yield _at_most("max_size_ratio", limit, ratio, "size", f"times that of {baseline.name}")


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
