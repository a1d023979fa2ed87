"""Everything a benchmark found out, as it is kept in ``serving.json``. Pure."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cells import Cell, CellResult
from benchmarks.soak_summary import SoakSummary
from benchmarks.targets import Target, evaluate


@dataclass(frozen=True)
class ModelRecord:
    """One model.

    Attributes:
        name: The alias.
        input_width: Of the model, in pixels.
        input_height: Of the model, in pixels.
        runtime: What ran it in the gateway and in process.
        cells: Medians.
    """

    name: str
    input_width: int
    input_height: int
    runtime: str
    cells: Mapping[Cell, CellResult]

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it was to reach."""
        return evaluate(self.cells, self.input_width * self.input_height)


@dataclass(frozen=True)
class ServingRecord:
    """A whole benchmark; ``soak`` comes from a run of its own."""

    command: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)
    rounds: int = 0
    seconds_per_cell: float = 0.0
    frames: str = ""
    models: tuple[ModelRecord, ...] = ()
    soak: SoakSummary | None = None


def to_json(record: ServingRecord) -> dict[str, Any]:
    """A record as JSON objects, with the targets spelled out."""
    values = dataclasses.asdict(dataclasses.replace(record, models=()))
    values["models"] = [
        {
            "name": model.name,
            "input_width": model.input_width,
            "input_height": model.input_height,
            "runtime": model.runtime,
            "cells": [dataclasses.asdict(cell) | dataclasses.asdict(result) for cell, result in model.cells.items()],
            "targets": [
                dataclasses.asdict(target) | {"met": target.met, "missed_by": target.missed_by}
                for target in model.targets
            ],
        }
        for model in record.models
    ]
    result: dict[str, Any] = rounded(values)
    return result


def from_json(values: Mapping[str, Any]) -> ServingRecord:
    """Read a record back."""
    soak = values.get("soak")
    return ServingRecord(
        command=values["command"],
        machine=values["machine"],
        rounds=values["rounds"],
        seconds_per_cell=values["seconds_per_cell"],
        frames=values["frames"],
        models=tuple(_model(entry) for entry in values["models"]),
        soak=SoakSummary(**soak) if soak else None,
    )


def rounded(value: Any) -> Any:
    """The same with measured numbers to three decimals."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, Mapping):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry) for entry in value]
    return value


def _model(entry: Mapping[str, Any]) -> ModelRecord:
    names = [each.name for each in dataclasses.fields(CellResult)]
    cells = {
        Cell(each["system"], each["clients"]): CellResult(
            **{name: each[name] for name in names if name != "rounds"}, rounds=tuple(each["rounds"])
        )
        for each in entry["cells"]
    }
    return ModelRecord(entry["name"], entry["input_width"], entry["input_height"], entry["runtime"], cells)
