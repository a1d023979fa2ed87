"""Gives a variant its numbers: static INT8, half floats, or smaller weights; a float variant stays as it is."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from model_compiler.artifact import Artifact
from model_compiler.quantization.calibration_cache import CalibrationCache
from model_compiler.quantization.calibration_frames import read_calibration_frames
from model_compiler.quantization.grafted_half_float import grafted_to_float16
from model_compiler.quantization.half_float import to_float16
from model_compiler.quantization.sensitivity import choose_float_nodes
from model_compiler.quantization.static_int8 import quantize_static
from model_compiler.quantization.weight_only import quantize_weights
from model_compiler.recipe import Recipe
from model_compiler.stages.package import DEFAULT_VARIANT
from model_compiler.stages.ranges import settings_of

NAME = "quantize"


def depends_on(artifact: Artifact, recipe: Recipe) -> Mapping[str, Any]:
    """What the result depends on beside the artifact.

    Raises:
        CompileError: There are no frames, or they cannot be used.
    """
    variant = artifact.facts.variant or DEFAULT_VARIANT
    if variant.variant != "int8":
        return {"variant": str(variant)}
    settings = settings_of(recipe)
    # their content and not their place: the same frames in another folder give the same numbers
    frames = read_calibration_frames(settings, artifact.facts.reference_input).sha256
    chosen = settings.model_dump(mode="json", exclude={"frames"})
    return {"variant": str(variant), "task": recipe.task, "settings": chosen, "frames": frames}


def run(artifact: Artifact, recipe: Recipe) -> Artifact:
    """Change the model's numbers as its variant says.

    Raises:
        CompileError: They cannot be changed so, or it would only hurt; the message says why.
    """
    variant = (artifact.facts.variant or DEFAULT_VARIANT).variant
    if variant == "int8":
        return _static_int8(artifact, recipe)
    if variant == "f16":
        convert = grafted_to_float16 if artifact.facts.input.datatype == "UINT8" else to_float16
        return dataclasses.replace(artifact, model=convert(artifact.model)).recorded(NAME)
    if variant == "int8-dynamic" or variant == "int4-weights":  # noqa: PLR1714, mypy narrows by comparison
        return dataclasses.replace(artifact, model=quantize_weights(artifact.model, variant)).recorded(NAME)
    return artifact


def _static_int8(artifact: Artifact, recipe: Recipe) -> Artifact:
    settings = settings_of(recipe)
    scheme = (artifact.facts.variant or DEFAULT_VARIANT).scheme
    cache = CalibrationCache.from_bytes(artifact.ranges)
    frames = read_calibration_frames(settings, artifact.facts.reference_input)
    kept = choose_float_nodes(artifact.model, cache, scheme, frames, settings, task=recipe.task)
    quantized = quantize_static(
        artifact.model,
        cache,
        scheme,
        float_nodes=kept.float_nodes,
        task=recipe.task,
        float_classifier=settings.float_classifier,
    )
    facts = quantized.facts.model_copy(update={"sqnr_db": kept.value})
    changed = dataclasses.replace(artifact, model=quantized.model).knowing(quantization=facts)
    return changed.recorded(NAME, *kept.notes())
