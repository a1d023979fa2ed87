"""``outpost-compile add``: a recipe and a build from an exported detector or classifier."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx

from contracts.build_name import BuildName, InvalidBuildName
from contracts.hardware_class import HardwareClass
from model_compiler.commands.build import DEFAULT_CACHE, build_and_tell, declared_class, describe_declared
from model_compiler.errors import BuildExists, InputFileMissing, InvalidAnswer
from model_compiler.frame_folder import frame_paths
from model_compiler.graph.detector_output import Head
from model_compiler.graph.onnx_model import read_model_file
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.packaging.build_directory import write_file
from model_compiler.pipeline import Workshop
from model_compiler.proposal.errors import RecipeExists, SuspiciousModel, UnreadablePicture
from model_compiler.proposal.hints import Hints
from model_compiler.proposal.label_names import read_labels
from model_compiler.proposal.model_facts import read_model_facts
from model_compiler.proposal.proposal import Proposal
from model_compiler.proposal.proposal_page import proposal_page
from model_compiler.proposal.propose import propose
from model_compiler.proposal.recipe_document import recipe_document
from model_compiler.proposal.synthetic_frame import synthetic_frame
from model_compiler.proposal.tryout import Tryout, try_out
from model_compiler.recipe import Recipe
from model_compiler.recipe_file import recipe_of
from model_compiler.stage_cache import StageCache
from model_compiler.variant import BuildVariant
from vision.errors import ImageError

_HEADS: dict[str, Head] = {"yolov8": "yolov8", "yolo11": "yolov8", "yolov5": "yolov5"}


def describe(verb: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    verb.description = (
        "Look at an exported ONNX model, propose a recipe with the reason for everything assumed, try it on a picture,"
        " and build it. Whatever is assumed wrongly can be given."
    )
    verb.add_argument("model", type=Path, help="ONNX file of a detector (YOLOv5, YOLOv8, YOLO11) or classifier")
    verb.add_argument("--name", required=True, help="name of the model, [a-z0-9-]")
    verb.add_argument("--version", default="1.0.0", help="major.minor.patch (default: %(default)s)")
    verb.add_argument("--for", dest="hardware_class", metavar="CLASS", help="hardware class (default: this machine's)")
    describe_declared(verb)
    verb.add_argument("--image", type=Path, help="picture to try it on (default: a synthetic one)")
    verb.add_argument("--calibration", type=Path, metavar="FOLDER", help="frames like those of the site, for INT8")
    verb.add_argument("--evaluation", type=Path, metavar="FOLDER", help="frames to measure on, with or without labels")
    verb.add_argument("--ungrafted", action="store_true", help="keep the model's own input and output")
    verb.add_argument("--recipe", type=Path, help="where the recipe goes (default: <name>.yaml beside the model)")
    verb.add_argument(
        "--output", type=Path, default=Path("model_repository"), help="folder of builds (default: %(default)s)"
    )
    verb.add_argument(
        "--cache", type=Path, default=DEFAULT_CACHE, help="folder of finished stages (default: %(default)s)"
    )
    verb.add_argument("--yes", action="store_true", help="ask nothing, and go on with doubts")
    _describe_network(verb.add_argument_group("what is assumed otherwise"))
    verb.set_defaults(run=run)


def _describe_network(group: Any) -> None:
    group.add_argument("--labels", type=Path, metavar="FILE", help="one label a line, in the order of the classes")
    group.add_argument("--task", choices=("detection", "classification"))
    group.add_argument("--head", choices=tuple(_HEADS), help="layout: yolov8 and yolo11 [N,4+C,A], yolov5 [N,A,5+C]")
    group.add_argument("--output-name", metavar="NAME", help="the output to take")
    group.add_argument("--size", type=_size, metavar="WxH", help="where the model leaves its size open")
    group.add_argument("--fit", choices=("letterbox", "crop", "stretch"), help="how a frame gets into the input")
    group.add_argument("--color", choices=("rgb", "bgr"), help="order that it was trained on")
    group.add_argument("--scale", type=float, help="of (pixel * scale - mean) / std")
    group.add_argument("--mean", type=float, nargs=3, metavar=("C1", "C2", "C3"))
    group.add_argument("--std", type=float, nargs=3, metavar=("C1", "C2", "C3"))


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not width.isdecimal() or not height.isdecimal() or not (0 < int(width) <= 8192 and 0 < int(height) <= 8192):
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT in pixels, such as 640x480")
    return int(width), int(height)


def run(options: argparse.Namespace) -> None:
    """Propose, try, write the recipe, build.

    Raises:
        CompileError: The model is not one that can be served, something given is wrong, or it cannot be built.
    """
    workshop = Workshop(StageCache(options.cache), declared=declared_class(options))
    target = find_hardware_class(options.hardware_class or workshop.hardware_class)
    _check_is_new(options, target.name)
    hints = _hints(options)
    model = read_model_file(options.model)
    proposal = propose(read_model_facts(model, hints.size_wh), hints)
    tried = _try_out(model, proposal, options.image)
    if tried.single_frame_reason is not None:
        proposal = proposal.one_frame_at_a_time(tried.single_frame_reason)
    print(proposal_page(options.model, proposal, tried, options.image))
    if goes_on(tried.doubts, yes=options.yes, ask=input if sys.stdin.isatty() else None):
        recipe = _write_recipe(options, proposal, target)
        build_and_tell(recipe, target.name, workshop, output=options.output)


def _check_is_new(options: argparse.Namespace, hardware_class: str) -> None:
    name = f"{options.name}-{options.version}_{hardware_class}"
    try:
        BuildName.parse(name)
    except InvalidBuildName as error:
        raise InvalidAnswer("--name and --version", str(error)) from error
    if (options.output / name).exists():
        raise BuildExists(options.output / name)


def _hints(options: argparse.Namespace) -> Hints:
    folder = options.calibration
    return Hints(
        name=options.name,
        version=options.version,
        labels=None if options.labels is None else read_labels(options.labels),
        task=options.task,
        head=None if options.head is None else _HEADS[options.head],
        output=options.output_name,
        size_wh=options.size,
        fit=options.fit,
        color=options.color,
        scale=options.scale,
        mean=None if options.mean is None else tuple(options.mean),
        std=None if options.std is None else tuple(options.std),
        grafted=not options.ungrafted,
        calibration=folder,
        calibration_count=0 if folder is None else len(frame_paths(folder)),
        evaluation=options.evaluation,
    )


def _try_out(model: onnx.ModelProto, proposal: Proposal, picture: Path | None) -> Tryout:
    if picture is None:
        return try_out(model, proposal, synthetic_frame())
    if not picture.is_file():
        raise InputFileMissing(picture, "picture")
    try:
        return try_out(model, proposal, picture.read_bytes())
    except ImageError as error:
        raise UnreadablePicture(picture, str(error)) from error


def goes_on(doubts: Sequence[str], *, yes: bool, ask: Callable[[str], str] | None) -> bool:
    """Whether to build.

    Args:
        doubts: Why what the model said cannot be right.
        yes: Ask nothing, and go on with doubts.
        ask: Puts a question and gives the answer; None where nobody can be asked.

    Raises:
        SuspiciousModel: There are doubts and nobody to ask.
    """
    if yes:
        return True
    if ask is None:
        if doubts:
            raise SuspiciousModel(doubts)
        return True
    default = "n" if doubts else "y"
    answer = ask(f"Build it? (y or n, without an answer {default}) ").strip().lower() or default
    return answer in {"y", "yes"}


def _variants(proposal: Proposal, target: HardwareClass) -> list[BuildVariant]:
    """All of the class; without calibration no integers, and where nothing is measured only what needs no measuring."""
    hints = proposal.hints
    if hints.calibration is not None:
        return []
    wanted = {"f32"} if hints.evaluation is None else {"f32", "bf16", "f16"}
    return [
        BuildVariant(variant=each.variant, backend=each.backend) for each in target.variants if each.variant in wanted
    ]


def _write_recipe(options: argparse.Namespace, proposal: Proposal, target: HardwareClass) -> Recipe:
    path = options.recipe or options.model.parent / f"{options.name}.yaml"
    content = proposal.recipe(options.model, path.parent, target.name, _variants(proposal, target))
    recipe = recipe_of(content, path)
    document = recipe_document(content, proposal.assumptions)
    if not path.exists():
        write_file(path, document.encode())
    elif path.read_text(encoding="utf-8", errors="replace") != document:
        raise RecipeExists(path)
    print(f"{path}: the recipe; to build it again: outpost-compile build {path} --for {target.name}")
    return recipe
