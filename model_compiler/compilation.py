"""A recipe compiled for one hardware class, and the report on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contracts.hardware_class import HardwareClass
from model_compiler.artifact import Artifact
from model_compiler.errors import CompileError
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.graft_comparison import compare_with_plain
from model_compiler.pipeline import Sources, Workshop
from model_compiler.range_methods import compare_range_methods
from model_compiler.recipe import Recipe
from model_compiler.reporting.build_report import BuildReport, RangeMethodResult
from model_compiler.reporting.goal import Goal
from model_compiler.selection import Selection
from model_compiler.variant import BuildVariant


@dataclass(frozen=True)
class Compilation:
    """Everything that was made and measured.

    Attributes:
        recipe: What was asked for.
        target: The hardware class.
        sources: What the variants began with.
        made: The variants, packaged.
        refused: Those that could not be made.
        selection: What was measured and chosen.
        frames: What it was measured on; None where nothing was.
    """

    recipe: Recipe
    target: HardwareClass
    sources: Sources
    made: Mapping[BuildVariant, Artifact]
    refused: Mapping[BuildVariant, CompileError]
    selection: Selection
    frames: LabelledFrames | None

    @property
    def winner(self) -> Artifact | None:
        """The chosen variant; None where none is inside the gate."""
        found = [artifact for variant, artifact in self.made.items() if str(variant) == self.selection.chosen]
        return found[0] if found else None

    def report(self, workshop: Workshop) -> BuildReport | None:
        """Everything measured, with the comparisons that the recipe asks for; None where nothing could be measured."""
        recipe, selection, frames = self.recipe, self.selection, self.frames
        variants = tuple(selection.results.values())
        if recipe.evaluation is None or frames is None or not variants:
            return None
        methods, plain, failed = self._comparisons(frames, workshop)
        return BuildReport(
            model=recipe.model,
            version=recipe.version,
            hardware_class=self.target.name,
            task=recipe.task,
            measured_on=workshop.hardware_class,
            dataset=recipe.evaluation.frames.name,
            dataset_sha256=frames.sha256,
            frames=len(frames),
            labelled=frames.labelled,
            baseline=self._baseline(),
            variants=variants,
            refused={str(variant): str(reason) for variant, reason in self.refused.items()} | selection.failed,
            chosen=selection.chosen,
            choice_reason=selection.reason,
            gate=recipe.gate,
            goals=plain,
            teacher=recipe.teacher or "",
            range_methods=methods,
            notes=(*self._notes(), *failed),
        )

    def _baseline(self) -> str:
        """The first float variant, of the measured ones if there is one; or else the first variant."""
        results = self.selection.results
        floats = [str(each) for each in self.made if each.is_float_baseline and str(each) in results]
        return next((name for name in floats if not results[name].not_measured), (floats or list(results))[0])

    def _comparisons(
        self, frames: LabelledFrames, workshop: Workshop
    ) -> tuple[tuple[RangeMethodResult, ...], tuple[Goal, ...], tuple[str, ...]]:
        """Ranges, grafted against plain, and why one of them could not be: that costs nobody the build."""
        methods: tuple[RangeMethodResult, ...] = ()
        plain: tuple[Goal, ...] = ()
        failed = list[str]()
        recipe, winner = self.recipe, self.winner
        try:
            if recipe.compare_range_methods:
                methods = compare_range_methods(next(iter(self.sources.values())), recipe, workshop)
        except CompileError as error:
            failed.append(f"ranges could not be compared: {error}")
        try:
            if recipe.compare_plain_graph and winner is not None:
                plain = compare_with_plain(winner, self.sources, frames, recipe, workshop)
        except CompileError as error:
            failed.append(f"the plain graph could not be compared: {error}")
        return methods, plain, tuple(failed)

    def _notes(self) -> Iterator[str]:
        for pruned, source in self.sources.items():
            for note in (note for record in source.facts.history for note in record.notes):
                yield f"pruned: {note}" if pruned else note
