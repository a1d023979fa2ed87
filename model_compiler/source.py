"""The start of a compilation: what a training left, checked against the recipe."""

from collections.abc import Sequence

import onnx

from contracts.model_card import InputSpec, Metric, OutputSpec
from model_compiler.artifact import Artifact
from model_compiler.graph.detector_output import find_detector_output
from model_compiler.graph.onnx_model import read_model_file
from model_compiler.graph.picture_input import find_picture_input, with_picture_size
from model_compiler.metrics_file import read_metrics
from model_compiler.recipe import Recipe


def read_source(recipe: Recipe, hardware_class: str) -> Artifact:
    """Read the files that a recipe names.

    Raises:
        InputFileMissing: One of them is not there.
        ModelError: The model is not ONNX, or not the detector that the recipe describes.
        InvalidMetrics: The metrics file lacks something.
    """
    model = read_model_file(recipe.onnx)
    metrics = () if recipe.metrics is None else read_metrics(recipe.metrics, recipe.labels)
    return plain_artifact(model, recipe, hardware_class, metrics)


def plain_artifact(
    model: onnx.ModelProto, recipe: Recipe, hardware_class: str, metrics: Sequence[Metric] = ()
) -> Artifact:
    """The first artifact: the model as exported, with the card's facts about its input and output.

    Raises:
        ModelError: The model is not the detector that the recipe describes.
    """
    sized = with_picture_size(model, recipe.input.width, recipe.input.height)
    output = find_detector_output(sized, recipe.output.decoder, classes=len(recipe.labels), name=recipe.output.name)
    picture = find_picture_input(sized)
    height, width = picture.shape[2:]
    spec = recipe.input.model_dump() | {"name": picture.name, "width": width, "height": height}
    return Artifact(
        model=sized.SerializeToString(deterministic=True),
        hardware_class=hardware_class,
        input=InputSpec.model_validate(spec | {"datatype": "FP32", "layout": "NCHW"}),
        output=OutputSpec(name=output.name, decoder=output.head),
        metrics=tuple(metrics),
    )
