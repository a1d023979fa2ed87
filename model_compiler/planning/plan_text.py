"""A plan for people, within 80 columns."""

import math
import textwrap
from collections.abc import Iterator, Sequence

from model_compiler.planning.answers import Answers
from model_compiler.planning.bandwidth import gigabytes_per_month
from model_compiler.planning.cost import CostComparison, Sensitivity
from model_compiler.planning.decision import Decision
from model_compiler.planning.energy import Energy
from model_compiler.planning.flags import FLAGS
from model_compiler.planning.latency_budget import LatencyBudget
from model_compiler.planning.plan import Plan
from model_compiler.planning.questions import Weight

WIDTH = 80


def plan_text(plan: Plan, answers: Answers) -> str:
    """The whole plan; sections without answers are left out."""
    lines = [*_decision(plan.decision), *_would_change(plan), *_hardware(plan), *_timing(plan, answers)]
    lines += [*_energy(plan.energy), *_battery(plan, answers), *_cost(plan.cost, plan.sensitivity)]
    return "\n".join(lines)


def _decision(decision: Decision | None) -> Iterator[str]:
    if decision is None:
        yield "Edge or cloud: no question about it was answered"
        return
    yield f"Run it on: {decision.verdict.upper()}"
    yield from _wrapped(f"The deciding question: {decision.deciding_question}", "  ")
    yield ""
    for reason in decision.reasons:
        if reason.weight is not Weight.UNKNOWN:
            yield from _wrapped(reason.text, f"  {reason.question:<17} {reason.weight.value:<14} ")
    unknown = [reason.question for reason in decision.reasons if reason.weight is Weight.UNKNOWN]
    if unknown:
        yield from _wrapped(f"not answered: {', '.join(unknown)}", "  ")
    for conflict in decision.conflicts:
        yield from _wrapped(conflict, "  CONFLICT: ")


def _would_change(plan: Plan) -> Iterator[str]:
    if plan.would_change:
        names = {flag.field: flag.name for flag in FLAGS}
        changes = (f"{names.get(field, field)} (then {verdict})" for field, verdict in plan.would_change.items())
        yield from _wrapped(f"it would be otherwise without {', '.join(changes)}", "  ")


def _hardware(plan: Plan) -> Iterator[str]:
    if plan.decision is not None and plan.decision.verdict == "cloud":
        yield from ("", "Hardware: none is needed on site; if there were to be a device", "")
    else:
        yield from ("", "Hardware, best first; latency counts only where it was measured", "")
    if plan.advice is not None:
        yield from _wrapped(f"{plan.advice.target}: {plan.advice.because}", "  to try first: ")
    possible = [fit for fit in plan.hardware if fit.status != "does not fit"]
    for place, fit in enumerate(possible, 1):
        yield f" {place:>2}. {fit.name}: {fit.status}"
        yield from _wrapped("; ".join(fit.reasons), " " * 5)
    for fit in plan.hardware:
        if fit.status == "does not fit":
            # what it fails first says enough
            yield from _wrapped(fit.reasons[0], f"  -  {fit.name}: does not fit: ")
    if plan.architectures is not None:
        yield from _wrapped(f"models to try on the first: {plan.architectures}; your measurement decides", "  ")


def _timing(plan: Plan, answers: Answers) -> Iterator[str]:
    lines: list[str] = []
    if plan.data_mbps is not None:
        volume = gigabytes_per_month(plan.data_mbps)
        lines.append(f"  data             {plan.data_mbps:g} Mbit/s, {volume:,.0f} GB a month if all of it were sent")
    if plan.data_reduction is not None:
        lines.append(
            f"                   results only: {answers.result_mbps:g} Mbit/s, {plan.data_reduction:,.0f} to 1"
        )
    if plan.period_ms is not None:
        lines.append(f"  parts            one each {plan.period_ms:g} ms")
    if plan.stages is not None:
        lines += _stages(plan.stages, answers)
    lines += _hybrid(plan, answers)
    if lines:
        yield from ("", "Time and volume", "", *lines)


