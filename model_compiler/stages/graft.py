"""Moves normalisation and box decoding into the graph: camera pixels in, candidates out."""

import dataclasses

import onnx
from onnx import TensorProto, checker, helper, version_converter

from contracts.model_card import InputSpec, OutputSpec
from model_compiler.artifact import Artifact
from model_compiler.errors import UnsupportedModel
from model_compiler.graph.candidate_tail import COLUMNS, TOP, add_candidate_tail
from model_compiler.graph.detector_output import Head, find_detector_output
from model_compiler.graph.graph_editor import GraphEditor
from model_compiler.graph.onnx_model import opset_of, parse_model
from model_compiler.graph.picture_input import find_picture_input, pixel_input
from model_compiler.graph.pixel_front import add_pixel_front
from model_compiler.recipe import Recipe

INPUT, OUTPUT = "images", "candidates"
OLDEST_OPSET = 17


def run(artifact: Artifact, recipe: Recipe) -> Artifact:
    """Graft the artifact's detector.

    Raises:
        ModelError: Its input or output is not what the recipe says, or the graph cannot be grafted.
    """
    plain = parse_model(artifact.model)
    model = graft_detector(
        plain,
        artifact.input,
        recipe.output.decoder,
        classes=len(recipe.labels),
        output=artifact.output.name,
    )
    pixels = artifact.input.model_copy(
        update={"name": INPUT, "datatype": "UINT8", "layout": "NHWC", "color": "rgb"},
    )
    return dataclasses.replace(
        artifact, model=model.SerializeToString(deterministic=True), input=pixels, output=OutputSpec(name=OUTPUT)
    )


def graft_detector(
    plain: onnx.ModelProto, spec: InputSpec, head: Head, *, classes: int | None = None, output: str | None = None
) -> onnx.ModelProto:
    """A detector that takes camera pixels and gives candidates.

    Args:
        plain: Input FP32 [N,3,H,W] of fixed height and width; the batch axis may be open, and stays so.
        spec: How its input is normalised, ``(pixel * scale - mean) / std``, and its colour order.
        head: Layout of its output.
        classes: How many it must have, or None.
        output: Name of the output to take, needed where there are several.

    Returns:
        Input ``images`` UINT8 [N,H,W,3] in RGB, output ``candidates`` FP32 [N,300,6] (see `candidate_tail`).

    Raises:
        ModelError: The input or output is something else, or the graph cannot be grafted.
    """
    picture = find_picture_input(plain)
    found = find_detector_output(plain, head, classes=classes, name=output)
    editor = GraphEditor(_at_least_opset(plain))
    network_input, predictions = editor.moved(picture.name), editor.moved(found.name)
    for taken in (INPUT, OUTPUT):
        editor.moved(taken)
    add_pixel_front(editor, network_input, spec, pixels=INPUT)
    add_candidate_tail(editor, dataclasses.replace(found, name=predictions), candidates=OUTPUT)
    value = next(value for value in plain.graph.input if value.name == picture.name)
    batch = value.type.tensor_type.shape.dim[0]
    shape = [batch.dim_value or batch.dim_param or "batch", TOP, COLUMNS]
    candidates = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape)
    model = editor.result([pixel_input(INPUT, value)], [candidates])
    return _checked(model)


def _checked(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise UnsupportedModel(f"the grafted graph is not valid: {error}") from error
    return model


def _at_least_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    if opset_of(model) >= OLDEST_OPSET:
        return model
    try:
        return version_converter.convert_version(model, OLDEST_OPSET)
    except RuntimeError as error:
        problem = f"opset {opset_of(model)} cannot be converted to {OLDEST_OPSET}: {error}"
        raise UnsupportedModel(f"{problem}; export with opset {OLDEST_OPSET} or later") from error
