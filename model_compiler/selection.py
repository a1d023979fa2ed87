"""Measures the variants of a release and takes the fastest inside the gate."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from contracts.hardware_class import HardwareClass
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.gate import judge
from model_compiler.evaluation.variant_result import VariantResult
from model_compiler.recipe import Recipe
from model_compiler.variant import BuildVariant


class Selection(BaseModel):
    """What was measured and which variant won.

    Attributes:
        results: One for each measured variant, by name, with its verdict; empty where nothing was measured.
        chosen: Name of the winner; None where none is inside the gate.
        reason: One sentence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    results: dict[str, VariantResult]
    chosen: str | None
    reason: str

    def with_caveats(self, known: Mapping[str, Sequence[str]]) -> "Selection":
        """Each result with what could not be shown of it: what is known already, by name, and what the gate leaves."""
        results = {
            name: result.model_copy(update={"caveats": (*known.get(name, ()), *result.not_proven)})
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
    """Judge every measured variant and choose.

    A variant is compared with the float baseline of its own backend, or the first float one where there is none.

    Args:
        evaluation: All variants, measured together.
        variants: In order of preference.
        recipe: Gives the gate.
        target: The hardware class that is built for; its limits tighten the gate.
        measured_on: The class of this machine.
    """
    gate = recipe.gate.within(
        latency_ms=target.latency.ceiling_p99_ms,
        load_seconds=target.latency.ceiling_load_seconds,
        memory_mb=target.memory.models_ceiling_bytes / 1e6,
    )
    has_float = any(variant.is_float_baseline for variant in variants)
    judged: dict[str, VariantResult] = {}
    for variant in variants:
        name, baseline = str(variant), baseline_of(variant, variants)
        result = evaluation.compared(name, baseline)
        verdict = judge(
            gate,
            baseline=evaluation.results[baseline] if has_float else None,
            candidate=result,
            measured_on=measured_on,
            built_for=target.name,
        )
        judged[name] = result.model_copy(update={"verdict": verdict})
    inside = [str(variant) for variant in variants if judged[str(variant)].passed]
    if not inside:
        return Selection(results=judged, chosen=None, reason="none is inside the gate")
    chosen, reason = _best(inside, judged, measured_on, target.name)
    judged[chosen] = judged[chosen].model_copy(update={"chosen": True})
    return Selection(results=judged, chosen=chosen, reason=reason)


def _best(inside: Sequence[str], judged: Mapping[str, VariantResult], measured_on: str, target: str) -> tuple[str, str]:
    if measured_on != target:
        return inside[0], f"the first inside the gate in order of preference; speed was not measured on {target}"
    fastest = max(inside, key=lambda name: judged[name].images_per_second)
    return fastest, f"the fastest of {len(inside)} inside the gate"


def baseline_of(variant: BuildVariant, variants: Sequence[BuildVariant]) -> str:
    """The float variant that another one is compared with; itself where there is none."""
    floats = [other for other in variants if other.is_float_baseline]
    own = [other for other in floats if other.backend == variant.backend]
    return str((own or floats or [variant])[0])
