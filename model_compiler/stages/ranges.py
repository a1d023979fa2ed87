"""Sees what values the activations of a model take: one run of the calibration frames, used by every INT8 variant."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from model_compiler.artifact import Artifact
from model_compiler.errors import CalibrationMissing
from model_compiler.quantization.calibrate import calibrate
from model_compiler.quantization.calibration_frames import read_calibration_frames
from model_compiler.quantization.settings import QuantizationSettings
from model_compiler.recipe import Recipe

NAME = "ranges"


def settings_of(recipe: Recipe) -> QuantizationSettings:
    """The recipe's section.

    Raises:
        CalibrationMissing: It has none.
    """
    if recipe.calibration is None:
        raise CalibrationMissing(recipe.model)
    return recipe.calibration


def depends_on(artifact: Artifact, recipe: Recipe) -> Mapping[str, Any]:
    """What the result depends on beside the artifact; reading the frames names every unusable one.

    Raises:
        CompileError: There are no frames, or they cannot be used.
    """
    settings = settings_of(recipe)
    frames = read_calibration_frames(settings, artifact.facts.reference_input)
    return {
        "frames": frames.sha256,
        "method": settings.method,
        "percentile": settings.percentile,
        "seed": settings.seed,
    }


def run(artifact: Artifact, recipe: Recipe) -> Artifact:
    """Add the ranges to the artifact.

    Raises:
        CompileError: The frames cannot be used, or the model gives no numbers on them.
    """
    settings = settings_of(recipe)
    frames = read_calibration_frames(settings, artifact.facts.reference_input)
    cache = calibrate(artifact.reference, frames, settings)
    note = f"{settings.method} of {len(cache.ranges)} activations over {len(frames)} frames"
    return dataclasses.replace(artifact, ranges=cache.to_bytes()).recorded(NAME, note)
