"""`outpost-compile add` and `build` on a model of any user, with a folder of frames with and without labels."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml

from contracts.model_card import ModelCard
from model_compiler.packaging.build_directory import verify_build
from model_compiler.reporting.build_report import BuildReport
from tests.system import colour_models

pytestmark = pytest.mark.long

COMMAND = str(Path(sys.executable).parent / "outpost-compile")
VARIANTS = [
    {"variant": "int8", "backend": "onnxruntime"},
    {"variant": "f32", "backend": "onnxruntime"},
]


def run(folder: Path, *arguments: str) -> str:
    folders = ("--output", "repository", "--cache", "cache")
    done = subprocess.run([COMMAND, *arguments, *folders], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def added_then_built(folder: Path, model: onnx.ModelProto, **evaluation: Any) -> tuple[ModelCard, BuildReport]:
    """What a user does: `add`, then frames and the next version in the recipe that it wrote, then `build`."""
    onnx.save_model(model, folder / "colours.onnx")
    (folder / "labels.txt").write_text("\n".join(colour_models.LABELS))
    run(folder, "add", "colours.onnx", "--name", "colours", "--labels", "labels.txt", "--for", "x86-cpu", "--yes")
    recipe = yaml.safe_load((folder / "colours.yaml").read_text()) | {
        "version": "1.1.0",
        "calibration": {"frames": "frames", "count": 12, "allow_few_frames": True},
        "evaluation": {"frames": "frames", "rounds": 1, "seconds_per_round": 0.2, "resamples": 20} | evaluation,
        # twelve frames show nothing about accuracy, and one short round nothing about speed
        "gate": {"min_frames": 1, "max_accuracy_drop_points": 100, "min_speedup": 0.01},
        "targets": {"x86-cpu": {"variants": VARIANTS}},
    }
    (folder / "colours.yaml").write_text(yaml.safe_dump(recipe))
    run(folder, "build", "colours.yaml", "--for", "x86-cpu", "--reports", "reports")
    name = "colours-1.1.0_x86-cpu"
    verify_build(folder / "repository" / name)
    card = ModelCard.model_validate_json((folder / "repository" / name / "card.json").read_bytes())
    return card, BuildReport.read(folder / "reports" / f"{name}.json")


def test_without_labels_agreement_with_the_float_model_is_reported(tmp_path: Path) -> None:
    colour_models.write_frames(tmp_path / "frames")
    card, report = added_then_built(tmp_path, colour_models.detector())
    assert not report.labelled
    results = {result.name: result for result in report.variants}
    assert [result.metrics for result in results.values()] == [(), ()]
    agreement = results["int8-onnxruntime"].agreement
    assert agreement is not None
    assert agreement.value > 0.9
    assert agreement.n == 12
    assert results["f32-onnxruntime"].agreement is None
    assert "mAP50" not in {metric.name for metric in card.metrics}


def test_with_coco_labels_precision_is_reported(tmp_path: Path) -> None:
    colour_models.write_coco_frames(tmp_path / "frames")
    card, report = added_then_built(tmp_path, colour_models.detector())
    assert report.labelled
    assert {result.name for result in report.variants} == {"int8-onnxruntime", "f32-onnxruntime"}
    for result in report.variants:
        assert [metric.name for metric in result.metrics] == ["mAP50", "mAP50_95"]
        assert result.metrics[0].value > 0.9
    assert (card.metrics[0].name, card.metrics[0].n) == ("mAP50", 12)


def test_with_a_folder_for_each_label_top_1_is_reported(tmp_path: Path) -> None:
    colour_models.write_labelled_folders(tmp_path / "frames")
    card, report = added_then_built(tmp_path, colour_models.classifier())
    assert (report.task, report.labelled) == ("classification", True)
    for result in report.variants:
        assert result.metrics[0].name == "top1"
        assert result.metrics[0].value == pytest.approx(1.0)
    assert (card.metrics[0].name, card.metrics[0].n) == ("top1", 12)
