"""Edge, cloud or both, and the one question that decides."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from model_compiler.planning.answers import Answers
from model_compiler.planning.questions import (
    DATA_LOCATION,
    MODEL,
    OPERATIONS,
    QUESTIONS,
    RESIDENCY,
    UNSURE,
    Limits,
    Reason,
    Weight,
)

Verdict = Literal["edge", "cloud", "hybrid"]
NOTHING_SPEAKS_FOR_THE_EDGE = "none: nothing speaks for the edge, and the cloud is simpler to run"


@dataclass(frozen=True, slots=True)
class Decision:
    """Where the model should run.

    Attributes:
        verdict: The answer.
        deciding_question: Without its answer, or first among those that agree.
        reasons: All questions in their order.
        conflicts: Answers that cannot all be met; the verdict then needs a change somewhere else.
    """

    verdict: Verdict
    deciding_question: str
    reasons: tuple[Reason, ...]
    conflicts: tuple[str, ...]


def decide(answers: Answers, limits: Limits | None = None) -> Decision:
    """Weigh the answers.

    What leaves no choice goes first: data that must stay, work without a network, a deadline that the network cannot
    keep; then a model that no edge holds, data that is in the cloud, nobody to look after devices. Where both sides
    have a reason and none is compelling, both are used: the edge for what is urgent or large, the cloud for the rest.
    Where only the edge will do but frames may leave, a larger model in the cloud can still be asked about unsure ones.
    """
    limits = limits or Limits()
    reasons = tuple(question(answers, limits) for question in QUESTIONS)
    verdict, deciding = _weigh(reasons)
    conflicts = [*_conflicts(reasons), *(_too_slow(answers) if verdict != "cloud" else [])]
    return Decision(verdict, deciding, reasons, tuple(conflicts))


def what_would_change(answers: Answers, limits: Limits | None = None) -> dict[str, Verdict]:
    """For each answer, by field, the verdict without it, where that is another one."""
    verdict = decide(answers, limits).verdict
    changed: dict[str, Verdict] = {}
    for field in fields(Answers):
        if getattr(answers, field.name) is None or field.default is not None:
            continue
        unanswered: dict[str, Any] = {field.name: None}
        without = decide(replace(answers, **unanswered), limits).verdict
        if without != verdict:
            changed[field.name] = without
    return changed


def _weigh(reasons: Sequence[Reason]) -> tuple[Verdict, str]:
    by_weight = {weight: [r.question for r in reasons if r.weight is weight] for weight in Weight}
    must_edge = by_weight[Weight.MUST_EDGE]
    if must_edge:
        may_ask = RESIDENCY not in must_edge and UNSURE in by_weight[Weight.FOR_CLOUD]
        return "hybrid" if may_ask else "edge", must_edge[0]
    if by_weight[Weight.MUST_CLOUD]:
        return "cloud", by_weight[Weight.MUST_CLOUD][0]
    for_edge, for_cloud = by_weight[Weight.FOR_EDGE], by_weight[Weight.FOR_CLOUD]
    if for_edge and for_cloud:
        return "hybrid", for_edge[0]
    if for_edge:
        return "edge", for_edge[0]
    # without an edge model there are no frames that it is unsure of
    deciding = [question for question in for_cloud if question != UNSURE]
    return "cloud", deciding[0] if deciding else NOTHING_SPEAKS_FOR_THE_EDGE


def _conflicts(reasons: Sequence[Reason]) -> list[str]:
    edge = [r for r in reasons if r.weight is Weight.MUST_EDGE]
    cloud = [r for r in reasons if r.weight is Weight.MUST_CLOUD]
    if not edge:
        return []
    remedy = {
        MODEL: "make the model smaller, or put a server with a large GPU on the premises",
        OPERATIONS: "somebody has to look after the devices: hire it as a service",
        DATA_LOCATION: "move the work to where the data is, or the data to where the work is",
    }
    return [f"{c.question} ({c.text}) against {edge[0].question}: {remedy[c.question]}" for c in cloud]


def _too_slow(answers: Answers) -> list[str]:
    budget, inference_ms = answers.latency_budget_ms, answers.edge_inference_ms
    if budget is None or inference_ms is None or inference_ms + answers.other_stages_ms <= budget:
        return []
    total = inference_ms + answers.other_stages_ms
    return [f"the edge takes {total:g} ms of {budget:g} ms: take a faster variant, a smaller model or another device"]
