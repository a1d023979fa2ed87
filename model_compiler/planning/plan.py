"""The whole answer: where, on what, for how long, at which price, how fast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from contracts.build_performance import BuildPerformance
from contracts.hardware_class import HardwareClass
from model_compiler.planning.advice import ARCHITECTURES, Advice, advice_for
from model_compiler.planning.answers import Answers
from model_compiler.planning.bandwidth import reduction_factor
from model_compiler.planning.battery import WhatIf, what_if
from model_compiler.planning.cost import CostComparison, Sensitivity, cost_of, sensitivity
from model_compiler.planning.decision import Decision, Verdict, decide, what_would_change
from model_compiler.planning.energy import Energy
from model_compiler.planning.hardware_fit import HardwareFit, rank_hardware
from model_compiler.planning.hybrid_latency import HybridLatency, hybrid_latency
from model_compiler.planning.latency_budget import LatencyBudget, latency_budget, period_ms
from model_compiler.planning.measured_model import MeasuredModel
from model_compiler.planning.questions import Weight


@dataclass(frozen=True, slots=True)
class Plan:
    """What the planner found.

    Attributes:
        decision: Edge, cloud or hybrid; None where no question about it was answered.
        would_change: Answers, by field, without which the verdict would be another one.
        hardware: All classes, best first.
        energy: Of a run whose power was logged.
        power_class: The class whose power modes the battery table is about.
        battery: Its table; empty without a battery.
        watts_for_hours: The most that everything together may draw to last as long as wanted.
        cost: None where a price is missing.
        sensitivity: Payback if prices turn out otherwise.
        hybrid: Latency with escalation; None where a number is missing.
        stages: The stages against the budget; None without stages or budget.
        data_mbps: All cameras together.
        data_reduction: How much less the edge would send; None where that is not known.
        period_ms: From one part to the next.
        advice: For the kind of work.
        architectures: Families to try first on the best class.
    """

    decision: Decision | None
    would_change: Mapping[str, Verdict]
    hardware: tuple[HardwareFit, ...]
    energy: Energy | None
    power_class: str | None
    battery: tuple[WhatIf, ...]
    watts_for_hours: float | None
    cost: CostComparison | None
    sensitivity: tuple[Sensitivity, ...]
    hybrid: HybridLatency | None
    stages: LatencyBudget | None
    data_mbps: float | None
    data_reduction: float | None
    period_ms: float | None
    advice: Advice | None
    architectures: str | None


def make_plan(
    answers: Answers,
    classes: Mapping[str, HardwareClass],
    model: MeasuredModel | None = None,
    levels: Sequence[tuple[str, float]] = (),
    stages_ms: Mapping[str, float] | None = None,
    energy: Energy | None = None,
) -> Plan:
    """Work everything out that the answers allow.

    Args:
        answers: As given; what the model tells of itself is added.
        classes: To choose from, by name.
        model: Where one was named.
        levels: Further levels of power for the battery table, name and W.
        stages_ms: Of the pipeline on the edge, where they are known.
        energy: Of a run whose power was logged; it is a line of the battery table too.
    """
    stated_ms = answers.edge_inference_ms
    answers = _with_model(answers, model)
    advice = None if answers.workload is None else advice_for(answers.workload)
    measured = {} if model is None else model.performance
    hardware = rank_hardware(classes.values(), answers, measured, () if advice is None else advice.classes)
    best = None if not hardware or hardware[0].status == "does not fit" else hardware[0].name
    cost = cost_of(answers)
    decision = decide(answers)
    return Plan(
        decision=decision if any(reason.weight is not Weight.UNKNOWN for reason in decision.reasons) else None,
        would_change=what_would_change(answers),
        hardware=tuple(hardware),
        energy=energy,
        power_class=best,
        battery=_battery(answers, None if best is None else classes[best], [*levels, *_logged(energy)]),
        watts_for_hours=_watts_for_hours(answers),
        cost=cost,
        sensitivity=() if cost is None else tuple(sensitivity(cost)),
        hybrid=_hybrid(answers, stated_ms or _measured_p50_ms(measured.get(best or ""))),
        stages=latency_budget(stages_ms, answers.latency_budget_ms)
        if stages_ms and answers.latency_budget_ms
        else None,
        data_mbps=answers.total_mbps,
        data_reduction=_data_reduction(answers),
        period_ms=None if answers.parts_per_minute is None else period_ms(answers.parts_per_minute),
        advice=advice,
        architectures=ARCHITECTURES.get(best or ""),
    )


def _with_model(answers: Answers, model: MeasuredModel | None) -> Answers:
    if model is None:
        return answers
    peak = model.peak_memory_bytes
    measured = [p50 for entry in model.performance.values() if (p50 := _measured_p50_ms(entry)) is not None]
    return replace(
        answers,
        model_memory_bytes=peak or model.weights_bytes,
        model_memory_is_peak=peak is not None,
        edge_inference_ms=answers.edge_inference_ms or min(measured, default=None),
    )


def _measured_p50_ms(performance: BuildPerformance | None) -> float | None:
    return None if performance is None else performance.latency_p50_ms


def _battery(answers: Answers, target: HardwareClass | None, levels: Sequence[tuple[str, float]]) -> tuple[WhatIf, ...]:
    if answers.battery is None:
        return ()
    modes = [] if target is None else [(mode.name, mode.watts) for mode in target.power_modes]
    ordered = sorted([*levels, *modes], key=lambda level: -level[1])
    return tuple(what_if(answers.battery, ordered, answers.other_watts, answers.hours_wanted))


def _logged(energy: Energy | None) -> list[tuple[str, float]]:
    return [] if energy is None else [("as logged", energy.mean_watts)]


def _watts_for_hours(answers: Answers) -> float | None:
    if answers.battery is None or answers.hours_wanted is None:
        return None
    return answers.battery.watts_for(answers.hours_wanted)


def _hybrid(answers: Answers, edge_ms: float | None) -> HybridLatency | None:
    if edge_ms is None or answers.unsure_share is None or answers.round_trip is None:
        return None
    return hybrid_latency(
        edge_ms + answers.other_stages_ms,
        answers.unsure_share,
        answers.cloud_inference_ms,
        answers.round_trip,
        answers.latency_budget_ms,
    )


def _data_reduction(answers: Answers) -> float | None:
    if answers.total_mbps is None or answers.result_mbps is None:
        return None
    return reduction_factor(answers.total_mbps, answers.result_mbps)
