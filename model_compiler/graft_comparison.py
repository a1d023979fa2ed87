"""What the grafted graph saves end to end against the plain export of the same variant."""

from pydantic import BaseModel, ConfigDict

from model_compiler.artifact import Artifact
from model_compiler.evaluation.evaluation import speedup
from model_compiler.evaluation.variant_result import Speedup
from model_compiler.evaluation_frames import evaluation_frames
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
    grafted: Artifact, sources: Sources, recipe: Recipe, workshop: Workshop, *, frame_count: int
) -> tuple[Goal, ...]:
    """Make the variant once more without grafting, and measure both through the gateway.

    Args:
        grafted: The packaged variant.
        sources: What it was made from.
        recipe: Its evaluation frames are used; without them there is nothing to compare.
        workshop: Where and with what.
        frame_count: How many evaluation frames there are.

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
    settings = recipe.evaluation.model_copy(update={"count": min(FRAMES, frame_count)})
    frames = evaluation_frames(recipe, settings)
    builds = {GRAFTED: grafted, PLAIN: made[variant]}

    def compare() -> GraftComparison:
        evaluation = measure_builds(builds, frames, settings, workshop)
        return GraftComparison(speedup=speedup(evaluation.results[GRAFTED], evaluation.results[PLAIN]))

    found = workshop.once("grafted against plain", measuring_facts(builds, frames, settings), GraftComparison, compare)
    return () if found.speedup is None else (_goal(found.speedup, str(variant)),)


def _goal(found: Speedup, variant: str) -> Goal:
    return Goal(
        name="images/s of the grafted graph over the plain one, end to end",
        target=SPEEDUP,
        value=found.ratio,
        at_least=True,
        note=f"{variant}, rounds from {found.low:.2f} to {found.high:.2f}",
    )
