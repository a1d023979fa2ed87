"""Detections and classes for people, as tables, and for programs, as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.commands.class_names import label_of
from gateway.commands.frame_answer import FrameAnswer


@dataclass(frozen=True, slots=True)
class FrameReport:
    """One file: its answer, or the error instead."""

    path: Path
    answer: FrameAnswer | None = None
    error: str = ""
    rendered: Path | None = None


def frame_table(report: FrameReport, labels: Sequence[str]) -> RenderableType:
    """One frame as a table with its stage times, or its error as a line."""
    if report.answer is None:
        return Text.assemble((str(report.path), "bold"), "  ", ("error", "bold red"), f"  {report.error}\n")
    answer = report.answer
    title = Text.assemble(
        (str(report.path), "bold"), f"  {answer.build}", f" ({answer.reason})" if answer.reason else ""
    )
    if answer.executed:
        title.append(f"  ran {', '.join(answer.executed)}")
    lines: list[RenderableType] = [title, _found(answer, labels), _times(answer)]
    if report.rendered is not None:
        lines.append(Text(f"written to {report.rendered}"))
    return Group(*lines, Text(""))


def frame_json(report: FrameReport, labels: Sequence[str]) -> dict[str, Any]:
    """One frame for programs; numbers are rounded to what is meaningful."""
    if report.answer is None:
        return {"file": str(report.path), "error": report.error}
    answer = report.answer
    return {
        "file": str(report.path),
        "build": answer.build,
        "reason": answer.reason,
        **({"executed": list(answer.executed)} if answer.executed else {}),
        ("classes" if answer.boxes_xyxy is None else "detections"): _found_json(answer, labels),
        "stage_ms": {name: round(value, 3) for name, value in answer.stage_ms.items()},
        "total_ms": round(answer.total_ms, 3),
        **({"rendered": str(report.rendered)} if report.rendered is not None else {}),
    }


def _found_json(answer: FrameAnswer, labels: Sequence[str]) -> list[dict[str, Any]]:
    rows = zip(answer.classes.tolist(), answer.scores.tolist(), strict=True)
    found: list[dict[str, Any]] = [
        {"label": label_of(index, labels), "score": round(score, 4)} for index, score in rows
    ]
    if answer.boxes_xyxy is not None:
        for entry, box in zip(found, answer.boxes_xyxy.tolist(), strict=True):
            entry["box_xyxy"] = [round(edge, 1) for edge in box]
    return found


def _found(answer: FrameAnswer, labels: Sequence[str]) -> RenderableType:
    if not len(answer.scores):
        return Text("  nothing found", style="dim")
    table = Table(show_edge=False, pad_edge=True)
    table.add_column("label")
    table.add_column("score", justify="right")
    rows: list[tuple[str, ...]] = [
        (label_of(index, labels), f"{score:.2f}")
        for index, score in zip(answer.classes.tolist(), answer.scores, strict=True)
    ]
    if answer.boxes_xyxy is not None:
        table.add_column("box x1, y1, x2, y2 (pixels)", justify="right")
        boxes = (", ".join(f"{edge:.0f}" for edge in box) for box in answer.boxes_xyxy)
        rows = [(*row, box) for row, box in zip(rows, boxes, strict=True)]
    for row in rows:
        table.add_row(*row)
    return table


def _times(answer: FrameAnswer) -> Text:
    stages = "  ".join(f"{name} {value:.2f}" for name, value in answer.stage_ms.items())
    return Text(f"  ms: {stages}  | client saw {answer.total_ms:.2f}", style="dim")
