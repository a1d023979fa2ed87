"""What the grafted graph saves end to end against the plain export of the same variant."""

from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from model_compiler.artifact import Artifact
from model_compiler.evaluation.evaluation import speedup
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.variant_result import Speedup
from model_compiler.measured_builds import measure_builds, measuring_facts
from model_compiler.pipeline import Sources, Workshop, make_variants
from model_compiler.recipe import Recipe
from model_compiler.reporting.goal import Goal

SPEEDUP = 1.15
FRAMES = 64
"""Speed does not depend on more of them."""
GRAFTED, PLAIN = "grafted", "plain"


class GraftComparison(BaseModel):
    """Images per second of the grafted form over those of the plain one; None where they could not be measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speedup: Speedup | None


def compare_with_plain(
    grafted: Artifact, sources: Sources, frames: LabelledFrames, recipe: Recipe, workshop: Workshop
) -> tuple[Goal, ...]:
    """Make the variant once more without grafting, and measure both through the gateway.

    Args:
        grafted: The packaged variant.
        sources: What it was made from.
        frames: Pictures to ask about.
        recipe: Says how both are made and measured.
        workshop: Where and with what.

    Raises:
        CompileError: The plain form cannot be made or measured.
    """
    variant = grafted.facts.variant
    if recipe.evaluation is None or variant is None or not recipe.grafted:
        return ()
    named = recipe.model_copy(update={"grafted": False, "model": f"{recipe.model}-plain"})
    made, refused = make_variants(sources, [variant], named, workshop)
    if refused:
        raise refused[variant]
    settings = recipe.evaluation
    few = replace(frames, frames=frames.frames[:FRAMES], labelled=False)
    builds = {GRAFTED: grafted, PLAIN: made[variant]}

    def compare() -> GraftComparison:
        evaluation = measure_builds(builds, few, settings, workshop).require_all()
        return GraftComparison(speedup=speedup(evaluation.results[GRAFTED], evaluation.results[PLAIN]))

    facts = measuring_facts(builds, few, settings, workshop)
    found = workshop.once("grafted against plain", facts, GraftComparison, compare)
    return () if found.speedup is None else (_goal(found.speedup, str(variant)),)


def _goal(found: Speedup, variant: str) -> Goal:
    return Goal(
        name="images/s of the grafted graph over the plain one, end to end",
        target=SPEEDUP,
        value=found.ratio,
        at_least=True,
        note=f"{variant}, rounds from {found.low:.2f} to {found.high:.2f}",
    )
