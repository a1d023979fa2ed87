"""Whether the calibration frames of a recipe can be used, before anything is trained or made."""

from collections.abc import Iterable

from model_compiler.errors import CalibrationMissing
from model_compiler.evaluation.labelled_frames import read_labelled_frames
from model_compiler.frame_folder import frame_paths
from model_compiler.quantization.calibration_frames import require_usable_frames
from model_compiler.recipe import Recipe
from model_compiler.variant import BuildVariant


def require_calibration_frames(recipe: Recipe, variants: Iterable[BuildVariant]) -> None:
    """Read them as the stages will: with their labels for a grafted build, and for INT8 those that ranges are of.

    Args:
        recipe: Names the folder, or none.
        variants: Those that are to be made.

    Raises:
        CalibrationMissing: There are none, and INT8 needs them.
        CompileError: There are too few, a label is wrong, or a picture is damaged, of one colour or a copy.
    """
    settings = recipe.calibration
    quantized = any(variant.variant == "int8" for variant in variants)
    if settings is None:
        if quantized:
            raise CalibrationMissing(recipe.model)
        return
    if recipe.grafted:
        read_labelled_frames(settings.frames, recipe.labels, recipe.task)
    else:
        frame_paths(settings.frames)
    if quantized:
        require_usable_frames(settings)
