"""Everything that one compilation measured, as a file."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.card_part import Sha256
from contracts.model_card import Metric
from contracts.quantization import RangeMethod
from model_compiler.errors import InputFileMissing
from model_compiler.evaluation.gate import GateSettings
from model_compiler.evaluation.variant_result import AccuracyDifference, VariantResult
from model_compiler.packaging.build_directory import write_file
from model_compiler.reporting.errors import ReportUnreadable
from model_compiler.reporting.goal import Goal


class RangeMethodResult(BaseModel):
    """What INT8 costs when the ranges of activations are chosen one way.

    Attributes:
        sqnr_db: Of the quantised outputs against FP32, on calibration frames; None where that was not measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: RangeMethod
    metric: Metric
    difference: AccuracyDifference | None = None
    sqnr_db: float | None = None
    note: str = ""


class BuildReport(BaseModel):
    """One release on one hardware class.

    Attributes:
        model, version, hardware_class: Of the build.
        task: ``detection`` or ``classification``.
        measured_on: Hardware class of the machine that measured.
        dataset: What the frames are called.
        dataset_sha256: Of the frames with their labels.
        frames: How many.
        labelled: Whether accuracy was measured, or agreement with the float model.
        baseline: The float variant that the others are compared with.
        variants: Everything that was measured.
        refused: Variants that could not be made, with the reason.
        chosen: Which one became the build; None where none was inside the gate.
        choice_reason: One sentence.
        gate: The limits.
        goals: Those that cannot be read off the variants.
        teacher: Model that this one learned from; empty without one.
        range_methods: INT8 with ranges chosen in different ways.
        notes: What the stages had to tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    model: str
    version: str
    hardware_class: str
    task: Literal["detection", "classification"] = "detection"
    measured_on: str
    dataset: str = ""
    dataset_sha256: Sha256 | None = None
    frames: int = Field(default=0, ge=0)
    labelled: bool = True
    baseline: str
    variants: tuple[VariantResult, ...] = Field(min_length=1)
    refused: dict[str, str] = Field(default_factory=dict)
    chosen: str | None = None
    choice_reason: str = ""
    gate: GateSettings = GateSettings()
    goals: tuple[Goal, ...] = ()
    teacher: str = ""
    range_methods: tuple[RangeMethodResult, ...] = ()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_its_variants(self) -> "BuildReport":
        names = {variant.name for variant in self.variants}
        if self.baseline not in names or (self.chosen is not None and self.chosen not in names):
            raise ValueError(f"baseline and chosen must be among the variants {sorted(names)}")
        return self

    @property
    def build(self) -> str:
        """Name of the build."""
        return f"{self.model}-{self.version}_{self.hardware_class}"

    def variant(self, name: str) -> VariantResult | None:
        """The result of a variant, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)

    @classmethod
    def read(cls, path: Path) -> "BuildReport":
        """Read a file that `write` wrote.

        Raises:
            InputFileMissing: There is no such file.
            ReportUnreadable: It is something else.
        """
        if not path.is_file():
            raise InputFileMissing(path, "build report")
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            raise ReportUnreadable(path, f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}") from error

    def write(self, path: Path) -> None:
        """Write it whole or not at all.

        Raises:
            OSError: The disk is full or not writable.
        """
        write_file(path, self.model_dump_json(indent=1, exclude_defaults=True).encode() + b"\n")
