"""The models that are measured: each as a grafted build for the gateway and as a plain graph for the bare endpoints."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.shape_inference
import onnx.utils

import model_compiler
from benchmarks.yolov8n_graph import CLASSES, build_yolov8n_sized
from contracts.model_card import ModelCard
from model_compiler.graph.onnx_model import read_model_file
from model_compiler.packaging.build_directory import write_build
from model_compiler.recipe import Recipe
from model_compiler.recipe_file import read_recipe
from model_compiler.source import plain_artifact
from model_compiler.stages import graft, package
from model_compiler.trainer import TrainerCommand
from model_compiler.training_source import train_and_export
from model_compiler.variant import BuildVariant

HARDWARE_CLASS = "x86-cpu"
BF16 = BuildVariant(variant="bf16", backend="openvino")
DEMO_MODEL = "defects"
RECIPE = Path(model_compiler.__file__).parent / "recipes" / f"{DEMO_MODEL}.yaml"
YOLO_SIZES = {"yolov8n-320": 320, "yolov8n-640": 640}
KNOWN_MODELS = (DEMO_MODEL, *YOLO_SIZES)

# How the compiler names the tensor that the grafted front fills, and the one that the grafted end reads.
_NETWORK_INPUT, _PREDICTIONS = "graft/images", "graft/predictions"


class ModelMissing(Exception):
    """A model cannot be measured."""


@dataclass(frozen=True, slots=True)
class BenchModel:
    """One model in both forms.

    Attributes:
        name: The alias.
        build: Build directory of the grafted form, alone in its parent folder.
        plain: ONNX file FP32 [N,3,H,W] to [N,4+C,A].
        plain_scale: What a pixel of 0..255 is multiplied with for the plain form.
    """

    name: str
    build: Path
    plain: Path
    plain_scale: float


def prepare_models(names: Iterable[str], repository: Path, work: Path) -> list[BenchModel]:
    """Make what is to be measured.

    Args:
        names: Of ``KNOWN_MODELS``.
        repository: Where the shipped builds are.
        work: An empty folder for what is made.

    Raises:
        ModelMissing: The demo model is not in the repository, or cannot be taken apart.
    """
    return [
        _demo_model(repository, work) if name == DEMO_MODEL else make_yolo_model(name, YOLO_SIZES[name], work)
        for name in names
    ]


def _demo_model(repository: Path, work: Path) -> BenchModel:
    builds = sorted(repository.glob(f"{DEMO_MODEL}-[0-9]*_{HARDWARE_CLASS}"))
    if not builds:
        raise ModelMissing(f"{repository} has no build of '{DEMO_MODEL}' for {HARDWARE_CLASS}: `make train` makes it")
    build = work / DEMO_MODEL / "builds" / builds[-1].name
    shutil.copytree(builds[-1], build)
    card = ModelCard.model_validate_json((build / "card.json").read_bytes())
    if card.quantization is not None:
        return BenchModel(DEMO_MODEL, build, _exported_network(work / DEMO_MODEL / "export"), 1 / 255)
    plain = work / DEMO_MODEL / "plain.onnx"
    _write_plain(build / "1" / "model.onnx", plain)
    return BenchModel(DEMO_MODEL, build, plain, 1.0)


def _exported_network(folder: Path) -> Path:
    """The FP32 network that an INT8 build was made from: the trainer exports it again."""
    recipe = read_recipe(RECIPE)
    if recipe.trainer is None:
        raise ModelMissing(f"{RECIPE} names no trainer to export the FP32 network")
    trainer = TrainerCommand(recipe.trainer.command)
    path, _ = train_and_export(recipe.trainer, recipe.seed, trainer, lambda key: folder / key[:16], lambda _: None)
    return path


def _write_plain(grafted: Path, plain: Path) -> None:
    """Cut the network out of a grafted detector: the shipped model has no plain form beside it."""
    model = onnx.shape_inference.infer_shapes(onnx.load(grafted))
    tensors = {name for node in model.graph.node for name in node.output}
    if not {_NETWORK_INPUT, _PREDICTIONS} <= tensors:
        raise ModelMissing(f"{grafted} has no tensors {_NETWORK_INPUT!r} and {_PREDICTIONS!r} to cut it at")
    onnx.save_model(onnx.utils.Extractor(model).extract_model([_NETWORK_INPUT], [_PREDICTIONS]), plain)


def make_yolo_model(name: str, size: int, work: Path) -> BenchModel:
    """A graph of YOLOv8n's size under a name of its own.

    Args:
        name: The alias.
        size: Width and height of the input, in pixels.
        work: A folder for what is made.
    """
    folder = work / name
    folder.mkdir()
    plain = folder / "plain.onnx"
    onnx.save_model(build_yolov8n_sized(size, size), plain)
    recipe = Recipe.model_validate(
        {
            "model": name,
            "version": "1.0.0",
            "description": "Random weights, of the size and operators of YOLOv8n; measures speed",
            "onnx": plain,
            "labels": [f"class-{index}" for index in range(CLASSES)],
            "targets": {HARDWARE_CLASS: {"variants": [BF16]}},
        }
    )
    # without `verify`: random weights have no detections that two precisions could agree on
    source = plain_artifact(read_model_file(plain), recipe, HARDWARE_CLASS).knowing(variant=BF16)
    files = package.run(graft.run(source, recipe), recipe).build
    directory = write_build(recipe.build_name(HARDWARE_CLASS), files, folder / "builds")
    return BenchModel(name, directory, plain, 1 / 255)
