"""What INT8 costs when the ranges of activations are chosen in different ways, measured in one run."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import BaseModel, ConfigDict

from contracts.quantization import RangeMethod
from model_compiler.artifact import Artifact
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation_frames import evaluation_frames
from model_compiler.measured_builds import measure_builds, measuring_facts
from model_compiler.pipeline import RANGES, Workshop, make_variants
from model_compiler.recipe import Recipe
from model_compiler.reporting.build_report import RangeMethodResult
from model_compiler.variant import BuildVariant

FLOAT = BuildVariant(variant="f32", backend="openvino")
INT8 = BuildVariant(variant="int8", backend="openvino")


class RangeComparison(BaseModel):
    """One result for each method that INT8 could be made with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    results: tuple[RangeMethodResult, ...]


def compare_range_methods(source: Artifact, recipe: Recipe, workshop: Workshop) -> tuple[RangeMethodResult, ...]:
    """Make the INT8 variant once for each method, and measure all of them beside the float one.

    Args:
        source: What the variants begin with.
        recipe: Its calibration frames and evaluation frames are used; without either there is nothing to compare.
        workshop: Where and with what.

    Raises:
        CompileError: A stage cannot go on.
    """
    if recipe.calibration is None or recipe.evaluation is None:
        return ()
    plain = dataclasses.replace(source, ranges=b"")
    floats, _ = make_variants({False: plain}, [FLOAT], recipe, workshop)
    if not floats:
        return ()
    builds = {str(FLOAT): made for made in floats.values()}
    for method in get_args(RangeMethod):
        calibration = recipe.calibration.model_copy(update={"method": method})
        named = recipe.model_copy(update={"model": f"{recipe.model}-{method}", "calibration": calibration})
        made, _ = make_variants({False: workshop.run(RANGES, plain, named)}, [INT8], named, workshop)
        if INT8 in made:
            builds[method] = made[INT8]
    if len(builds) == 1:
        return ()
    frames = evaluation_frames(recipe, recipe.evaluation)
    settings = recipe.evaluation.model_copy(update={"rounds": 1})

    def compare() -> RangeComparison:
        evaluation = measure_builds(builds, frames, settings, workshop).require_all()
        return RangeComparison(results=tuple(_results(evaluation, builds)))

    facts = measuring_facts(builds, frames, settings, workshop)
    return workshop.once("range methods", facts, RangeComparison, compare).results


def _results(evaluation: Evaluation, builds: Mapping[str, Artifact]) -> Iterator[RangeMethodResult]:
    for method in get_args(RangeMethod):
        result = evaluation.compared(method, str(FLOAT)) if method in builds else None
        metric = None if result is None else result.accuracy or result.agreement
        if result is not None and metric is not None:
            facts = builds[method].facts.quantization
            yield RangeMethodResult(
                method=method,
                metric=metric,
                difference=result.difference,
                sqnr_db=None if facts is None else facts.sqnr_db,
                note=str(INT8),
            )
