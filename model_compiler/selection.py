"""Judges the variants of a release and takes the fastest inside the gate."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from contracts.hardware_class import HardwareClass
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.gate import judge
from model_compiler.evaluation.variant_result import VariantResult
from model_compiler.recipe import Recipe
from model_compiler.variant import BuildVariant


class Selection(BaseModel):
    """What was measured and which variant won.

    Attributes:
        results: One for each variant, by name, with its verdict; also of those of which only the size is known.
        chosen: Name of the winner; None where none is inside the gate.
        reason: One sentence.
        failed: Variants that did not load or did not answer, by name, with the reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    results: dict[str, VariantResult]
    chosen: str | None
    reason: str
    failed: dict[str, str] = Field(default_factory=dict)

    def with_caveats(self, known: Mapping[str, Sequence[str]]) -> "Selection":
        """Each result with what could not be shown of it: what is known already, by name, and what measuring leaves."""
        results = {
            name: result.model_copy(update={"caveats": (*known.get(name, ()), *result.not_shown)})
            for name, result in self.results.items()
        }
        return self.model_copy(update={"results": results})


def select(
    evaluation: Evaluation,
    variants: Sequence[BuildVariant],
    recipe: Recipe,
    target: HardwareClass,
    measured_on: str,
) -> Selection:
    """Judge every variant that did not fail and choose.

    A variant is compared with the float baseline of its own backend, or the first float one where there is none.

    Args:
        evaluation: All variants, measured together.
        variants: In order of preference.
        recipe: Gives the gate.
        target: The hardware class that is built for; its limits tighten the gate.
        measured_on: The class of this machine.
    """
    known = {variant: evaluation.results[str(variant)] for variant in variants if str(variant) in evaluation.results}
    compared = {each: evaluation.compared(str(each), baseline_of(each, _peers(each, known))) for each in known}
    return choose(compared, recipe, target, measured_on).model_copy(update={"failed": dict(evaluation.failed)})


def choose(
    results: Mapping[BuildVariant, VariantResult], recipe: Recipe, target: HardwareClass, measured_on: str
) -> Selection:
    """Judge results and take the best one inside the gate.

    One of which nothing was measured is taken only where no other is inside.

    Args:
        results: Compared with their baselines, in order of preference.
        recipe: Gives the gate.
        target: The hardware class that is built for; its limits tighten the gate.
        measured_on: The class of this machine.
    """
    gate = recipe.gate.within(
        latency_ms=target.latency.ceiling_p99_ms,
        load_seconds=target.latency.ceiling_load_seconds,
        memory_mb=target.memory.models_ceiling_bytes / 1e6,
    )
    by_name = {str(variant): result for variant, result in results.items()}
    judged: dict[str, VariantResult] = {}
    for variant, result in results.items():
        peers = _peers(variant, results)
        has_float = any(each.is_float_baseline for each in peers)
        verdict = judge(
            gate,
            baseline=by_name[baseline_of(variant, peers)] if has_float else None,
            candidate=result,
            measured_on=measured_on,
            built_for=target.name,
        )
        judged[str(variant)] = result.model_copy(update={"verdict": verdict})
    inside = [name for name, result in judged.items() if result.passed]
    if not inside:
        return Selection(results=judged, chosen=None, reason="none is inside the gate")
    chosen, reason = _best(inside, judged, measured_on, target.name)
    judged[chosen] = judged[chosen].model_copy(update={"chosen": True})
    return Selection(results=judged, chosen=chosen, reason=reason)


def _best(inside: Sequence[str], judged: Mapping[str, VariantResult], measured_on: str, target: str) -> tuple[str, str]:
    measured = [name for name in inside if not judged[name].not_measured]
    if not measured:
        return inside[0], "the first inside the gate in order of preference; nothing was measured"
    if measured_on != target:
        reason = f"the first inside the gate in order of preference; speed was not measured on {target}"
        return measured[0], reason
    fastest = max(measured, key=lambda name: judged[name].images_per_second)
    return fastest, f"the fastest of {len(measured)} inside the gate"


def _peers(variant: BuildVariant, results: Mapping[BuildVariant, VariantResult]) -> list[BuildVariant]:
    """What a variant may be compared with: what was measured, if it was itself."""
    own = results[variant]
    return [other for other, result in results.items() if own.not_measured or not result.not_measured]


def baseline_of(variant: BuildVariant, variants: Sequence[BuildVariant]) -> str:
    """The float variant that another one is compared with; itself where there is none."""
    floats = [other for other in variants if other.is_float_baseline]
    own = [other for other in floats if other.backend == variant.backend]
    return str((own or floats or [variant])[0])
