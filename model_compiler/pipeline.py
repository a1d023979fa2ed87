"""The stages in order, and how each is run once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_compiler.artifact import Artifact
from model_compiler.errors import CompileError
from model_compiler.graph.onnx_model import read_model_file
from model_compiler.recipe import Recipe
from model_compiler.source import plain_artifact
from model_compiler.stage_cache import StageCache
from model_compiler.stages import calibrate, engine, graft, package, quantize, ranges, verify
from model_compiler.stages.stage import Stage
from model_compiler.trainer import Trainer, TrainerCommand
from model_compiler.training_source import train_and_export
from model_compiler.variant import BuildVariant

RANGES = Stage(ranges.NAME, ranges.run, ranges.depends_on)
VARIANT_STAGES: Sequence[Stage] = (
    Stage(quantize.NAME, quantize.run, quantize.depends_on),
    Stage(graft.NAME, graft.run, graft.depends_on),
    Stage(engine.NAME, engine.run, engine.depends_on),
    Stage(verify.NAME, verify.run, verify.depends_on),
    Stage(package.NAME, package.run, package.depends_on),
)
"""What every variant goes through, in this order; then all are evaluated together."""
CALIBRATE = Stage(calibrate.NAME, calibrate.run, calibrate.depends_on)


@dataclass(frozen=True)
class Workshop:
    """Where and with what a compilation works.

    Attributes:
        cache: Finished stages.
        report: Told what is being done.
        trainer: Makes a trainer from its command.
    """

    cache: StageCache
    report: Callable[[str], None] = lambda _: None
    trainer: Callable[[Sequence[str]], Trainer] = TrainerCommand

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


def _subject(artifact: Artifact) -> str:
    return "model" if artifact.facts.variant is None else str(artifact.facts.variant)


def common_artifact(
    recipe: Recipe, hardware_class: str, variants: Sequence[BuildVariant], workshop: Workshop
) -> Artifact:
    """What all variants begin with: the plain FP32 model, with activation ranges where one of them needs them.

    Raises:
        CompileError: The source cannot be read or made, or is not what the recipe says.
    """
    path, notes = _source(recipe, workshop)
    workshop.report("model: inspect")
    artifact = plain_artifact(read_model_file(path), recipe, hardware_class, notes)
    if any(variant.variant == "int8" for variant in variants):
        artifact = workshop.run(RANGES, artifact, recipe)
    return artifact


def _source(recipe: Recipe, workshop: Workshop) -> tuple[Path, tuple[str, ...]]:
    if recipe.trainer is None:
        return recipe.onnx or Path(), ()
    trainer = workshop.trainer(recipe.trainer.command)
    return train_and_export(recipe.trainer, recipe.seed, trainer, workshop.cache.scratch, workshop.report)


def make_variants(
    source: Artifact, variants: Sequence[BuildVariant], recipe: Recipe, workshop: Workshop
) -> tuple[dict[BuildVariant, Artifact], dict[BuildVariant, CompileError]]:
    """Take each variant through its stages; one that cannot be made does not stop the others.

    Each is packaged under a name of its own, ``<model>-<variant>-<backend>``, so that all can be served at once.

    Returns:
        The variants made, and why the others could not be.
    """
    made: dict[BuildVariant, Artifact] = {}
    refused: dict[BuildVariant, CompileError] = {}
    for variant in variants:
        named = recipe.model_copy(update={"model": f"{recipe.model}-{variant}"})
        artifact = source.knowing(variant=variant)
        try:
            for stage in VARIANT_STAGES:
                artifact = workshop.run(stage, artifact, named)
            made[variant] = artifact
        except CompileError as error:
            workshop.report(f"{variant}: refused: {error}")
            refused[variant] = error
    return made, refused
