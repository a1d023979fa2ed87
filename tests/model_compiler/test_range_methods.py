"""INT8 by each method of choosing ranges: what was measured once is not measured again."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml

from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.predictions import Classifications
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.pipeline import Workshop, source_artifacts
from model_compiler.range_methods import FLOAT, compare_range_methods
from model_compiler.recipe_file import read_recipe
from model_compiler.reporting.build_report import RangeMethodResult
from model_compiler.stage_cache import StageCache
from tests.model_compiler.evaluation.variant_results import variant
from tests.model_compiler.noise_frames import write_frame
from tests.model_compiler.quantization.small_networks import classifier


class FakeEvaluator:
    """Every build gives every frame the first label; keeps what was measured."""

    def __init__(self) -> None:
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
        del hardware_class, report
        names = [candidate.name for candidate in candidates]
        self.measured.append(names)
        answers = Classifications(np.eye(5)[[0] * len(frames)])
        return Evaluation(
            {name: variant(name, metrics=()) for name in names},
            dict.fromkeys(names, answers),
            frames,
            settings.resamples,
            settings.seed,
        )


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "model.onnx").write_bytes(classifier())
    for seed in range(8):
        write_frame(tmp_path / "frames" / f"{seed}.png", seed)
        write_frame(tmp_path / "heldout" / f"{seed}.png", seed + 8)
    sensitivity = {"max_float_nodes": 0}
    content = {
        "model": "parts",
        "version": "1.0.0",
        "task": "classification",
        "onnx": "model.onnx",
        "labels": ["a", "b", "c", "d", "e"],
        "calibration": {"frames": "frames", "count": 8, "allow_few_frames": True, "sensitivity": sensitivity},
        "evaluation": {"frames": "heldout", "resamples": 20},
        "targets": {"x86-cpu": {}},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "recipe.yaml"


def compare(recipe: Path, evaluator: FakeEvaluator) -> tuple[RangeMethodResult, ...]:
    workshop = Workshop(StageCache(recipe.parent / "cache"), evaluate=evaluator)
    read = read_recipe(recipe)
    source = source_artifacts(read, "x86-cpu", [FLOAT], workshop)[False]
    return compare_range_methods(source, read, workshop)


def test_a_second_run_measures_nothing_and_gives_the_same(recipe: Path) -> None:
    first, second, third = FakeEvaluator(), FakeEvaluator(), FakeEvaluator()
    found = compare(recipe, first)
    assert first.measured == [["f32-openvino", "min-max", "entropy", "percentile"]]
    assert [(each.method, each.metric.name) for each in found] == [
        ("min-max", "agreement_top1"),
        ("entropy", "agreement_top1"),
        ("percentile", "agreement_top1"),
    ]
    assert [each.sqnr_db for each in found] == [None] * 3
    assert compare(recipe, second) == found
    assert second.measured == []
    write_frame(recipe.parent / "heldout" / "2.png", 20)
    compare(recipe, third)
    assert len(third.measured) == 1


def test_each_method_says_how_near_its_outputs_are_where_that_was_measured(recipe: Path) -> None:
    content = yaml.safe_load(recipe.read_text())
    content["calibration"]["sensitivity"] = {"max_float_nodes": 1, "target_sqnr_db": 0}
    recipe.write_text(yaml.safe_dump(content))
    found = {each.method: each.sqnr_db for each in compare(recipe, FakeEvaluator())}
    assert all(value is not None and 5 < value < 120 for value in found.values())
    assert len(set(found.values())) > 1
