"""From recipe to build without a gateway: which variants are made, refused, kept and found again."""

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import yaml

from contracts.model_card import ModelCard
from contracts.training_job import TrainingJob, TrainingResult
from model_compiler.__main__ import main
from model_compiler.errors import (
    CalibrationMissing,
    CompileError,
    InvalidRecipe,
    NotPruned,
    NoVariantLeft,
    TrainerFailed,
)
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.packaging.build_directory import verify_build
from model_compiler.pipeline import Workshop, make_variants, source_artifacts
from model_compiler.recipe_file import read_recipe
from model_compiler.release import Release, build, variants_of
from model_compiler.stage_cache import StageCache
from model_compiler.trainer import TrainerCommand
from model_compiler.variant import BuildVariant
from tests.model_compiler import tiny_detectors

FLOAT = [{"variant": "f32", "backend": "openvino"}]
NOON = dt.datetime(2026, 4, 16, 12, 0, 0, 250_000, dt.timezone(dt.timedelta(hours=2)))
PRUNED = [{"variant": "f32", "backend": "openvino", "pruned": True}]


@dataclasses.dataclass
class Bench:
    """A folder to compile in, with everything that was reported."""

    folder: Path
    said: list[str] = dataclasses.field(default_factory=list)

    def recipe(self, variants: Sequence[dict[str, Any]] = FLOAT, **changes: Any) -> Path:
        onnx.save_model(tiny_detectors.build(tiny_detectors.LARGE), self.folder / "model.onnx")
        content: dict[str, Any] = {
            "model": "parts",
            "version": "1.0.0",
            "onnx": "model.onnx",
            "labels": ["a", "b", "c", "d", "e"],
            "targets": {"x86-cpu": {"variants": list(variants)}},
        }
        path = self.folder / "recipe.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in (content | changes).items() if value is not None}))
        return path

    def build(
        self, recipe: Path, output: str = "repository", *, hardware_class: str = "x86-cpu", **ports: Any
    ) -> Release:
        self.said.clear()
        workshop = Workshop(StageCache(self.folder / "cache"), self.said.append, **({"now": lambda: NOON} | ports))
        return build(read_recipe(recipe), hardware_class, self.folder / output, workshop)

    def card(self, release: Release) -> ModelCard:
        return ModelCard.model_validate_json((release.directory / "card.json").read_bytes())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_without_frames_the_first_variant_is_packaged_and_nothing_is_claimed(bench: Bench) -> None:
    release = bench.build(bench.recipe([{"variant": "f32", "backend": "onnxruntime"}, *FLOAT]))
    assert release.chosen == "f32-onnxruntime"
    assert release.report is None
    verify_build(release.directory)
    card = bench.card(release)
    assert (card.build, card.variant, card.metrics) == ("parts-1.0.0_x86-cpu", "f32", ())
    assert [(each.hardware_class, each.status) for each in card.performance] == [("x86-cpu", "not_measured")]
    assert card.reference_sha256 is not None
    assert "onnxruntime" in card.built_with
    noise = "compared with the FP32 reference on 16 pictures of noise: no frames were given"
    unmeasured = "nothing was measured: the recipe names no frames to measure on (`evaluation`)"
    assert card.caveats == release.caveats == (noise, unmeasured)


def test_a_build_whose_frames_show_nothing_is_not_called_verified(bench: Bench) -> None:
    release = bench.build(bench.recipe(thresholds={"default": 1.0}))
    card = bench.card(release)
    assert card.caveats[0].startswith("verified against the FP32 reference only below the thresholds: on 16 frames")
    assert release.caveats == card.caveats


def test_a_second_run_repeats_nothing_and_gives_the_same_bytes(bench: Bench) -> None:
    recipe = bench.recipe()
    first = bench.build(recipe)
    assert not [line for line in bench.said if "as before" in line]
    second = bench.build(recipe, "again")
    assert [line for line in bench.said if "f32-openvino" in line and "as before" not in line] == []
    files = [path.relative_to(first.directory) for path in first.directory.rglob("*") if path.is_file()]
    assert len(files) == 4
    for path in files:
        assert (first.directory / path).read_bytes() == (second.directory / path).read_bytes()


