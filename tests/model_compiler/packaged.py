"""A recipe taken through graft and package, as the pipeline does, without engine and frames."""

import onnx

from model_compiler.artifact import Artifact
from model_compiler.graph.onnx_model import read_model_file
from model_compiler.recipe import Recipe
from model_compiler.source import plain_artifact
from model_compiler.stages import graft, package


def packaged(recipe: Recipe, hardware_class: str = "x86-cpu", *, plain: onnx.ModelProto | None = None) -> Artifact:
    """The packaged artifact of a recipe's first variant; ``plain`` takes the place of its model."""
    assert recipe.onnx is not None
    model = plain or read_model_file(recipe.onnx)
    source = plain_artifact(model, recipe, hardware_class)
    variant = recipe.targets[hardware_class].variants[0]
    return package.run(graft.run(source.knowing(variant=variant), recipe), recipe)
