"""Compares a variant with the FP32 reference on frames, before anybody measures it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_compiler.artifact import Artifact
from model_compiler.engines.catalogue import engine_for
from model_compiler.engines.verification import Subject, verify
from model_compiler.frame_tensors import frames_sha256, prepared_frames
from model_compiler.recipe import Recipe
from model_compiler.stages.package import DEFAULT_VARIANT
from model_compiler.variant import Backend

NAME = "verify"
FRAMES = 16


def depends_on(_: Artifact, recipe: Recipe) -> Mapping[str, Any]:
    """What the result depends on beside the artifact."""
    folder = _folder(recipe)
    return {
        "frames": None if folder is None else frames_sha256(folder, count=FRAMES, seed=recipe.seed),
        "labels": recipe.labels,
        "seed": recipe.seed,
        "thresholds": None if recipe.thresholds is None else recipe.thresholds.model_dump(),
        "nms": recipe.nms.model_dump(),
        "max_batch_size": recipe.serving.max_batch_size,
    }


def run(artifact: Artifact, recipe: Recipe) -> Artifact:
    """Check that the variant gives what the reference gives, within what its precision allows.

    Frames that show nothing refuse no variant; what they leave open becomes a caveat of the build.

    Raises:
        VerificationFailed: It does not; the report names the layers that deviate most.
    """
    facts = artifact.facts
    variant = facts.variant or DEFAULT_VARIANT
    reference = Subject(
        model=artifact.reference,
        engine=engine_for("onnxruntime"),
        precision="f32",
        input=facts.reference_input,
        output=facts.reference_output,
    )
    # a TensorRT build is still ONNX here, and its plan is run by Triton only
    runner: Backend = "onnxruntime" if variant.backend == "tensorrt" else variant.backend
    candidate = Subject(
        model=artifact.model,
        engine=engine_for(runner, max_batch_size=recipe.serving.max_batch_size),
        precision=variant.precision,
        input=facts.input,
        output=facts.output,
    )
    report = verify(
        reference,
        candidate,
        _frames(artifact, recipe),
        variant=variant.variant,
        max_batch_size=recipe.serving.max_batch_size,
        thresholds=_thresholds(recipe),
        nms=recipe.nms,
    )
    report.require()
    caveats = list(artifact.facts.caveats)
    if report.caveat is not None:
        caveats.append(report.caveat)
    if _folder(recipe) is None:
        caveats.append(f"compared with the FP32 reference on {FRAMES} pictures of noise: no frames were given")
    return artifact.knowing(caveats=tuple(caveats)).recorded(NAME, *report.text().splitlines()[:1])


def _folder(recipe: Recipe) -> Path | None:
    section = recipe.calibration or recipe.evaluation
    return None if section is None else section.frames


def _frames(artifact: Artifact, recipe: Recipe) -> NDArray[np.uint8]:
    """Frames of the recipe, or noise where it has none."""
    spec = artifact.facts.reference_input
    folder = _folder(recipe)
    if folder is not None:
        return prepared_frames(folder, spec, count=FRAMES, seed=recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    return rng.integers(0, 256, (FRAMES, spec.height, spec.width, 3), dtype=np.uint8)


def _thresholds(recipe: Recipe) -> NDArray[np.float32]:
    given = recipe.card_thresholds
    return np.array([given.by_label.get(label, given.default) for label in recipe.labels], np.float32)
