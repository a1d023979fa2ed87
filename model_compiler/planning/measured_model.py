"""What is known of a model from its build, its card, the report of its build or its ONNX file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from contracts.build_manifest import CARD_FILE
from contracts.build_performance import BuildPerformance
from contracts.model_card import ModelCard
from model_compiler.errors import InputFileMissing, InvalidAnswer
from model_compiler.graph.onnx_model import read_model_file
from model_compiler.reporting.build_report import BuildReport
from model_compiler.validation_problems import problems_of


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """A model as far as it was measured.

    Attributes:
        name: Of the build or the file.
        weights_bytes: Of the ONNX file; None where a card says nothing of it.
        performance: What was measured, by hardware class.
    """

    name: str
    weights_bytes: int | None = None
    performance: Mapping[str, BuildPerformance] = field(default_factory=dict)

    @property
    def peak_memory_bytes(self) -> int | None:
        """The largest that was measured on any class."""
        peaks = (entry.peak_memory_bytes for entry in self.performance.values())
        return max((peak for peak in peaks if peak is not None), default=None)


def read_measured_model(path: Path) -> MeasuredModel:
    """Read a build directory, a ``card.json``, the ``<build>.json`` of a report, or an ONNX file; nothing is run.

    Raises:
        InputFileMissing: There is nothing of this name.
        InvalidAnswer: The card is not a model card.
        ReportUnreadable: Another JSON file is not the report of a build.
        ModelError: The file is not an ONNX model.
    """
    file = path / CARD_FILE if path.is_dir() else path
    if not file.is_file():
        raise InputFileMissing(file, "model")
    if file.name == CARD_FILE:
        return _from_card(file)
    if file.suffix == ".json":
        return _from_report(BuildReport.read(file))
    return MeasuredModel(file.name, weights_bytes=read_model_file(file).ByteSize())


def _from_card(path: Path) -> MeasuredModel:
    try:
        card = ModelCard.model_validate_json(path.read_bytes())
    except ValidationError as error:
        problems = "; ".join(problems_of(error, ModelCard))
        raise InvalidAnswer("--model", f"{path} is not a model card: {problems}") from error
    sizes = [file.stat().st_size for file in (path.parent / "1").glob("*") if file.is_file()]
    return MeasuredModel(card.build, sum(sizes) or None, _measured(card.performance))


def _from_report(report: BuildReport) -> MeasuredModel:
    """Of the variant that became the build, or else of the float baseline."""
    name = report.chosen or report.baseline
    result = next(variant for variant in report.variants if variant.name == name)
    return MeasuredModel(f"{report.build}, {name}", result.size_bytes or None, _measured([result.performance]))


def _measured(performance: Iterable[BuildPerformance]) -> dict[str, BuildPerformance]:
    return {entry.hardware_class: entry for entry in performance if entry.status == "measured"}
