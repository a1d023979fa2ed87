"""From a recipe to one build: every variant is made and measured, the fastest inside the gate is written."""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from contracts.hardware_class import HardwareClass
from model_compiler.artifact import Artifact
from model_compiler.calibration_check import require_calibration_frames
from model_compiler.compilation import Compilation
from model_compiler.errors import BuildExists, NoVariantLeft
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation_frames import evaluation_frames
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.measured_builds import measure_builds, measuring_facts, unmeasured_results
from model_compiler.packaging.build_directory import write_build
from model_compiler.pipeline import CALIBRATE, Workshop, make_variants, source_artifacts
from model_compiler.recipe import Recipe
from model_compiler.reporting.build_report import BuildReport
from model_compiler.selection import Selection, choose, select
from model_compiler.stages import package
from model_compiler.variant import BuildVariant

Made = Mapping[BuildVariant, Artifact]
NO_FRAMES = "the recipe names no frames to measure on (`evaluation`)"


@dataclasses.dataclass(frozen=True)
class Release:
    """A build that was written, and why it is this one.

    Attributes:
        directory: The build.
        chosen: The variant, ``<variant>-<backend>``.
        reason: One sentence.
        report: Everything measured; None where the recipe does not say on what.
        caveats: What was not shown of it, a sentence each; they stand in the card, too.
    """

    directory: Path
    chosen: str
    reason: str
    report: BuildReport | None
    caveats: tuple[str, ...] = ()


def build(
    recipe: Recipe, hardware_class: str, output: Path, workshop: Workshop, *, reports: Path | None = None
) -> Release:
    """Compile a recipe and write the build.

    Args:
        recipe: As read.
        hardware_class: One of its targets.
        output: Folder of builds.
        workshop: Where and with what.
        reports: Folder for ``<build>.json``, what was measured of each variant; written also when none is good enough.

    Raises:
        CompileError: A stage cannot go on, every variant was refused, or the build exists.
    """
    name = recipe.build_name(hardware_class)
    if (output / name).exists():
        raise BuildExists(output / name)
    target = find_hardware_class(hardware_class)
    variants = variants_of(recipe, target)
    # first of all, because training and making the variants take long
    require_calibration_frames(recipe, variants)
    frames = None if recipe.evaluation is None else evaluation_frames(recipe, recipe.evaluation)
    sources = source_artifacts(recipe, hardware_class, variants, workshop)
    made, refused = make_variants(sources, variants, recipe, workshop)
    reasons = [f"{variant}: {reason}" for variant, reason in refused.items()]
    if not made:
        raise NoVariantLeft(name, reasons)
    selection = _selection(made, recipe, target, frames, workshop)
    reasons += [f"{variant}: {reason}" for variant, reason in selection.failed.items()]
    compilation = Compilation(recipe, target, sources, made, refused, selection, frames)
    report, winner = compilation.report(workshop), compilation.winner
    if report is not None and reports is not None:
        report.write(reports / f"{name}.json")
    if selection.chosen is None or winner is None:
        misses = [f"{each}: {miss}" for each, result in selection.results.items() for miss in result.failures]
        raise NoVariantLeft(name, [*misses, *reasons])
    built_at = workshop.now().astimezone(dt.UTC).replace(microsecond=0)
    final = package.run(_measured(_calibrated(winner, recipe, workshop), selection), recipe, built_at)
    directory = write_build(name, final.build, output)
    return Release(directory, selection.chosen, selection.reason, report, final.facts.caveats)


def variants_of(recipe: Recipe, target: HardwareClass) -> tuple[BuildVariant, ...]:
    """What the recipe names for the class, or else what the class itself runs, in order of preference."""
    own = tuple(BuildVariant(variant=each.variant, backend=each.backend) for each in target.variants)
    if recipe.trainer is not None and recipe.trainer.prune is not None:
        own = (*own, *(variant.model_copy(update={"pruned": True}) for variant in own))
    return recipe.targets[target.name].variants or own


def _selection(
    made: Made, recipe: Recipe, target: HardwareClass, frames: LabelledFrames | None, workshop: Workshop
) -> Selection:
    builds = {str(variant): artifact for variant, artifact in made.items()}
    # what `verify` could not show; what measuring leaves open is added to it
    caveats = {name: artifact.facts.caveats for name, artifact in builds.items()}
    if recipe.evaluation is None or frames is None:
        sizes = unmeasured_results(builds, NO_FRAMES)
        results = {variant: sizes[str(variant)] for variant in made}
        return choose(results, recipe, target, workshop.hardware_class).with_caveats(caveats)
    settings = recipe.evaluation
    facts = {
        **measuring_facts(builds, frames, settings, workshop),
        "gate": recipe.gate.model_dump(mode="json"),
        "target": target.model_dump(mode="json"),
    }

    def judged() -> Selection:
        measured = measure_builds(builds, frames, settings, workshop)
        return select(measured, tuple(made), recipe, target, workshop.hardware_class).with_caveats(caveats)

    # what did not load or answer may do so the next time
    return workshop.once("evaluate", facts, Selection, judged, final=lambda found: not found.failed)


def _measured(artifact: Artifact, selection: Selection) -> Artifact:
    result = selection.results.get(str(artifact.facts.variant))
    if result is None:
        return artifact
    metrics = result.metrics if result.agreement is None else (*result.metrics, result.agreement)
    performance = (result.performance_on(artifact.facts.hardware_class),)
    caveats = tuple(dict.fromkeys((*result.caveats, *artifact.facts.caveats)))
    return artifact.knowing(metrics=metrics, performance=performance, caveats=caveats)


def _calibrated(artifact: Artifact, recipe: Recipe, workshop: Workshop) -> Artifact:
    if recipe.calibration is None or not recipe.grafted:
        return artifact
    return workshop.run(CALIBRATE, artifact, recipe)