def _stages(stages: LatencyBudget, answers: Answers) -> Iterator[str]:
    yield f"  edge pipeline    {stages.total_ms:g} ms, {stages.headroom_ms:g} ms left"
    yield from _wrapped(", ".join(f"{name} {share:.0%}" for name, share in stages.shares.items()), " " * 19)
    yield (
        f"                   {stages.serial_frames_per_second:.1f} frames/s one by one,"
        f" {stages.pipelined_frames_per_second:.1f} pipelined"
    )
    if answers.edge_inference_ms is not None:
        yield f"                   room for {stages.retries(answers.edge_inference_ms)} more tries of the inference"


def _hybrid(plan: Plan, answers: Answers) -> Iterator[str]:
    hybrid = plan.hybrid
    if hybrid is None:
        return
    yield f"  with escalation  mean {hybrid.mean_ms:.3g} ms; a frame that asks the cloud {hybrid.escalated_ms:.3g} ms"
    if hybrid.miss_probability is not None:
        late = f"{hybrid.miss_probability:.2%} of the frames would be later than {answers.latency_budget_ms:g} ms"
        yield f"                   {late}"


def _energy(energy: Energy | None) -> Iterator[str]:
    if energy is None:
        return
    yield from ("", "Power of the logged run, above idle", "")
    yield f"  mean {energy.mean_watts:.3g} W, peak {energy.peak_watts:.3g} W, deviation {energy.std_watts:.3g} W"
    yield f"  {energy.joules:.4g} J in all, {energy.joules_per_frame:.3g} J a frame"


def _battery(plan: Plan, answers: Answers) -> Iterator[str]:
    if answers.battery is None:
        return
    whose = "" if plan.power_class is None else f"; power modes of {plan.power_class}"
    yield from ("", f"Battery: {answers.battery.usable_wh:.3g} Wh usable{whose}", "")
    yield f"  {'level':<26} {'inference':>10} {'in all':>8} {'lasts':>8}"
    for line in plan.battery:
        verdict = {True: "  long enough", False: "  too short", None: ""}[line.lasts]
        powers = f"{line.inference_watts:>8.1f} W {line.total_watts:>6.1f} W"
        yield f"  {line.name:<26} {powers} {line.hours:>6.2f} h{verdict}"
    if plan.watts_for_hours is not None:
        left = max(0.0, plan.watts_for_hours - answers.other_watts)
        most = f"{plan.watts_for_hours:.3g} W in all, {left:.3g} W for inference"
        yield f"  {answers.hours_wanted:g} h need at most {most}"


def _cost(cost: CostComparison | None, table: Sequence[Sensitivity]) -> Iterator[str]:
    if cost is None:
        return
    share = "" if cost.saving_share is None else f" ({cost.saving_share:.1%})"
    yield from ("", "Cost", "")
    yield f"  cloud      {cost.cloud_per_month:>14,.2f} a month"
    yield f"  edge       {cost.edge_per_month:>14,.2f} a month"
    yield f"  saving     {cost.saving_per_month:>14,.2f} a month{share}"
    if cost.hardware is None or cost.payback_months is None:
        yield "  hardware   device price not given"
        return
    yield f"  hardware   {cost.hardware:>14,.2f} once, paid for after {_months(cost.payback_months)}"
    if not table or math.isinf(cost.payback_months):
        return
    factors = sorted({line.saving_factor for line in table})
    yield "  paid for after, if the saving is"
    yield f"  {'':<20}" + "".join(f"{f'x {factor:g}':>16}" for factor in factors)
    for hardware_factor in sorted({line.hardware_factor for line in table}):
        row = [line for line in table if line.hardware_factor == hardware_factor]
        yield f"  {f'hardware x {hardware_factor:g}':<20}" + "".join(f"{_months(e.payback_months):>16}" for e in row)


def _months(months: float) -> str:
    if math.isinf(months):
        return "never"
    return f"{months:.2f} months" if months < 24 else f"{months / 12:.1f} years"


def _wrapped(text: str, lead: str) -> list[str]:
    indent = " " * min(len(lead), 36)
    return textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=indent, break_long_words=False)
