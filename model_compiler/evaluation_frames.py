"""The frames that a recipe is measured on."""

from model_compiler.evaluation.labelled_frames import LabelledFrames, read_labelled_frames
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.recipe import Recipe


def evaluation_frames(recipe: Recipe, settings: EvaluationSettings) -> LabelledFrames:
    """Read them with their labels.

    Raises:
        CompileError: There are none, or a label cannot be used.
    """
    return read_labelled_frames(
        settings.frames,
        recipe.labels,
        recipe.task,
        annotations=settings.labels,
        count=settings.count,
        seed=settings.seed,
    )
