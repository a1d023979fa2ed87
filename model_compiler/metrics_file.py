"""What a training measured, from its ``metrics.json`` to the card's metrics."""

from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from contracts.card_part import Sha256
from contracts.model_card import Metric
from model_compiler.errors import InputFileMissing, InvalidMetrics


class _Interval(BaseModel):
    low: float
    high: float


class _Intervals(BaseModel):
    map50: _Interval
    map50_95: _Interval


class _Accuracy(BaseModel):
    map50: float
    map50_95: float
    intervals: _Intervals
    frames: int = Field(ge=1)


class _DataSet(BaseModel):
    split: str
    seed: int
    generator_version: int
    hash: Sha256


class _MetricsFile(BaseModel):
    """The keys that are read; a training writes more."""

    labels: tuple[str, ...]
    accuracy: _Accuracy
    data_set: _DataSet


def read_metrics(path: Path, labels: tuple[str, ...]) -> tuple[Metric, ...]:
    """Metrics for a card: COCO's mAP at IoU 0.5, and averaged over 0.5 to 0.95.

    Args:
        path: JSON file.
        labels: Those of the recipe; numbers of other labels belong to another model.

    Raises:
        InputFileMissing: There is no such file.
        InvalidMetrics: It is not JSON, a key is missing or wrong, or it is of other labels.
    """
    if not path.is_file():
        raise InputFileMissing(path, "metrics file")
    try:
        found = _MetricsFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidMetrics(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if found.labels != labels:
        raise InvalidMetrics(path, f"it is of labels {list(found.labels)}, the recipe has {list(labels)}")
    accuracy = found.accuracy
    return (
        _metric("mAP50", accuracy.map50, accuracy.intervals.map50, found),
        _metric("mAP50_95", accuracy.map50_95, accuracy.intervals.map50_95, found),
    )


def _metric(name: str, value: float, interval: _Interval, found: _MetricsFile) -> Metric:
    data_set = found.data_set
    return Metric(
        name=name,
        value=value,
        low=interval.low,
        high=interval.high,
        dataset=f"{data_set.split} frames, seed {data_set.seed}, generator version {data_set.generator_version}",
        dataset_sha256=data_set.hash,
        n=found.accuracy.frames,
    )
