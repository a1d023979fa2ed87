"""From recipe to build with a gate: what was measured, what could not be, and what is refused."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from model_compiler.errors import InvalidRecipe, NoVariantLeft
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.predictions import Classifications
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.recipe_file import read_recipe
from tests.model_compiler.evaluation.variant_results import performance, variant
from tests.model_compiler.test_release import FLOAT, PRUNED, Bench, FakeTrainer, bench

__all__ = ["bench"]

BOTH = [*FLOAT, {"variant": "f32", "backend": "onnxruntime"}]


class FakeEvaluator:
    """Every build that does not fail gives every frame the first label.

    Args:
        failing: Builds that fail, with the reason.
    """

    def __init__(self, failing: Mapping[str, str] | None = None) -> None:
        self.failing = failing or {}
        self.measured: list[list[str]] = []

    def __call__(
        self,
        candidates: Sequence[Candidate],
        frames: LabelledFrames,
        settings: EvaluationSettings,
        *,
        hardware_class: str,
        report: Callable[[str], None],
    ) -> Evaluation:
        del report
        names = [candidate.name for candidate in candidates]
        self.measured.append(names)
        left = [name for name in names if name not in self.failing]
        numbers = performance(hardware_class=hardware_class)
        return Evaluation(
            {name: variant(name, metrics=(), performance=numbers) for name in left},
            dict.fromkeys(left, Classifications(np.eye(5)[[0] * len(frames)])),
            frames,
            settings.resamples,
            settings.seed,
            {name: self.failing[name] for name in names if name in self.failing},
        )


@pytest.fixture
def measured(bench: Bench) -> Bench:
    """With two frames to measure on."""
    (bench.folder / "heldout").mkdir()
    for seed in range(2):
        pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        assert cv2.imwrite(str(bench.folder / "heldout" / f"{seed}.png"), pixels)
    return bench


def recipe_of(bench: Bench, variants: Sequence[dict[str, Any]] = BOTH, **changes: Any) -> Path:
    return bench.recipe(variants, evaluation={"frames": "heldout", "resamples": 20}, **changes)


@pytest.mark.parametrize(
    "gate",
    [
        {"max_accuracy_drop_points": 0.01},
        {"min_agreement": 0.99},
        {"min_frames": 3},
        {"min_speedup": 1.0},
        {"max_latency_ms": 0.001},
        {"max_load_seconds": 0.001},
        {"max_memory_mb": 0.001},
    ],
)
def test_a_stated_limit_that_nothing_is_measured_for_is_refused(bench: Bench, gate: dict[str, float]) -> None:
    with pytest.raises(
        InvalidRecipe, match=rf"nothing can be said of {next(iter(gate))}; add `evaluation: .*leave out"
    ):
        read_recipe(bench.recipe(gate=gate))


@pytest.mark.parametrize("gate", [{}, {"min_speedup": 0}, {"max_size_mb": 1, "max_size_ratio": 1}])
def test_limits_of_size_and_no_limits_need_no_frames(bench: Bench, gate: dict[str, float]) -> None:
    assert bench.build(bench.recipe(gate=gate)).chosen == "f32-openvino"


def test_the_size_is_judged_without_frames_too(bench: Bench) -> None:
    with pytest.raises(NoVariantLeft, match=r"f32-openvino: max_size_mb: size .* at most 0\.0001 is allowed"):
        bench.build(bench.recipe(gate={"max_size_mb": 0.0001}))
    assert not (bench.folder / "repository").exists()


def test_a_ratio_of_size_needs_a_float_variant(bench: Bench) -> None:
    half = {"variant": "f16", "backend": "onnxruntime"}
    with pytest.raises(NoVariantLeft, match="max_size_ratio: there is no FP32 variant to compare with; add f32"):
        bench.build(bench.recipe([half], gate={"max_size_ratio": 1.0}))


def test_one_variant_that_fails_does_not_stop_the_others(measured: Bench) -> None:
    evaluator = FakeEvaluator({"f32-openvino": "it does not load: no memory"})
    recipe = recipe_of(measured)
    release = measured.build(recipe, evaluate=evaluator)
    assert release.chosen == "f32-onnxruntime"
    assert release.report is not None
    assert release.report.refused == {"f32-openvino": "it does not load: no memory"}
    assert [result.name for result in release.report.variants] == ["f32-onnxruntime"]
    assert release.report.baseline == "f32-onnxruntime"
    measured.build(recipe, "again", evaluate=evaluator)
    assert len(evaluator.measured) == 2, "what failed may not fail again"


def test_when_all_fail_each_reason_is_said(measured: Bench) -> None:
    failing = {"f32-openvino": "it does not load", "f32-onnxruntime": "frame 0.png: HTTP 500"}
    with pytest.raises(NoVariantLeft, match=r"f32-openvino: it does not load; f32-onnxruntime: frame 0\.png: HTTP 500"):
        measured.build(recipe_of(measured), evaluate=FakeEvaluator(failing))


def test_without_its_float_baseline_a_pruned_variant_cannot_be_judged(measured: Bench) -> None:
    (measured.folder / "start.bin").write_bytes(b"net ")
    source = {"network": "small", "weights": "start.bin", "prune": {"parameter_reduction": 0.4}}
    recipe = recipe_of(measured, [*FLOAT, *PRUNED], onnx=None, trainer=source)
    evaluator = FakeEvaluator({"f32-openvino": "it does not load"})
    with pytest.raises(NoVariantLeft, match=r"f32-openvino-pruned: .*no FP32 variant was measured"):
        measured.build(recipe, evaluate=evaluator, trainer=lambda _: FakeTrainer())


def test_what_is_measured_here_is_of_the_declared_class(measured: Bench) -> None:
    content = recipe_of(measured, gate={"max_latency_ms": 1.0}).read_text().replace("x86-cpu", "medical-cart-cpu")
    recipe = measured.folder / "recipe.yaml"
    recipe.write_text(content)
    release = measured.build(recipe, hardware_class="medical-cart-cpu", evaluate=FakeEvaluator())
    assert release.report is not None
    assert release.report.measured_on != "medical-cart-cpu"
    assert [each.status for each in measured.card(release).performance] == ["not_measured"]
    ports: dict[str, Any] = {"evaluate": FakeEvaluator(), "declared": "medical-cart-cpu"}
    with pytest.raises(NoVariantLeft, match="max_latency_ms: latency p99 14 ms, at most 1 is allowed"):
        measured.build(recipe, "declared", hardware_class="medical-cart-cpu", **ports)
    recipe.write_text(content.replace("max_latency_ms: 1.0", "max_latency_ms: 20.0"))
    release = measured.build(recipe, "declared", hardware_class="medical-cart-cpu", **ports)
    (found,) = measured.card(release).performance
    assert (found.hardware_class, found.status, found.latency_p99_ms) == ("medical-cart-cpu", "measured", 14.0)
    assert release.report is not None
    assert release.report.measured_on == "medical-cart-cpu"