def test_the_card_says_when_the_build_was_packaged_and_the_stages_do_not(bench: Bench) -> None:
    recipe = bench.recipe()
    first = bench.build(recipe)
    assert json.loads((first.directory / "card.json").read_text())["built_at"] == "2026-04-16T10:00:00Z"
    later = bench.build(recipe, "later", now=lambda: NOON + dt.timedelta(days=1))
    assert [line for line in bench.said if "f32-openvino" in line and "as before" not in line] == []
    first_card, later_card = bench.card(first), bench.card(later)
    assert later_card.built_at == dt.datetime(2026, 4, 17, 10, tzinfo=dt.UTC)
    assert later_card.model_copy(update={"built_at": first_card.built_at}) == first_card


def test_a_changed_recipe_repeats_only_what_changed(bench: Bench) -> None:
    bench.build(bench.recipe())
    bench.build(bench.recipe(description="other words"), "again")
    repeated = [line.partition(": ")[2] for line in bench.said if line.startswith("f32") and "as before" not in line]
    assert repeated == ["package"]


def test_a_damaged_cache_is_made_again(bench: Bench) -> None:
    recipe = bench.recipe()
    bench.build(recipe)
    for path in (bench.folder / "cache").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damage")
    verify_build(bench.build(recipe, "again").directory)


def test_a_variant_that_hurts_is_refused_and_the_others_go_on(bench: Bench) -> None:
    release = bench.build(bench.recipe([{"variant": "int8-dynamic", "backend": "onnxruntime"}, *FLOAT]))
    assert release.chosen == "f32-openvino"
    refused = [line for line in bench.said if line.startswith("int8-dynamic-onnxruntime: refused")]
    assert len(refused) == 1


def test_when_every_variant_is_refused_nothing_is_packaged(bench: Bench) -> None:
    recipe = bench.recipe([{"variant": "f16", "backend": "tensorrt"}])
    with pytest.raises(NoVariantLeft, match=r"f16-tensorrt: .*NVIDIA driver"):
        bench.build(recipe)
    stages = [line.partition(": ")[2] for line in bench.said if line.startswith("f16-tensorrt: ")]
    assert stages[:3] == ["quantize", "graft", "engine"]
    assert stages[3].startswith("refused: tensorrt cannot run here")
    assert not (bench.folder / "repository").exists()


def test_int8_needs_frames(bench: Bench) -> None:
    with pytest.raises(CalibrationMissing, match="needs calibration frames"):
        bench.build(bench.recipe([{"variant": "int8", "backend": "openvino"}]))


@pytest.mark.parametrize("name", ["f32-openvino", "f32-onnxruntime", "int8-openvino", "int8-onnxruntime"])
def test_two_machines_with_nothing_in_common_make_the_same_bytes(tmp_path: Path, name: str) -> None:
    precision, _, backend = name.partition("-")
    variant = BuildVariant.model_validate({"variant": precision, "backend": backend})
    calibration = {"frames": "frames", "count": 8, "allow_few_frames": True, "sensitivity": {"frames": 4}}
    models = []
    for machine in ("here", "there"):
        (tmp_path / machine / "frames").mkdir(parents=True)
        for seed in range(8):
            pixels = np.random.default_rng(seed).integers(0, 256, (160, 192, 3), dtype=np.uint8)
            assert cv2.imwrite(str(tmp_path / machine / "frames" / f"{seed}.png"), pixels)
        bench = Bench(tmp_path / machine)
        recipe = read_recipe(bench.recipe(calibration=calibration))
        workshop = Workshop(StageCache(bench.folder / "cache"), bench.said.append)
        sources = source_artifacts(recipe, "x86-cpu", [variant], workshop)
        made, _ = make_variants(sources, [variant], recipe, workshop)
        models.append(made[variant].build["1/model.onnx"])
        assert not [line for line in bench.said if "as before" in line]
    assert models[0] == models[1]


def test_a_pruned_build_says_so_in_its_card(bench: Bench) -> None:
    (bench.folder / "narrow.bin").write_bytes(b"narrow")
    source = {"network": "small", "weights": "absent.bin", "prune": {"weights": "narrow.bin"}}
    release = bench.build(bench.recipe(PRUNED, onnx=None, trainer=source), trainer=lambda _: FakeTrainer())
    assert bench.card(release).pruned


