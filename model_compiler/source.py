"""The start of a compilation: the plain FP32 model, checked against the recipe."""

from collections.abc import Sequence

import onnx

from contracts.model_card import InputSpec, OutputSpec
from model_compiler.artifact import Artifact, ArtifactFacts
from model_compiler.graph.class_output import find_class_output, with_flat_class_output
from model_compiler.graph.detector_output import find_detector_output
from model_compiler.graph.inspection import inspect_model
from model_compiler.graph.picture_input import find_picture_input, with_picture_size
from model_compiler.recipe import Recipe

NAME = "inspect"


def plain_artifact(model: onnx.ModelProto, recipe: Recipe, hardware_class: str, notes: Sequence[str] = ()) -> Artifact:
    """The first artifact: the model as exported, with the facts about its input and output.

    Args:
        model: Checked.
        recipe: What it should be.
        hardware_class: What it is compiled for.
        notes: What there is to tell about where it came from.

    Raises:
        ModelError: The model is not what the recipe describes.
    """
    sized = with_picture_size(model, recipe.input.width, recipe.input.height)
    if recipe.task == "classification":
        sized = with_flat_class_output(sized, find_class_output(sized, name=recipe.output.name))
    picture = find_picture_input(sized)
    height, width = picture.shape[2:]
    spec = recipe.input.model_dump() | {"name": picture.name, "width": width, "height": height}
    serialised = sized.SerializeToString(deterministic=True)
    network_input = InputSpec.model_validate(spec | {"datatype": "FP32", "layout": "NCHW"})
    output = _output(sized, recipe)
    facts = ArtifactFacts(
        hardware_class=hardware_class,
        input=network_input,
        output=output,
        reference_input=network_input,
        reference_output=output,
        parameter_count=inspect_model(sized).parameter_count or None,
    )
    return Artifact(model=serialised, reference=serialised, facts=facts).recorded(NAME, *notes)


def _output(model: onnx.ModelProto, recipe: Recipe) -> OutputSpec:
    classes = len(recipe.labels)
    if recipe.task == "classification":
        found = find_class_output(model, classes=classes, name=recipe.output.name)
        return OutputSpec(name=found.name, decoder="probabilities" if found.is_softmax else "logits")
    detector = find_detector_output(model, recipe.output.decoder, classes=classes, name=recipe.output.name)
    return OutputSpec(name=detector.name, decoder=detector.head)
