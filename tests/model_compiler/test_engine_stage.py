"""The stage ``engine`` where TensorRT cannot run: it stops, or packages what no plan was built from and says so."""

import pytest

from model_compiler.artifact import Artifact
from model_compiler.engines.catalogue import engine_for
from model_compiler.engines.errors import EngineUnavailable
from model_compiler.engines.tensorrt_graph import for_tensorrt
from model_compiler.graph.onnx_model import read_model_file
from model_compiler.pipeline import ENGINE, ENGINE_UNPROVEN
from model_compiler.recipe import Recipe
from model_compiler.source import plain_artifact
from model_compiler.stages import graft
from model_compiler.stages.engine import NO_PLAN
from model_compiler.variant import Backend, BuildVariant
from tests.model_compiler.tensorrt_here import NEEDS_NO_TENSORRT

pytestmark = NEEDS_NO_TENSORRT


def grafted(recipe: Recipe, backend: Backend) -> Artifact:
    variant = BuildVariant(variant="f32", backend=backend)
    assert recipe.onnx is not None
    return graft.run(plain_artifact(read_model_file(recipe.onnx), recipe, "x86-cpu").knowing(variant=variant), recipe)


def test_a_recipe_stops(recipe: Recipe) -> None:
    with pytest.raises(EngineUnavailable, match="tensorrt cannot run here"):
        ENGINE.run(grafted(recipe, "tensorrt"), recipe)


def test_a_build_from_onnx_gets_the_form_and_the_caveat(recipe: Recipe) -> None:
    given = grafted(recipe, "tensorrt")
    made = ENGINE_UNPROVEN.run(given, recipe)
    assert made.model == for_tensorrt(given.model) != given.model
    assert made.facts.caveats == (NO_PLAN,)
    assert made.facts.history[-1].notes == (engine_for("tensorrt").missing(),)
    assert ENGINE_UNPROVEN.depends_on(given, recipe) != ENGINE.depends_on(given, recipe)


def test_what_can_run_is_proved_all_the_same(recipe: Recipe) -> None:
    given = grafted(recipe, "openvino")
    assert ENGINE_UNPROVEN.run(given, recipe) == ENGINE.run(given, recipe)
