"""From a recipe to one build: every variant is made and measured, the fastest inside the gate is written."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from contracts.hardware_class import HardwareClass
from contracts.machine_class import detect_class
from model_compiler.artifact import Artifact
from model_compiler.errors import BuildExists, CompileError, NoVariantLeft
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.evaluate import evaluate_candidates
from model_compiler.evaluation_frames import evaluation_frames
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.machine_profile import read_machine_profile
from model_compiler.packaging.build_directory import write_build
from model_compiler.pipeline import CALIBRATE, Workshop, common_artifact, make_variants
from model_compiler.range_methods import compare_range_methods
from model_compiler.recipe import Recipe
from model_compiler.reporting.build_report import BuildReport
from model_compiler.selection import Selection, select
from model_compiler.stages import package
from model_compiler.variant import BuildVariant

Made = Mapping[BuildVariant, Artifact]
Refused = Mapping[BuildVariant, CompileError]


@dataclasses.dataclass(frozen=True)
class Release:
    """A build that was written, and why it is this one.

    Attributes:
        directory: The build.
        chosen: The variant, ``<variant>-<backend>``.
        reason: One sentence.
        report: Everything measured; None where the recipe does not say on what.
    """

    directory: Path
    chosen: str
    reason: str
    report: BuildReport | None


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
    source = common_artifact(recipe, hardware_class, variants, workshop)
    made, refused = make_variants(source, variants, recipe, workshop)
    reasons = [f"{variant}: {reason}" for variant, reason in refused.items()]
    if not made:
        raise NoVariantLeft(name, reasons)
    selection = _selection(made, recipe, target, workshop)
    report = _report(recipe, target, selection, refused, source, workshop)
    if report is not None and reports is not None:
        report.write(reports / f"{name}.json")
    if selection.chosen is None:
        misses = [f"{each}: {miss}" for each, result in selection.results.items() for miss in result.failures]
        raise NoVariantLeft(name, [*misses, *reasons])
    winner = next(artifact for variant, artifact in made.items() if str(variant) == selection.chosen)
    final = package.run(_measured(_calibrated(winner, recipe, workshop), selection), recipe)
    return Release(write_build(name, final.build, output), selection.chosen, selection.reason, report)


def variants_of(recipe: Recipe, target: HardwareClass) -> tuple[BuildVariant, ...]:
    """What the recipe names for the class, or else what the class itself runs, in order of preference."""
    own = tuple(BuildVariant(variant=each.variant, backend=each.backend) for each in target.variants)
    return recipe.targets[target.name].variants or own


def _selection(made: Made, recipe: Recipe, target: HardwareClass, workshop: Workshop) -> Selection:
    if recipe.evaluation is None:
        return Selection(results={}, chosen=str(next(iter(made))), reason="the first variant; nothing was measured")
    frames = evaluation_frames(recipe, recipe.evaluation)
    machine = read_machine_profile()
    here = detect_class(machine.facts).name
    facts = {
        "builds": [[str(variant), artifact.identity] for variant, artifact in made.items()],
        "frames": frames.sha256,
        "settings": recipe.evaluation.model_dump(mode="json"),
        "gate": recipe.gate.model_dump(mode="json"),
        "target": target.model_dump(mode="json"),
        "machine": [here, machine.cpu_model, machine.cpu_count],
    }
    key = workshop.cache.key("evaluate", None, facts)
    known = workshop.cache.get_document(key, Selection)
    if known is not None:
        workshop.report("evaluate (as before)")
        return known
    candidates = [Candidate(str(variant), artifact.build) for variant, artifact in made.items()]
    measured = evaluate_candidates(candidates, frames, recipe.evaluation, hardware_class=here, report=workshop.report)
    selection = select(measured, tuple(made), recipe, target, here)
    workshop.cache.put_document(key, selection)
    return selection


def _report(
    recipe: Recipe,
    target: HardwareClass,
    selection: Selection,
    refused: Refused,
    source: Artifact,
    workshop: Workshop,
) -> BuildReport | None:
    if recipe.evaluation is None:
        return None
    frames = evaluation_frames(recipe, recipe.evaluation)
    variants = tuple(selection.results.values())
    floats = [result.name for result in variants if result.difference is None and result.agreement is None]
    return BuildReport(
        model=recipe.model,
        version=recipe.version,
        hardware_class=target.name,
        task=recipe.task,
        measured_on=detect_class(read_machine_profile().facts).name,
        dataset=recipe.evaluation.frames.name,
        dataset_sha256=frames.sha256,
        frames=len(frames),
        labelled=frames.labelled,
        baseline=(floats or [variants[0].name])[0],
        variants=variants,
        refused={str(variant): str(reason) for variant, reason in refused.items()},
        chosen=selection.chosen,
        choice_reason=selection.reason,
        gate=recipe.gate,
        range_methods=compare_range_methods(source, recipe, workshop) if recipe.compare_range_methods else (),
        notes=tuple(note for record in source.facts.history for note in record.notes),
    )


def _measured(artifact: Artifact, selection: Selection) -> Artifact:
    result = selection.results.get(str(artifact.facts.variant))
    if result is None:
        return artifact
    metrics = result.metrics if result.agreement is None else (*result.metrics, result.agreement)
    return artifact.knowing(metrics=metrics, performance=(result.performance_on(artifact.facts.hardware_class),))


def _calibrated(artifact: Artifact, recipe: Recipe, workshop: Workshop) -> Artifact:
    if recipe.calibration is None or not recipe.grafted:
        return artifact
    return workshop.run(CALIBRATE, artifact, recipe)
