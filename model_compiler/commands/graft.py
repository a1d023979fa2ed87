"""``outpost-compile graft``: the first stage alone, from ONNX file to ONNX file."""

import argparse
from pathlib import Path

from contracts.model_card import InputSpec
from model_compiler.graph.onnx_model import interface_of, read_model_file
from model_compiler.graph.picture_input import find_picture_input, with_picture_size
from model_compiler.packaging.build_directory import write_file
from model_compiler.stages.graft import graft_detector


def describe(verb: argparse.ArgumentParser) -> None:
    """Options of the verb."""
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
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Graft.

    Raises:
        CompileError: The model cannot be read or grafted.
    """
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
