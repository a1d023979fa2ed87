"""Prepares the graph for its runtime: what the runtime can do ahead of time, and whether it takes the graph at all."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from model_compiler.artifact import Artifact
from model_compiler.engines.catalogue import engine_for
from model_compiler.engines.engine import Engine
from model_compiler.engines.tensorrt_graph import for_tensorrt
from model_compiler.recipe import Recipe
from model_compiler.stages.package import DEFAULT_VARIANT

NAME = "engine"
NO_PLAN = "no TensorRT plan was built from it yet: the device compiles it"


def depends_on(artifact: Artifact, recipe: Recipe) -> Mapping[str, Any]:
    """What the result depends on beside the artifact."""
    return {"engine": _engine(artifact, recipe).version(), "max_batch_size": recipe.serving.max_batch_size}


def run(artifact: Artifact, recipe: Recipe) -> Artifact:
    """Let the artifact's backend prepare the model.

    Raises:
        EngineUnavailable: The runtime cannot run here.
        UnsupportedByRuntime: It does not take the graph.
    """
    variant = artifact.facts.variant or DEFAULT_VARIANT
    engine = _engine(artifact, recipe)
    prepared = engine.prepare(artifact.model, variant.precision)
    return dataclasses.replace(artifact, model=prepared).recorded(NAME, engine.version())


def unproven_depends_on(artifact: Artifact, recipe: Recipe) -> Mapping[str, Any]:
    """What the result of `run_unproven` depends on beside the artifact."""
    return {**depends_on(artifact, recipe), "missing": _engine(artifact, recipe).missing()}


def run_unproven(artifact: Artifact, recipe: Recipe) -> Artifact:
    """As `run`; where TensorRT cannot run here, the graph gets the form that it takes, and a caveat.

    Raises:
        UnsupportedByRuntime: The runtime does not take the graph, or TensorRT could not.
    """
    missing = _engine(artifact, recipe).missing()
    if missing is None or (artifact.facts.variant or DEFAULT_VARIANT).backend != "tensorrt":
        return run(artifact, recipe)
    made = dataclasses.replace(artifact, model=for_tensorrt(artifact.model))
    return made.knowing(caveats=(*artifact.facts.caveats, NO_PLAN)).recorded(NAME, missing)


def _engine(artifact: Artifact, recipe: Recipe) -> Engine:
    variant = artifact.facts.variant or DEFAULT_VARIANT
    return engine_for(variant.backend, max_batch_size=recipe.serving.max_batch_size)
