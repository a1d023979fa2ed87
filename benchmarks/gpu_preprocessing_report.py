"""What `benchmarks.gpu_preprocessing` measured, as Markdown."""

from collections.abc import Mapping
from typing import Any

GOAL_MS = 0.5
GOAL_FRAME_WH = (1920, 1080)
_JUDGED = "letterbox + normalise, GPU"


def report(facts: Mapping[str, Any]) -> str:
    """The page.

    Args:
        facts: The content of ``gpu_preprocessing.json``.
    """
    machine = "\n".join(f"- {name}: {value}" for name, value in facts["machine"].items())
    width, height = facts["input_wh"]
    return f"""# Preprocessing on the GPU

`{facts["command"]}`

{machine}

Milliseconds per frame into a normalised FP32 tensor of {width}x{height}; a batch is one launch.

{_table(facts["steps"])}

{_verdict(facts["steps"])}
"""


def _table(steps: list[dict[str, Any]]) -> str:
    lines = ["| frame | step | batch | p50 ms | p99 ms |", "|---|---|---:|---:|---:|"]
    for step in steps:
        wh = "x".join(map(str, step["frame_wh"]))
        lines.append(f"| {wh} | {step['step']} | {step['batch']} | {step['p50_ms']:.3f} | {step['p99_ms']:.3f} |")
    return "\n".join(lines)


def _verdict(steps: list[dict[str, Any]]) -> str:
    judged = [step for step in steps if step["step"] == _JUDGED and tuple(step["frame_wh"]) == GOAL_FRAME_WH]
    if not judged:
        return "The goal was not measured."
    single = min(judged, key=lambda step: int(step["batch"]))
    met = "met" if single["p50_ms"] <= GOAL_MS else "missed"
    return f"Goal {GOAL_MS} ms per 1080p frame, batch {single['batch']}: **{single['p50_ms']:.3f} ms**, {met}."
