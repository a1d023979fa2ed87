"""Prepares the graph for its runtime: what the runtime can do ahead of time, and whether it takes the graph at all."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from model_compiler.artifact import Artifact
from model_compiler.engines.catalogue import engine_for
from model_compiler.recipe import Recipe
from model_compiler.stages.package import DEFAULT_VARIANT

NAME = "engine"


def depends_on(artifact: Artifact, recipe: Recipe) -> Mapping[str, Any]:
    """What the result depends on beside the artifact."""
    variant = artifact.facts.variant or DEFAULT_VARIANT
    engine = engine_for(variant.backend, max_batch_size=recipe.serving.max_batch_size)
    return {"engine": engine.version(), "max_batch_size": recipe.serving.max_batch_size}


def run(artifact: Artifact, recipe: Recipe) -> Artifact:
    """Let the artifact's backend prepare the model.

    Raises:
        EngineUnavailable: The runtime cannot run here.
        UnsupportedByRuntime: It does not take the graph.
    """
    variant = artifact.facts.variant or DEFAULT_VARIANT
    engine = engine_for(variant.backend, max_batch_size=recipe.serving.max_batch_size)
    prepared = engine.prepare(artifact.model, variant.precision)
    return dataclasses.replace(artifact, model=prepared).recorded(NAME, engine.version())
