"""The stages in order, and how each is run once."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_compiler.artifact import Artifact
from model_compiler.errors import CompileError, NotPruned
from model_compiler.evaluation.evaluate import evaluate_candidates
from model_compiler.evaluation.evaluator import Evaluator
from model_compiler.graph.onnx_model import read_model_file
from model_compiler.machine_profile import read_machine_profile
from model_compiler.recipe import Recipe
from model_compiler.source import plain_artifact
from model_compiler.stage_cache import Document, StageCache
from model_compiler.stages import calibrate, engine, graft, package, quantize, ranges, verify
from model_compiler.stages.stage import Stage
from model_compiler.trainer import Trainer, TrainerCommand
from model_compiler.training_source import train_and_export
from model_compiler.variant import BuildVariant

RANGES = Stage(ranges.NAME, ranges.run, ranges.depends_on)
QUANTIZE = Stage(quantize.NAME, quantize.run, quantize.depends_on)
GRAFT = Stage(graft.NAME, graft.run, graft.depends_on)
ENGINE = Stage(engine.NAME, engine.run, engine.depends_on)
ENGINE_UNPROVEN = Stage(engine.NAME, engine.run_unproven, engine.unproven_depends_on)
"""In place of `ENGINE` where a build is made without the hardware that it is for."""
VERIFY = Stage(verify.NAME, verify.run, verify.depends_on)
PACKAGE = Stage(package.NAME, package.run, package.depends_on)
VARIANT_STAGES: Sequence[Stage] = (QUANTIZE, GRAFT, ENGINE, VERIFY, PACKAGE)
"""What every variant goes through, in this order; then all are evaluated together."""
CALIBRATE = Stage(calibrate.NAME, calibrate.run, calibrate.depends_on)


Sources = Mapping[bool, Artifact]
"""What variants begin with: the whole model (False), the pruned one (True), or both."""


@dataclass(frozen=True)
class Workshop:
    """Where and with what a compilation works.

    Attributes:
        cache: Finished stages.
        report: Told what is being done.
        trainer: Makes a trainer from its command.
        evaluate: Measures builds.
        declared: Hardware class that the operator declared for this machine; None takes what the machine says.
        now: The time of day, for the card.
    """

    cache: StageCache
    report: Callable[[str], None] = lambda _: None
    trainer: Callable[[Sequence[str]], Trainer] = TrainerCommand
    evaluate: Evaluator = evaluate_candidates
    declared: str | None = None
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    @property
    def hardware_class(self) -> str:
        """The class of this machine, which what is measured here is of."""
        return read_machine_profile().hardware_class(self.declared)

    def run(self, stage: Stage, artifact: Artifact, recipe: Recipe) -> Artifact:
        """Run a stage, unless it ran before on the same things.

        Raises:
            CompileError: The stage cannot go on.
        """
        key = self.cache.key(stage.name, artifact, stage.depends_on(artifact, recipe))
        known = self.cache.get(key)
        if known is not None:
            self.report(f"{_subject(artifact)}: {stage.name} (as before)")
            return known
        self.report(f"{_subject(artifact)}: {stage.name}")
        made = stage.run(artifact, recipe)
        self.cache.put(key, made)
        return made

    def once(
        self,
        name: str,
        facts: Mapping[str, Any],
        kind: type[Document],
        make: Callable[[], Document],
        *,
        final: Callable[[Document], bool] = lambda _: True,
    ) -> Document:
        """What ``make`` gives, unless it was made before under this name from the same facts.

        Args:
            name: What is made.
            facts: Everything that it depends on, as JSON values.
            kind: Of document.
            make: Called where it is not known.
            final: Whether it is kept; else it is made again the next time.
        """
        key = self.cache.key(name, None, facts)
        known = self.cache.get_document(key, kind)
        if known is not None:
            self.report(f"{name} (as before)")
            return known
        made = make()
        if final(made):
            self.cache.put_document(key, made)
        return made


def _subject(artifact: Artifact) -> str:
    return "model" if artifact.facts.variant is None else str(artifact.facts.variant)


def source_artifacts(
    recipe: Recipe, hardware_class: str, variants: Sequence[BuildVariant], workshop: Workshop
) -> Sources:
    """What the variants begin with: the plain FP32 model, with activation ranges where one of them needs them.

    Raises:
        CompileError: The source cannot be read or made, or is not what the recipe says.
    """
    artifacts = dict[bool, Artifact]()
    for pruned in sorted({variant.pruned for variant in variants}):
        path, notes = _source(recipe, workshop, pruned=pruned, compared=False in artifacts)
        workshop.report("pruned model: inspect" if pruned else "model: inspect")
        artifact = plain_artifact(read_model_file(path), recipe, hardware_class, notes)
        if pruned:
            artifact = artifact.knowing(parameter_reduction=_reduction(artifacts.get(False), artifact))
        if any(variant.variant == "int8" and variant.pruned == pruned for variant in variants):
            artifact = workshop.run(RANGES, artifact, recipe)
        artifacts[pruned] = artifact
    return artifacts


def _reduction(whole: Artifact | None, pruned: Artifact) -> float | None:
    before = None if whole is None else whole.facts.parameter_count
    after = pruned.facts.parameter_count
    return None if before is None or after is None or after > before else 1.0 - after / before


def _source(recipe: Recipe, workshop: Workshop, *, pruned: bool, compared: bool) -> tuple[Path, tuple[str, ...]]:
    if recipe.trainer is None:
        return recipe.onnx or Path(), ()
    trainer = workshop.trainer(recipe.trainer.command)
    folder_of, report = workshop.cache.scratch, workshop.report
    return train_and_export(recipe.trainer, recipe.seed, trainer, folder_of, report, pruned=pruned, compared=compared)


def make_variants(
    sources: Sources, variants: Sequence[BuildVariant], recipe: Recipe, workshop: Workshop
) -> tuple[dict[BuildVariant, Artifact], dict[BuildVariant, CompileError]]:
    """Take each variant through its stages; one that cannot be made does not stop the others.

    Each is packaged under a name of its own, ``<model>-<variant>-<backend>``, so that all can be served at once.

    Args:
        sources: As `source_artifacts` gives them.
        variants: In order of preference.
        recipe: Says how.
        workshop: Where and with what.

    Returns:
        The variants made, and why the others could not be.
    """
    made: dict[BuildVariant, Artifact] = {}
    refused: dict[BuildVariant, CompileError] = {}
    for variant in variants:
        named = recipe.model_copy(update={"model": f"{recipe.model}-{variant}"})
        artifact = sources[variant.pruned].knowing(variant=variant)
        try:
            if variant.pruned:
                _require_smaller(sources)
            for stage in VARIANT_STAGES:
                artifact = workshop.run(stage, artifact, named)
            made[variant] = artifact
        except CompileError as error:
            workshop.report(f"{variant}: refused: {error}")
            refused[variant] = error
    return made, refused


def _require_smaller(sources: Sources) -> None:
    """Where the whole network is there, too; without it only the trainer knows how large it was."""
    whole, pruned = (sources[key].facts.parameter_count if key in sources else None for key in (False, True))
    if whole is not None and pruned is not None and pruned >= whole:
        raise NotPruned(pruned, whole)