def test_a_build_that_is_there_is_left_alone_where_that_is_wanted(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = bench.recipe()
    release = bench.build(recipe)
    before = release.directory.stat().st_mtime_ns
    command = ["build", str(recipe), "--output", str(bench.folder / "repository"), "--cache", str(bench.folder / "c")]
    assert main(command) == 1
    assert main([*command, "--skip-existing"]) == 0
    assert "is there already" in capsys.readouterr().out
    assert release.directory.stat().st_mtime_ns == before


def test_a_class_that_nobody_knows(bench: Bench) -> None:
    recipe = bench.recipe(targets={"x86-cpv": {}})
    workshop = Workshop(StageCache(bench.folder / "cache"))
    with pytest.raises(CompileError, match="x86-cpu"):
        build(read_recipe(recipe), "x86-cpv", bench.folder / "repository", workshop)


class FakeTrainer:
    """Does the jobs of a trainer with a tiny detector; keeps what it was asked.

    Args:
        stop_at: Action in which it is interrupted.
        prunes: Whether it takes channels out of a network, or only says so.
    """

    def __init__(self, stop_at: str | None = None, *, prunes: bool = True) -> None:
        self.jobs: list[TrainingJob] = []
        self._stop_at = stop_at
        self._prunes = prunes

    def work(self, job: TrainingJob) -> TrainingResult:
        self.jobs.append(job)
        if job.action == self._stop_at:
            raise KeyboardInterrupt
        job.output.mkdir(parents=True, exist_ok=True)
        (job.output / "net.bin").write_bytes(job.weights.read_bytes() + job.action.encode())
        pruned = job.action == "prune" or job.weights.read_bytes().endswith((b"prune", b"narrow"))
        channels = 4 if pruned and self._prunes else 8
        tiny = dataclasses.replace(tiny_detectors.LARGE, channels=channels)
        onnx.save_model(tiny_detectors.build(tiny), job.output / "model.onnx")
        return TrainingResult(
            action=job.action,
            weights=Path("net.bin"),
            weights_sha256="0" * 64,
            parameter_count=1000 * channels,
            onnx=Path("model.onnx") if job.action == "export" else None,
            onnx_sha256="1" * 64 if job.action == "export" else None,
        )


TRAINER = {
    "network": "small",
    "weights": "start.bin",
    "distill": {"teacher_network": "large", "teacher_weights": "large.bin", "epochs": 2},
    "prune": {"parameter_reduction": 0.4},
}


def test_a_trainer_distills_prunes_and_exports_in_this_order(bench: Bench) -> None:
    (bench.folder / "start.bin").write_bytes(b"net ")
    (bench.folder / "large.bin").write_bytes(b"teacher")
    trainer = FakeTrainer()
    release = bench.build(bench.recipe(PRUNED, onnx=None, trainer=TRAINER), trainer=lambda _: trainer)
    assert [job.action for job in trainer.jobs] == ["distill", "prune", "export"]
    assert [job.weights.read_bytes() for job in trainer.jobs] == [b"net ", b"net distill", b"net distillprune"]
    assert (trainer.jobs[0].epochs, trainer.jobs[1].parameter_reduction) == (2, 0.4)
    assert len({job.output for job in trainer.jobs}) == 3
    verify_build(release.directory)


def test_after_an_interruption_the_trainer_goes_on_in_the_same_folder(bench: Bench) -> None:
    (bench.folder / "start.bin").write_bytes(b"net ")
    (bench.folder / "large.bin").write_bytes(b"teacher")
    recipe = bench.recipe(PRUNED, onnx=None, trainer=TRAINER)
    first, second = FakeTrainer(stop_at="prune"), FakeTrainer()
    with pytest.raises(KeyboardInterrupt):
        bench.build(recipe, trainer=lambda _: first)
    assert not (bench.folder / "repository").exists()
    bench.build(recipe, trainer=lambda _: second)
    assert [job.output for job in second.jobs[:2]] == [job.output for job in first.jobs]


def test_whole_and_pruned_variants_are_made_side_by_side(bench: Bench) -> None:
    (bench.folder / "start.bin").write_bytes(b"net ")
    trainer = FakeTrainer()
    source = {"network": "small", "weights": "start.bin", "prune": {"parameter_reduction": 0.4}}
    bench.build(bench.recipe([*FLOAT, *PRUNED], onnx=None, trainer=source), trainer=lambda _: trainer)
    assert [job.action for job in trainer.jobs] == ["export", "prune", "export"]
    assert [job.weights.read_bytes() for job in trainer.jobs] == [b"net ", b"net ", b"net prune"]
    assert "f32-openvino-pruned: package" in bench.said


@pytest.mark.parametrize("distilled", [True, False])
def test_a_pruned_network_that_is_not_smaller_is_refused(bench: Bench, distilled: bool) -> None:
    (bench.folder / "start.bin").write_bytes(b"net ")
    (bench.folder / "large.bin").write_bytes(b"teacher")
    source = {key: value for key, value in TRAINER.items() if distilled or key != "distill"}
    recipe = bench.recipe([*PRUNED, *FLOAT], onnx=None, trainer=source)
    release = bench.build(recipe, trainer=lambda _: FakeTrainer(prunes=False))
    assert release.chosen == "f32-openvino"
    (refused,) = [line for line in bench.said if line.startswith("f32-openvino-pruned: ")]
    assert "refused: the pruned network has" in refused
    assert "it is not smaller" in refused


def test_a_trainer_that_prunes_nothing_is_found_out_without_the_whole_network(bench: Bench) -> None:
    (bench.folder / "start.bin").write_bytes(b"net ")
    (bench.folder / "large.bin").write_bytes(b"teacher")
    recipe = bench.recipe(PRUNED, onnx=None, trainer=TRAINER)
    with pytest.raises(NotPruned, match="the pruned network has 8,000 parameters, the whole one 8,000"):
        bench.build(recipe, trainer=lambda _: FakeTrainer(prunes=False))


@pytest.mark.parametrize(("variants", "reduction"), [([*PRUNED, *FLOAT], 0.5), (PRUNED, None), (FLOAT, None)])
def test_the_card_says_how_much_of_the_whole_network_pruning_removed(
    bench: Bench, variants: list[dict[str, Any]], reduction: float | None
) -> None:
    (bench.folder / "start.bin").write_bytes(b"net ")
    source = {"network": "small", "weights": "start.bin", "prune": {"parameter_reduction": 0.4}}
    release = bench.build(bench.recipe(variants, onnx=None, trainer=source), trainer=lambda _: FakeTrainer())
    card = bench.card(release)
    assert (card.pruned, card.parameter_reduction) == (variants is not FLOAT, reduction)


def test_a_network_that_was_pruned_before_is_exported_as_it_is(bench: Bench) -> None:
    (bench.folder / "narrow.bin").write_bytes(b"narrow")
    trainer = FakeTrainer()
    source = {"network": "small", "weights": "absent.bin", "prune": {"weights": "narrow.bin"}}
    bench.build(bench.recipe(PRUNED, onnx=None, trainer=source), trainer=lambda _: trainer)
    assert [(job.action, job.weights.read_bytes()) for job in trainer.jobs] == [("export", b"narrow")]


def test_without_variants_of_its_own_a_recipe_that_prunes_makes_those_of_the_class_both_ways(bench: Bench) -> None:
    source = {"network": "small", "weights": "start.bin", "prune": {}}
    recipe = read_recipe(bench.recipe([], onnx=None, trainer=source))
    names = [str(each) for each in variants_of(recipe, find_hardware_class("x86-cpu"))]
    assert names[len(names) // 2 :] == [f"{name}-pruned" for name in names[: len(names) // 2]]


def test_a_pruned_variant_needs_to_know_how(bench: Bench) -> None:
    with pytest.raises(InvalidRecipe, match=r"f32-openvino-pruned needs trainer\.prune"):
        read_recipe(bench.recipe(PRUNED))


@pytest.mark.parametrize(
    ("command", "message"),
    [(["no-such-trainer"], "there is no program 'no-such-trainer'"), (["false"], "exit code 1"), (["true"], "result")],
)
def test_a_trainer_that_fails(bench: Bench, command: list[str], message: str) -> None:
    job = TrainingJob(action="export", network="n", weights=Path("w"), output=bench.folder / "job")
    with pytest.raises(TrainerFailed, match=message):
        TrainerCommand(command).work(job)
