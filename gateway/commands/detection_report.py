"""Detections for people, as tables, and for programs, as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.commands.frame_answer import FrameAnswer


@dataclass(frozen=True, slots=True)
class FrameReport:
    """One file: its answer, or the error instead."""

    path: Path
    answer: FrameAnswer | None = None
    error: str = ""
    rendered: Path | None = None


def label_of(class_index: int, labels: Sequence[str]) -> str:
    """Name of a class; its number where the model does not tell."""
    return labels[class_index] if 0 <= class_index < len(labels) else f"class {class_index}"


def frame_table(report: FrameReport, labels: Sequence[str]) -> RenderableType:
    """One frame as a table with its stage times, or its error as a line."""
    if report.answer is None:
        return Text.assemble((str(report.path), "bold"), "  ", ("error", "bold red"), f"  {report.error}\n")
    answer = report.answer
    title = Text.assemble(
        (str(report.path), "bold"), f"  {answer.build}", f" ({answer.reason})" if answer.reason else ""
    )
    lines: list[RenderableType] = [title, _detections(answer, labels), _times(answer)]
    if report.rendered is not None:
        lines.append(Text(f"written to {report.rendered}"))
    return Group(*lines, Text(""))


def frame_json(report: FrameReport, labels: Sequence[str]) -> dict[str, Any]:
    """One frame for programs; numbers are rounded to what is meaningful."""
    if report.answer is None:
        return {"file": str(report.path), "error": report.error}
    answer = report.answer
    rows = zip(answer.classes.tolist(), answer.scores.tolist(), answer.boxes_xyxy.tolist(), strict=True)
    return {
        "file": str(report.path),
        "build": answer.build,
        "reason": answer.reason,
        "detections": [
            {"label": label_of(index, labels), "score": round(score, 4), "box_xyxy": [round(edge, 1) for edge in box]}
            for index, score, box in rows
        ],
        "stage_ms": {name: round(value, 3) for name, value in answer.stage_ms.items()},
        "total_ms": round(answer.total_ms, 3),
        **({"rendered": str(report.rendered)} if report.rendered is not None else {}),
    }


def _detections(answer: FrameAnswer, labels: Sequence[str]) -> RenderableType:
    if not len(answer.scores):
        return Text("  nothing found", style="dim")
    table = Table(show_edge=False, pad_edge=True)
    table.add_column("label")
    table.add_column("score", justify="right")
    table.add_column("box x1, y1, x2, y2 (pixels)", justify="right")
    for index, score, box in zip(answer.classes.tolist(), answer.scores, answer.boxes_xyxy, strict=True):
        table.add_row(label_of(index, labels), f"{score:.2f}", ", ".join(f"{edge:.0f}" for edge in box))
    return table


def _times(answer: FrameAnswer) -> Text:
    stages = "  ".join(f"{name} {value:.2f}" for name, value in answer.stage_ms.items())
    return Text(f"  ms: {stages}  | client saw {answer.total_ms:.2f}", style="dim")
