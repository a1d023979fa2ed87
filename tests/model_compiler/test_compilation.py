"""The report of a compilation: what the recipe asks to be compared, and what could not be."""

from collections.abc import Callable, Sequence
from pathlib import Path

from model_compiler.compilation import Compilation
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.errors import GatewayFailed
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.evaluation_frames import evaluation_frames
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.pipeline import Workshop, make_variants, source_artifacts
from model_compiler.range_methods import FLOAT
from model_compiler.recipe_file import read_recipe
from model_compiler.selection import Selection
from model_compiler.stage_cache import StageCache
from tests.model_compiler.evaluation.variant_results import variant
from tests.model_compiler.test_range_methods import recipe

__all__ = ["recipe"]


def broken(
    candidates: Sequence[Candidate],
    frames: LabelledFrames,
    settings: EvaluationSettings,
    *,
    hardware_class: str,
    report: Callable[[str], None],
) -> Evaluation:
    """A gateway that does not start."""
    del candidates, frames, settings, hardware_class, report
    raise GatewayFailed("the port is taken", "")


def test_a_comparison_that_fails_is_a_note_and_costs_nobody_the_report(recipe: Path) -> None:
    workshop = Workshop(StageCache(recipe.parent / "cache"), evaluate=broken)
    asked = {"compare_plain_graph": True, "compare_range_methods": True}
    read = read_recipe(recipe).model_copy(update=asked)
    sources = source_artifacts(read, "x86-cpu", [FLOAT], workshop)
    made, _ = make_variants(sources, [FLOAT], read, workshop)
    assert read.evaluation is not None
    selection = Selection(results={str(FLOAT): variant(str(FLOAT))}, chosen=str(FLOAT), reason="the only one")
    frames = evaluation_frames(read, read.evaluation)
    report = Compilation(read, find_hardware_class("x86-cpu"), sources, made, {}, selection, frames).report(workshop)
    assert report is not None
    assert not report.goals
    assert not report.range_methods
    assert [note.partition(":")[0] for note in report.notes[-2:]] == [
        "ranges could not be compared",
        "the plain graph could not be compared",
    ]
