"""From a build to the build of another hardware class: without frames to calibrate with, training, or a GPU."""

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from contracts.hardware_class import HardwareClass
from model_compiler.artifact import Artifact, ArtifactFacts
from model_compiler.errors import CompileError, NoVariantLeft, VariantNotRunnable
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.kept_facts import with_kept_facts
from model_compiler.packaged_source import PackagedSource, variant_of
from model_compiler.pipeline import ENGINE_UNPROVEN, GRAFT, QUANTIZE, VERIFY, Workshop
from model_compiler.recipe import NetworkOutput, Recipe, Target
from model_compiler.stages import package
from model_compiler.stages.stage import Stage
from model_compiler.variant import BuildVariant

_FLOATS = frozenset({"f32", "bf16", "f16"})


@dataclasses.dataclass(frozen=True)
class Rebuild:
    """A build that was made and not written.

    Attributes:
        name: ``<model>-<version>_<class>``.
        variant: How it is run.
        reason: Why so, one sentence.
        artifact: With its files.
    """

    name: str
    variant: BuildVariant
    reason: str
    artifact: Artifact


def rebuild(
    source: PackagedSource,
    target: HardwareClass,
    workshop: Workshop,
    *,
    frames: Path | None = None,
    built_at: dt.datetime | None = None,
) -> Rebuild:
    """Make the build of a class from a packaged ONNX file, in the first variant that agrees with it.

    Args:
        source: What it is made from.
        target: What it is made for.
        workshop: Where and with what.
        frames: Folder of pictures to compare on; None takes noise, and says so in the card.
        built_at: For the card; None leaves it open, so that the same source gives the same bytes.

    Raises:
        VariantNotRunnable: The class runs nothing that can be made of it.
        NoVariantLeft: Every variant was refused.
    """
    recipe = _recipe(source, target, frames)
    name = recipe.build_name(target.name)
    refused: list[str] = []
    variants = variants_of_source(source, target)
    for variant in variants:
        try:
            made = _made(source, target, variant, recipe, workshop)
        except CompileError as error:
            workshop.report(f"{variant}: refused: {error}")
            refused.append(f"{variant}: {error}")
            continue
        packaged = package.run(with_kept_facts(made, source, variant), recipe, built_at)
        return Rebuild(name, variant, _reason(source, target, refused), packaged)
    raise NoVariantLeft(name, refused)


def variants_of_source(source: PackagedSource, target: HardwareClass) -> tuple[BuildVariant, ...]:
    """What a class can run of a build without calibration, in its order of preference; for its own class as it is.

    FP32 numbers become any float variant; others stay what they are.

    Raises:
        VariantNotRunnable: There is nothing.
    """
    own = source.variant
    if source.card.hardware_class == target.name:
        return (own,)
    wanted = _FLOATS if own.variant in {"f32", "bf16"} else {own.variant}
    runnable = (each for each in target.variants if each.variant in wanted)
    found = tuple(variant_of(source.card, each.variant, each.backend) for each in runnable)
    if not found:
        runs = [f"{each.variant}-{each.backend}" for each in target.variants]
        raise VariantNotRunnable(source.card.build, own.variant, target.name, runs)
    return found


def _reason(source: PackagedSource, target: HardwareClass, refused: list[str]) -> str:
    if source.card.hardware_class == target.name:
        return f"as {source.card.build} is run"
    order = f"the first of {target.name} that {source.card.build} gives without calibration frames"
    return f"{order} and that was not refused" if refused else order


def _recipe(source: PackagedSource, target: HardwareClass, frames: Path | None) -> Recipe:
    card = source.card
    plain_output = NetworkOutput(name=card.output.name)
    if card.output.decoder == "yolov5":
        plain_output = NetworkOutput(decoder="yolov5", name=card.output.name)
    return Recipe(
        model=card.model,
        version=card.version,
        description=card.description,
        changelog=card.changelog,
        task=card.task,
        onnx=source.directory,
        labels=card.labels,
        output=plain_output,
        thresholds=card.thresholds,
        nms=card.nms,
        grafted=source.wants_graft,
        evaluation=None if frames is None else EvaluationSettings(frames=frames),
        targets={target.name: Target()},
        serving=source.serving,
    )


def _made(
    source: PackagedSource, target: HardwareClass, variant: BuildVariant, recipe: Recipe, workshop: Workshop
) -> Artifact:
    artifact = _source_artifact(source, target).knowing(variant=variant)
    for stage in _stages(source, variant):
        artifact = workshop.run(stage, artifact, recipe)
    return artifact


def _stages(source: PackagedSource, variant: BuildVariant) -> Iterator[Stage]:
    if variant.variant == "f16" and source.variant.variant != "f16":
        yield QUANTIZE
    if source.wants_graft:
        yield GRAFT
    yield from (ENGINE_UNPROVEN, VERIFY)


def _source_artifact(source: PackagedSource, target: HardwareClass) -> Artifact:
    card, given = source.card, source.card.input
    facts = ArtifactFacts(
        hardware_class=target.name,
        input=given,
        output=card.output,
        reference_input=given,
        reference_output=card.output,
        reference_is_plain=_is_plain(source),
        plain_sha256=card.reference_sha256,
        parameter_count=card.parameter_count,
        parameter_reduction=card.parameter_reduction,
        quantization=card.quantization,
    )
    return Artifact(model=source.model, reference=source.model, facts=facts).recorded("source", card.build)


def _is_plain(source: PackagedSource) -> bool:
    """Whether it is the plain FP32 model itself, and not made of one that its card names."""
    return source.card.reference_sha256 is None and not source.takes_pixels and source.card.variant in {"f32", "bf16"}
