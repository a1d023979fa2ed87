"""The chosen variant with and without grafting, side by side."""

import dataclasses
from pathlib import Path

import pytest

from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation_frames import evaluation_frames
from model_compiler.graft_comparison import compare_with_plain
from model_compiler.pipeline import Workshop, make_variants, source_artifacts
from model_compiler.range_methods import FLOAT
from model_compiler.recipe import Recipe
from model_compiler.recipe_file import read_recipe
from model_compiler.stage_cache import StageCache
from tests.model_compiler.evaluation.variant_results import variant
from tests.model_compiler.test_range_methods import FakeEvaluator, recipe

__all__ = ["recipe"]


class TimingEvaluator(FakeEvaluator):
    """The grafted form is twice as fast."""

    def __call__(self, *arguments: object, **named: object) -> Evaluation:
        """See `Evaluator`."""
        found = super().__call__(*arguments, **named)  # type: ignore[arg-type]
        rates = {"grafted": (200.0, 220.0), "plain": (100.0, 110.0)}
        return dataclasses.replace(
            found, results={name: variant(name, images_per_second_rounds=rates[name]) for name in found.results}
        )


def frames_of(read: Recipe) -> LabelledFrames:
    assert read.evaluation is not None
    return evaluation_frames(read, read.evaluation)


def test_the_plain_form_is_made_and_both_are_measured_once(recipe: Path) -> None:
    evaluator = TimingEvaluator()
    workshop = Workshop(StageCache(recipe.parent / "cache"), evaluate=evaluator)
    read = read_recipe(recipe)
    sources = source_artifacts(read, "x86-cpu", [FLOAT], workshop)
    grafted = make_variants(sources, [FLOAT], read, workshop)[0][FLOAT]
    (goal,) = compare_with_plain(grafted, sources, frames_of(read), read, workshop)
    assert evaluator.measured == [["grafted", "plain"]]
    assert goal.value == pytest.approx(2.0)
    assert goal.missed_by is not None
    assert goal.missed_by < 0
    assert compare_with_plain(grafted, sources, frames_of(read), read, workshop) == (goal,)
    assert len(evaluator.measured) == 1


def test_an_ungrafted_recipe_has_nothing_to_compare(recipe: Path) -> None:
    evaluator = TimingEvaluator()
    workshop = Workshop(StageCache(recipe.parent / "cache"), evaluate=evaluator)
    read = read_recipe(recipe).model_copy(update={"grafted": False})
    sources = source_artifacts(read, "x86-cpu", [FLOAT], workshop)
    made = make_variants(sources, [FLOAT], read, workshop)[0][FLOAT]
    assert compare_with_plain(made, sources, frames_of(read), read, workshop) == ()
    assert evaluator.measured == []
