"""Which hardware classes hold a model and keep its deadline; the smallest first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.build_performance import BuildPerformance
from contracts.hardware_class import HardwareClass, PowerMode
from model_compiler.planning.answers import Answers
from model_compiler.planning.quantities import in_bytes

Status = Literal["fits", "measure first", "does not fit"]
_ORDER: dict[Status, int] = {"fits": 0, "measure first": 1, "does not fit": 2}


@dataclass(frozen=True, slots=True)
class HardwareFit:
    """How one class suits the task.

    Attributes:
        status: ``measure first`` where nothing speaks against the class but the latency was not measured on it.
        power_mode: The smallest that is allowed and, where something was measured, in doubt.
        reasons: What fits, what does not, what is not known.
        estimated_p99_ms: Measured p99 with heat taken into account; None where it was not measured on the class.
    """

    name: str
    status: Status
    power_mode: PowerMode | None
    reasons: tuple[str, ...]
    estimated_p99_ms: float | None = None


def rank_hardware(
    classes: Iterable[HardwareClass],
    answers: Answers,
    measured: Mapping[str, BuildPerformance],
    preferred: Sequence[str] = (),
) -> list[HardwareFit]:
    """All classes: those that fit, those to measure, those that do not; within each, preferred ones, then by power.

    Nothing is derived from a peak figure such as TOPS: a latency is either measured on the class or unknown.

    Args:
        classes: To choose from.
        answers: Latency budget, memory, power limit, cooling, temperature.
        measured: Of the model, by class.
        preferred: Names of classes that suit the kind of work, best first.
    """
    fits = [(_fit(target, answers, measured.get(target.name)), target) for target in classes]
    return [fit for fit, _ in sorted(fits, key=lambda pair: _rank(pair[0], pair[1], preferred))]


def _rank(fit: HardwareFit, target: HardwareClass, preferred: Sequence[str]) -> tuple[int, int, float, int, str]:
    watts = min(mode.watts for mode in target.power_modes)
    place = preferred.index(target.name) if target.name in preferred else len(preferred)
    return _ORDER[fit.status], place, watts, target.memory.total_bytes, target.name


@dataclass(frozen=True, slots=True)
class _Check:
    """One requirement: True kept, False not, None not known."""

    kept: bool | None
    text: str


def _fit(target: HardwareClass, answers: Answers, measured: BuildPerformance | None) -> HardwareFit:
    p99 = _hot_p99_ms(target, answers, measured)
    mode = _allowed_mode(target, answers)
    checks = [
        _memory(target, answers, measured),
        *_latency(target, answers, p99),
        *_power(target, answers, mode),
        *_heat(target, answers),
    ]
    status: Status = "fits"
    if any(check.kept is False for check in checks):
        status = "does not fit"
    elif any(check.kept is None for check in checks):
        status = "measure first"
    # what speaks against a class is read first
    ordered = sorted(checks, key=lambda check: {False: 0, None: 1, True: 2}[check.kept])
    return HardwareFit(target.name, status, mode, tuple(check.text for check in ordered), p99)


def _memory(target: HardwareClass, answers: Answers, measured: BuildPerformance | None) -> _Check:
    ceiling = target.memory.models_ceiling_bytes
    here = measured.peak_memory_bytes if measured else None
    needed = here or answers.model_memory_bytes
    if needed is None:
        return _Check(None, f"memory of the model not known ({in_bytes(ceiling)} for models)")
    if needed > ceiling:
        return _Check(False, f"needs {in_bytes(needed)}, {in_bytes(ceiling)} for models")
    if here is None and not answers.model_memory_is_peak:
        return _Check(None, f"peak memory not measured (weights {in_bytes(needed)}, {in_bytes(ceiling)} for models)")
    return _Check(True, f"needs {in_bytes(needed)} of {in_bytes(ceiling)} for models")


def _latency(target: HardwareClass, answers: Answers, p99: float | None) -> list[_Check]:
    checks = []
    if p99 is not None and p99 > target.latency.ceiling_p99_ms:
        text = f"p99 {p99:.3g} ms is above the class's ceiling of {target.latency.ceiling_p99_ms:g} ms"
        checks.append(_Check(False, text))
    if answers.latency_budget_ms is None:
        return checks if p99 is not None else [_Check(None, "latency not measured here")]
    left = answers.latency_budget_ms - answers.other_stages_ms
    if p99 is None and left < target.latency.shortest_budget_ms:
        text = f"meant for needs from {target.latency.shortest_budget_ms:g} ms, {left:g} ms are left"
        return [*checks, _Check(False, text)]
    if p99 is None:
        return [*checks, _Check(None, f"latency not measured here ({left:g} ms left)")]
    return [*checks, _Check(p99 <= left, f"p99 {p99:.3g} ms of {left:g} ms")]


def _hot_p99_ms(target: HardwareClass, answers: Answers, measured: BuildPerformance | None) -> float | None:
    """Measured p99; where the surroundings are warm, longer by what the class loses under long load."""
    if measured is None or measured.status != "measured" or measured.latency_p99_ms is None:
        return None
    if answers.ambient_celsius is None:
        return measured.latency_p99_ms
    return measured.latency_p99_ms / target.thermal.sustained_share


def _allowed_mode(target: HardwareClass, answers: Answers) -> PowerMode | None:
    """The strongest mode within the power limit, or the weakest where there is no limit to respect but a battery."""
    modes = sorted(target.power_modes, key=lambda mode: mode.watts)
    if answers.watts_limit is None:
        return modes[0] if answers.battery is not None else modes[-1]
    allowed = [mode for mode in modes if mode.watts <= answers.watts_limit]
    return allowed[-1] if allowed else None


def _power(target: HardwareClass, answers: Answers, mode: PowerMode | None) -> list[_Check]:
    least = min(target.power_modes, key=lambda each: each.watts)
    if mode is None:
        return [_Check(False, f"draws {least.watts:g} W at least, {answers.watts_limit:g} W are allowed")]
    checks = []
    if answers.watts_limit is not None:
        checks.append(_Check(True, f"mode {mode.name} draws {mode.watts:g} W"))
    if answers.battery is not None and answers.hours_wanted is not None:
        hours = answers.battery.hours(least.watts + answers.other_watts)
        text = f"{hours:.3g} h in mode {least.name}, {answers.hours_wanted:g} h are wanted"
        checks.append(_Check(hours >= answers.hours_wanted, text))
    return checks


def _heat(target: HardwareClass, answers: Answers) -> list[_Check]:
    checks = []
    thermal = target.thermal
    if answers.needs_passive_cooling:
        checks.append(_Check(thermal.cooling == "passive", f"{thermal.cooling} cooling"))
    if answers.ambient_celsius is not None:
        text = f"for up to {thermal.ambient_max_celsius:g} C around it"
        checks.append(_Check(answers.ambient_celsius <= thermal.ambient_max_celsius, text))
    return checks
