"""What the scores of a build mean and what its answers look like, from the calibration frames, into the card."""

from collections.abc import Mapping
from typing import Any

from contracts.model_card import Thresholds
from model_compiler.artifact import Artifact
from model_compiler.evaluation.calibration import calibrate_build
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.evaluate import predict
from model_compiler.evaluation.labelled_frames import LabelledFrames, read_labelled_frames
from model_compiler.recipe import Recipe
from model_compiler.stages.ranges import settings_of

NAME = "calibrate"


def depends_on(_: Artifact, recipe: Recipe) -> Mapping[str, Any]:
    """What the result depends on beside the artifact.

    Raises:
        CompileError: The frames or their labels cannot be used.
    """
    return {"frames": _frames(recipe).sha256, "seed": recipe.seed}


def run(artifact: Artifact, recipe: Recipe) -> Artifact:
    """Add calibrated confidence, the thresholds of the best F1 score and the drift reference.

    The artifact is a packaged one: it is asked through the gateway. One that the gateway cannot serve gets a caveat.

    Raises:
        CompileError: The frames or their labels cannot be used, or the gateway fails.
    """
    candidate = Candidate(NAME, artifact.build)
    if candidate.not_measurable:
        caveat = f"no calibrated confidence and no drift reference: {candidate.not_measurable}"
        return artifact.knowing(caveats=(*artifact.facts.caveats, caveat)).recorded(NAME)
    frames = _frames(recipe)
    found = calibrate_build(predict(candidate, frames), frames, seed=recipe.seed)
    return artifact.knowing(
        confidence=found.confidence,
        drift_reference=found.drift_reference,
        thresholds=Thresholds(by_label=found.thresholds) if found.thresholds else None,
    ).recorded(NAME, *found.notes)


def _frames(recipe: Recipe) -> LabelledFrames:
    return read_labelled_frames(settings_of(recipe).frames, recipe.labels, recipe.task)
