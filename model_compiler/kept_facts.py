"""What a build keeps of the card of the build that it was made from, and what it may not claim."""

from collections.abc import Iterator

from contracts.build_performance import BuildPerformance
from contracts.quantization import Variant
from model_compiler.artifact import Artifact
from model_compiler.engines.tolerance import TOLERANCES
from model_compiler.packaged_source import PackagedSource
from model_compiler.stages.engine import NO_PLAN
from model_compiler.variant import BuildVariant

_SAME_SCORES = 0.03
"""Mean difference of scores up to which a calibration holds, about what it is off by itself: floats, not integers."""
_NOT_MEASURED = "nothing was measured with this build; it was made from"
_STORED: dict[Variant, str] = {"f32": "f32", "bf16": "f32", "f16": "f16"}


def with_kept_facts(artifact: Artifact, source: PackagedSource, variant: BuildVariant) -> Artifact:
    """Add what holds for the weights wherever they run; what was measured elsewhere is said to be.

    - Speed, load time, memory: only of the same graph in the same runtime for the same class.
    - Accuracy: of the same float numbers.
    - Calibrated confidence and drift reference: where scores differ by no more than floats do.

    Args:
        artifact: Verified, not packaged.
        source: What it was made from.
        variant: How the build is run.
    """
    card, target = source.card, artifact.facts.hardware_class
    unchanged = artifact.model == source.model and variant == source.variant
    numbers = unchanged or _same_numbers(source.variant, variant)
    scores = unchanged or _same_scores(variant)
    measured = [entry for entry in card.performance if unchanged and entry.hardware_class == target]
    again = not unchanged or card.hardware_class != target
    caveats = [*_inherited(card.caveats, again=again), *artifact.facts.caveats]
    if again:
        caveats += _provenance(source, variant, numbers=numbers, scores=scores)
    if not unchanged and _STORED.get(source.variant.variant) != "f32":
        caveats.append(f"compared with the {source.variant.variant} graph of {card.build}, not with FP32")
    return artifact.knowing(
        metrics=card.metrics if numbers else (),
        confidence=card.confidence if scores else None,
        drift_reference=card.drift_reference if scores else None,
        performance=measured
        or [BuildPerformance(hardware_class=target, status="not_measured", runtime=variant.backend)],
        caveats=tuple(dict.fromkeys(caveats)),
    )


def _same_numbers(source: BuildVariant, variant: BuildVariant) -> bool:
    stored = _STORED.get(variant.variant)
    return stored is not None and stored == _STORED.get(source.variant)


def _same_scores(variant: BuildVariant) -> bool:
    return TOLERANCES[variant.variant].mean_score_difference <= _SAME_SCORES


def _inherited(caveats: tuple[str, ...], *, again: bool) -> Iterator[str]:
    """All but those that this build says of itself: whether a plan was built, and what it was made from."""
    own = (NO_PLAN, _NOT_MEASURED) if again else (NO_PLAN,)
    return (caveat for caveat in caveats if not caveat.startswith(own))


def _provenance(source: PackagedSource, variant: BuildVariant, *, numbers: bool, scores: bool) -> Iterator[str]:
    """What is of the source and what was left out, as far as its card has it."""
    card, build = source.card, f"{source.card.build} ({source.variant})"
    claims = {
        "accuracy": (bool(card.metrics), numbers),
        "calibrated confidence": (card.confidence is not None, scores),
        "drift reference": (card.drift_reference is not None, scores),
    }
    kept = [name for name, (known, holds) in claims.items() if known and holds]
    lost = [name for name, (known, holds) in claims.items() if known and not holds]
    yield f"{_NOT_MEASURED} {build}"
    if kept:
        yield f"from the card of {build}: {', '.join(kept)}"
    if lost:
        yield f"not from the card of {build}, because {variant} computes with other numbers: {', '.join(lost)}"
