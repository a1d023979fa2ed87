"""Builds that the gateway's Triton cannot run are left out of measuring, and say so."""

import dataclasses
from pathlib import Path

import pytest

from model_compiler.artifact import Artifact
from model_compiler.evaluation.candidate import NO_TENSORRT
from model_compiler.evaluation.errors import NotMeasured
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.gate import GateSettings
from model_compiler.evaluation_frames import evaluation_frames
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.measured_builds import measure_builds
from model_compiler.pipeline import Workshop
from model_compiler.recipe import Recipe, Target
from model_compiler.recipe_file import read_recipe
from model_compiler.selection import Selection, select
from model_compiler.stage_cache import StageCache
from model_compiler.stages import calibrate
from model_compiler.variant import BuildVariant
from tests.model_compiler.packaged import packaged
from tests.model_compiler.test_gated_release import FakeEvaluator, bench, measured, recipe_of
from tests.model_compiler.test_release import Bench

__all__ = ["bench", "measured"]

CPU = BuildVariant(variant="f32", backend="onnxruntime")
INT8 = BuildVariant(variant="int8", backend="tensorrt")
FLOAT = BuildVariant(variant="f32", backend="tensorrt")
GPU_CLASS = "x86-nvidia-gpu"


@pytest.fixture
def recipe(measured: Bench) -> Recipe:
    targets = {GPU_CLASS: {"variants": [{"variant": "f32", "backend": "tensorrt"}]}}
    return read_recipe(recipe_of(measured, targets=targets))


def builds_of(recipe: Recipe, *variants: BuildVariant) -> dict[str, Artifact]:
    made = {}
    for variant in variants:
        target = {GPU_CLASS: Target(variants=(variant,))}
        artifact = packaged(recipe.model_copy(update={"targets": target}), GPU_CLASS)
        if variant.variant == "int8":
            artifact = dataclasses.replace(artifact, build={**artifact.build, "1/model.onnx": b"small"})
        made[str(variant)] = artifact
    return made


def measure(recipe: Recipe, evaluator: FakeEvaluator, *variants: BuildVariant) -> Evaluation:
    assert recipe.evaluation is not None
    workshop = Workshop(StageCache(Path("unused")), evaluate=evaluator, declared=GPU_CLASS)
    frames = evaluation_frames(recipe, recipe.evaluation)
    return measure_builds(builds_of(recipe, *variants), frames, recipe.evaluation, workshop)


def selected(recipe: Recipe, evaluation: Evaluation, *variants: BuildVariant) -> Selection:
    return select(evaluation, variants, recipe, find_hardware_class(GPU_CLASS), GPU_CLASS).with_caveats({})


def test_tensorrt_alone_is_judged_by_its_size_and_stays_unmeasured(recipe: Recipe) -> None:
    evaluator = FakeEvaluator()
    strict = recipe.model_copy(update={"gate": GateSettings(max_accuracy_drop_points=1.0, max_size_ratio=0.5)})
    found = selected(strict, measure(strict, evaluator, INT8, FLOAT), INT8, FLOAT)
    assert evaluator.measured == []
    assert (found.chosen, found.failed) == ("int8-tensorrt", {})
    assert found.reason == "the first inside the gate in order of preference; nothing was measured"
    result = found.results["int8-tensorrt"]
    assert result.performance_on(GPU_CLASS).status == "not_measured"
    assert result.caveats == (f"nothing was measured: {NO_TENSORRT}",)
    assert result.verdict is not None
    assert set(result.verdict.not_measured) >= {"max_accuracy_drop_points", "min_speedup", "max_latency_ms"}
    assert [check.status for check in result.verdict.checks if check.name == "max_size_ratio"] == ["pass"]


def test_tensorrt_that_is_too_large_is_refused(recipe: Recipe) -> None:
    small = recipe.model_copy(update={"gate": GateSettings(max_size_mb=1e-4)})
    found = selected(small, measure(small, FakeEvaluator(), FLOAT), FLOAT)
    assert found.chosen is None
    assert found.results["f32-tensorrt"].failures[0].startswith("max_size_mb: ")


def test_what_was_measured_goes_before_what_was_not(recipe: Recipe) -> None:
    evaluator = FakeEvaluator()
    found = selected(recipe, measure(recipe, evaluator, INT8, FLOAT, CPU), INT8, FLOAT, CPU)
    assert evaluator.measured == [["f32-onnxruntime"]]
    assert (found.chosen, found.reason) == ("f32-onnxruntime", "the fastest of 1 inside the gate")
    assert list(found.results) == ["int8-tensorrt", "f32-tensorrt", "f32-onnxruntime"]


def test_a_comparison_of_builds_needs_all_of_them(recipe: Recipe) -> None:
    with pytest.raises(NotMeasured, match="f32-tensorrt: the gateway's embedded Triton does not run TensorRT"):
        measure(recipe, FakeEvaluator(), FLOAT, CPU).require_all()
    with pytest.raises(NotMeasured, match="f32-onnxruntime: no memory"):
        measure(recipe, FakeEvaluator({"f32-onnxruntime": "no memory"}), CPU).require_all()
    assert measure(recipe, FakeEvaluator(), CPU).require_all()


def test_the_card_says_that_tensorrt_was_not_calibrated(recipe: Recipe) -> None:
    artifact = builds_of(recipe, FLOAT)["f32-tensorrt"]
    found = calibrate.run(artifact, recipe).facts
    assert found.caveats == (f"no calibrated confidence and no drift reference: {NO_TENSORRT}",)
    assert found.confidence is None
