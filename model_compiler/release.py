"""From a recipe to one build: every variant is made and measured, the fastest inside the gate is written."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from contracts.hardware_class import HardwareClass
from model_compiler.artifact import Artifact
from model_compiler.compilation import Compilation
from model_compiler.errors import BuildExists, NoVariantLeft
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation_frames import evaluation_frames
from model_compiler.frame_folder import frame_paths
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.machine_profile import read_machine_profile
from model_compiler.measured_builds import measure_builds, measuring_facts
from model_compiler.packaging.build_directory import write_build
from model_compiler.pipeline import CALIBRATE, Workshop, make_variants, source_artifacts
from model_compiler.recipe import Recipe
from model_compiler.reporting.build_report import BuildReport
from model_compiler.selection import Selection, select
from model_compiler.stages import package
from model_compiler.variant import BuildVariant

Made = Mapping[BuildVariant, Artifact]


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
    if recipe.calibration is not None:
        frame_paths(recipe.calibration.frames)
    frames = None if recipe.evaluation is None else evaluation_frames(recipe, recipe.evaluation)
    sources = source_artifacts(recipe, hardware_class, variants, workshop)
    made, refused = make_variants(sources, variants, recipe, workshop)
    reasons = [f"{variant}: {reason}" for variant, reason in refused.items()]
    if not made:
        raise NoVariantLeft(name, reasons)
    selection = _selection(made, recipe, target, frames, workshop)
    compilation = Compilation(recipe, target, sources, made, refused, selection, frames)
    report, winner = compilation.report(workshop), compilation.winner
    if report is not None and reports is not None:
        report.write(reports / f"{name}.json")
    if selection.chosen is None or winner is None:
        misses = [f"{each}: {miss}" for each, result in selection.results.items() for miss in result.failures]
        raise NoVariantLeft(name, [*misses, *reasons])
    final = package.run(_measured(_calibrated(winner, recipe, workshop), selection), recipe)
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
    if recipe.evaluation is None or frames is None:
        return Selection(results={}, chosen=str(next(iter(made))), reason="the first variant; nothing was measured")
    settings, builds = recipe.evaluation, {str(variant): artifact for variant, artifact in made.items()}
    facts = {
        **measuring_facts(builds, frames, settings),
        "gate": recipe.gate.model_dump(mode="json"),
        "target": target.model_dump(mode="json"),
    }

    def judged() -> Selection:
        measured = measure_builds(builds, frames, settings, workshop)
        here = read_machine_profile().hardware_class
        # what `verify` could not show; the gate's own are added to it
        caveats = {str(variant): artifact.facts.caveats for variant, artifact in made.items()}
        return select(measured, tuple(made), recipe, target, here).with_caveats(caveats)

    return workshop.once("evaluate", facts, Selection, judged)


def _measured(artifact: Artifact, selection: Selection) -> Artifact:
    result = selection.results.get(str(artifact.facts.variant))
    if result is None:
        return artifact
    metrics = result.metrics if result.agreement is None else (*result.metrics, result.agreement)
    performance = (result.performance_on(artifact.facts.hardware_class),)
    return artifact.knowing(metrics=metrics, performance=performance, caveats=result.caveats)


def _calibrated(artifact: Artifact, recipe: Recipe, workshop: Workshop) -> Artifact:
    if recipe.calibration is None or not recipe.grafted:
        return artifact
    return workshop.run(CALIBRATE, artifact, recipe)
