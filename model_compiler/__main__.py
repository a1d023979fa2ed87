"""The command ``outpost-compile``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from contracts.model_card import InputSpec
from model_compiler.errors import CompileError
from model_compiler.graph.onnx_model import interface_of, read_model_file
from model_compiler.graph.picture_input import find_picture_input, with_picture_size
from model_compiler.packaging.build_directory import verify_build, write_file
from model_compiler.pipeline import build
from model_compiler.recipe import read_recipe
from model_compiler.stages.graft import graft_detector

_EXAMPLES = """examples:
  outpost-compile build model_compiler/recipes/defects.yaml --output model_repository
  outpost-compile graft yolov8n.onnx yolov8n-grafted.onnx --head yolov8
  outpost-compile verify model_repository/defects-1.0.0_x86-cpu
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; gives the exit code: 0 done, 1 cannot be done, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (CompileError, OSError) as error:
        print(f"outpost-compile: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("outpost-compile: interrupted; nothing half-written was left", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="outpost-compile",
        description="From an exported ONNX detector to an immutable build directory that Triton serves.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _describe_build(verbs.add_parser("build", help="run a recipe and write a build directory"))
    _describe_graft(verbs.add_parser("graft", help="move normalisation and box decoding into an ONNX detector"))
    _describe_verify(verbs.add_parser("verify", help="check a build against its manifest, card and configuration"))
    return parser


def _describe_build(verb: argparse.ArgumentParser) -> None:
    verb.description = "Run the stages of a recipe and write the build into a folder of builds, whole or not at all."
    verb.add_argument("recipe", type=Path, help="YAML file; its paths are relative to its own folder")
    verb.add_argument(
        "--for", dest="hardware_class", metavar="CLASS", help="hardware class, where the recipe has several"
    )
    verb.add_argument(
        "--output", type=Path, default=Path("model_repository"), help="folder of builds (default: %(default)s)"
    )
    verb.set_defaults(run=_build)


def _build(options: argparse.Namespace) -> None:
    recipe = read_recipe(options.recipe)
    directory = build(
        recipe, recipe.target(options.hardware_class), options.output, lambda stage: print(f"{stage} ...", flush=True)
    )
    size_bytes = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    print(f"{directory}: {size_bytes / 1e6:.2f} MB")


def _describe_graft(verb: argparse.ArgumentParser) -> None:
    verb.description = (
        "The result takes `images` UINT8 [N,H,W,3] in RGB and gives `candidates` FP32 [N,300,6]: x1, y1, x2, y2 in"
        " input pixels, score, class; best score first, no threshold."
    )
    verb.add_argument("plain", type=Path, help="ONNX detector with one input FP32 [N,3,H,W]")
    verb.add_argument("grafted", type=Path, help="where the grafted ONNX goes")
    verb.add_argument(
        "--head",
        choices=("yolov8", "yolov5"),
        default="yolov8",
        help="layout of the output: yolov8 [N,4+C,A], yolov5 [N,A,5+C] (default: %(default)s)",
    )
    verb.add_argument("--output-name", metavar="NAME", help="the output to take, where there are several")
    verb.add_argument("--width", type=int, help="input width, where the model leaves it open")
    verb.add_argument("--height", type=int, help="input height, where the model leaves it open")
    verb.add_argument(
        "--color", choices=("rgb", "bgr"), default="rgb", help="order it was trained on (default: %(default)s)"
    )
    verb.add_argument("--scale", type=float, default=1 / 255, help="of (pixel * scale - mean) / std (default: 1/255)")
    verb.add_argument(
        "--mean",
        type=float,
        nargs=3,
        default=(0.0, 0.0, 0.0),
        metavar=("C1", "C2", "C3"),
        help="in the order it was trained on (default: 0 0 0)",
    )
    verb.add_argument(
        "--std",
        type=float,
        nargs=3,
        default=(1.0, 1.0, 1.0),
        metavar=("C1", "C2", "C3"),
        help="in the order it was trained on (default: 1 1 1)",
    )
    verb.set_defaults(run=_graft)


def _graft(options: argparse.Namespace) -> None:
    plain = with_picture_size(read_model_file(options.plain), options.width, options.height)
    height, width = find_picture_input(plain).shape[2:]
    spec = InputSpec(
        width=width or 0,
        height=height or 0,
        color=options.color,
        scale=options.scale,
        mean=tuple(options.mean),
        std=tuple(options.std),
    )
    grafted = graft_detector(plain, spec, options.head, output=options.output_name)
    write_file(options.grafted, grafted.SerializeToString(deterministic=True))
    interface = interface_of(grafted)
    print(f"{options.grafted}: {interface.inputs[0]} -> {interface.outputs[0]}")


def _describe_verify(verb: argparse.ArgumentParser) -> None:
    verb.description = "Check that every file is there and unchanged, and that card, configuration and model agree."
    verb.add_argument("directory", type=Path, help="build directory, <model>-<version>_<class>")
    verb.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> None:
    verify_build(options.directory)
    print(f"{options.directory}: sound")


if __name__ == "__main__":
    raise SystemExit(main())
