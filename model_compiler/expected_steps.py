"""How much there is to do, for a progress bar."""

from collections.abc import Collection
from typing import get_args

from contracts.quantization import RangeMethod
from model_compiler.pipeline import VARIANT_STAGES
from model_compiler.recipe import Recipe
from model_compiler.variant import BuildVariant


def expected_steps(recipe: Recipe, variants: Collection[BuildVariant]) -> int:
    """About how often a build reports what it does; what is known from before takes fewer steps."""
    sources = {variant.pruned for variant in variants}
    quantized = {variant.pruned for variant in variants if variant.variant == "int8"}
    steps = len(sources) + len(quantized) + len(variants) * len(VARIANT_STAGES)
    if recipe.trainer is not None:
        steps += len(sources) * (1 + (recipe.trainer.distill is not None)) + (True in sources)
    if recipe.evaluation is None:
        return steps
    rounds, methods = recipe.evaluation.rounds, len(get_args(RangeMethod))
    steps += _measuring(len(variants), rounds) + 1
    if recipe.compare_plain_graph:
        steps += len(VARIANT_STAGES) + _measuring(2, rounds)
    if recipe.compare_range_methods:
        steps += methods + (1 + methods) * len(VARIANT_STAGES) + _measuring(1 + methods, 1)
    return steps


def _measuring(builds: int, rounds: int) -> int:
    """Loading, the answers of each, each in each round, accuracy."""
    return 2 + builds * (1 + rounds)
