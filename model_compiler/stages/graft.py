"""Moves normalisation and decoding into the graph: camera pixels in, candidates or probabilities out."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx
from onnx import TensorProto, checker, helper, version_converter

from contracts.model_card import InputSpec, OutputSpec
from model_compiler.artifact import Artifact
from model_compiler.errors import UnsupportedModel
from model_compiler.graph.candidate_tail import COLUMNS, TOP, add_candidate_tail
from model_compiler.graph.class_output import find_class_output, with_flat_class_output
from model_compiler.graph.detector_output import Head, find_detector_output
from model_compiler.graph.graph_editor import GraphEditor
from model_compiler.graph.onnx_model import opset_of, parse_model
from model_compiler.graph.picture_input import find_picture_input, pixel_input
from model_compiler.graph.pixel_front import add_pixel_front
from model_compiler.graph.probability_tail import add_probability_tail
from model_compiler.quantization.pixel_passthrough import pass_pixels_through
from model_compiler.recipe import Recipe

INPUT, CANDIDATES, PROBABILITIES = "images", "candidates", "probabilities"
OLDEST_OPSET = 17


NAME = "graft"


def depends_on(_: Artifact, recipe: Recipe) -> Mapping[str, Any]:
    """What the result depends on beside the artifact."""
    return {"classes": len(recipe.labels), "task": recipe.task, "grafted": recipe.grafted, "version": 1}


def run(artifact: Artifact, recipe: Recipe) -> Artifact:
    """Graft the artifact's network; an ungrafted build is left as it is.

    Raises:
        ModelError: Its input or output is not what the recipe says, or the graph cannot be grafted.
    """
    if not recipe.grafted:
        return artifact
    plain = parse_model(artifact.model)
    given, classes, output = artifact.facts.input, len(recipe.labels), artifact.facts.output.name
    if recipe.task == "classification":
        model = graft_classifier(plain, given, classes=classes, output=output)
        made = OutputSpec(name=PROBABILITIES, decoder="probabilities")
    else:
        model = graft_detector(plain, given, recipe.output.decoder, classes=classes, output=output)
        made = OutputSpec(name=CANDIDATES)
    pixels = given.model_copy(update={"name": INPUT, "datatype": "UINT8", "layout": "NHWC", "color": "rgb"})
    serialised = model.SerializeToString(deterministic=True)
    variant = artifact.facts.variant
    if variant is not None and (variant.variant, variant.backend) == ("int8", "onnxruntime"):
        # OpenVINO gets slower with it
        serialised = pass_pixels_through(serialised)
    changed = dataclasses.replace(artifact, model=serialised)
    return changed.knowing(input=pixels, output=made).recorded(NAME)


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
    found = find_detector_output(plain, head, classes=classes, name=output)

    def add_tail(editor: GraphEditor, predictions: str) -> None:
        add_candidate_tail(editor, dataclasses.replace(found, name=predictions), candidates=CANDIDATES)

    return _graft(plain, spec, found.name, add_tail, CANDIDATES, (TOP, COLUMNS))


def graft_classifier(
    plain: onnx.ModelProto, spec: InputSpec, *, classes: int | None = None, output: str | None = None
) -> onnx.ModelProto:
    """A classifier that takes camera pixels and gives probabilities.

    Args:
        plain: Input FP32 [N,3,H,W] of fixed height and width, output [N,C] or [N,C,1,1] with a softmax or without; the
            batch axis may be open, and stays so.
        spec: How its input is normalised, ``(pixel * scale - mean) / std``, and its colour order.
        classes: How many it must have, or None.
        output: Name of the output to take, needed where there are several.

    Returns:
        Input ``images`` UINT8 [N,H,W,3] in RGB, output ``probabilities`` FP32 [N,C] (see `probability_tail`).

    Raises:
        ModelError: The input or output is something else, or the graph cannot be grafted.
    """
    found = find_class_output(plain, classes=classes, name=output)

    def add_tail(editor: GraphEditor, values: str) -> None:
        add_probability_tail(editor, dataclasses.replace(found, name=values), probabilities=PROBABILITIES)

    flat = with_flat_class_output(plain, found)
    return _graft(flat, spec, found.name, add_tail, PROBABILITIES, (found.classes,))


def _graft(
    plain: onnx.ModelProto,
    spec: InputSpec,
    network_output: str,
    add_tail: Callable[[GraphEditor, str], None],
    name: str,
    shape: Sequence[int],
) -> onnx.ModelProto:
    """Both ends around a network: pixels before it, ``add_tail`` behind its output, which gives ``name``."""
    picture = find_picture_input(plain)
    editor = GraphEditor(_at_least_opset(plain))
    network_input, values = editor.moved(picture.name), editor.moved(network_output)
    for taken in (INPUT, name):
        editor.moved(taken)
    add_pixel_front(editor, network_input, spec, pixels=INPUT)
    add_tail(editor, values)
    value = next(value for value in plain.graph.input if value.name == picture.name)
    batch = value.type.tensor_type.shape.dim[0]
    sizes = [batch.dim_value or batch.dim_param or "batch", *shape]
    result = helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
    return _checked(editor.result([pixel_input(INPUT, value)], [result]))


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
