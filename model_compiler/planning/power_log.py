"""Reads samples of power that were taken while a model ran."""

import csv
import itertools
import math
from pathlib import Path

from model_compiler.errors import InputFileMissing, InvalidAnswer

COLUMNS = ("seconds", "watts")


def read_power_log(path: Path) -> tuple[list[float], list[float]]:
    """Read a CSV file with the columns ``seconds``, when a sample was taken, and ``watts``, of the whole machine.

    Raises:
        InputFileMissing: There is no such file.
        InvalidAnswer: A column is missing, a value is no number, time does not grow, or there are less than two lines.
    """
    if not path.is_file():
        raise InputFileMissing(path, "power log")
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
        if missing:
            raise InvalidAnswer("--power-log", f"{path}: column {missing[0]!r} is missing; it needs seconds,watts")
        samples = [tuple(_number(path, rows.line_num, row, column) for column in COLUMNS) for row in rows]
    if len(samples) < 2:
        raise InvalidAnswer("--power-log", f"{path}: energy needs at least two samples, there are {len(samples)}")
    seconds, watts = [time for time, _ in samples], [power for _, power in samples]
    if any(after <= before for before, after in itertools.pairwise(seconds)):
        raise InvalidAnswer("--power-log", f"{path}: column 'seconds' must grow from line to line")
    return seconds, watts


def _number(path: Path, line: int, row: dict[str, str | None], column: str) -> float:
    text = row[column] or ""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidAnswer("--power-log", f"{path}, line {line}: {column} is {text!r}, not a number")
    return value
