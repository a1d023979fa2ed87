"""What `benchmarks.gpu_preprocessing` measured, as Markdown."""

from collections.abc import Mapping
from typing import Any

GOAL_MS = 0.5
GOAL_FRAME_WH = (1920, 1080)
GOAL_RATIO, GOAL_BATCH = 5.0, 8
WHOLE_CPU, WHOLE_GPU = "JPEG to tensor, CPU", "JPEG to tensor, GPU"
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

Milliseconds per frame into a normalised FP32 tensor of {width}x{height}. A batch is one launch on the GPU; on the CPU
as many threads as there are cores share its frames.

{_table(facts["steps"])}

{_verdict(facts["steps"])}

{_whole_verdict(facts)}
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


def _whole_verdict(facts: Mapping[str, Any]) -> str:
    """Images per second from JPEG to tensor, of both sides."""
    goal = f"Goal of {GOAL_RATIO:g} times the CPU's images/s at batch {GOAL_BATCH}"
    if facts["no_decoder"]:
        return f"{goal}: not measured, {facts['no_decoder']}."
    batch = [step for step in facts["steps"] if step["batch"] == GOAL_BATCH]
    steps = {(step["step"], tuple(step["frame_wh"])): step["p50_ms"] for step in batch}
    lines = []
    for wh in dict.fromkeys(wh for name, wh in steps if name == WHOLE_GPU):
        ratio = steps[WHOLE_CPU, wh] / steps[WHOLE_GPU, wh]
        rates = ", ".join(f"{1e3 / steps[name, wh]:.0f} images/s on the {name[-3:]}" for name in (WHOLE_GPU, WHOLE_CPU))
        met = "met" if ratio >= GOAL_RATIO else "missed"
        lines.append(f"{goal}, {'x'.join(map(str, wh))}: **{ratio:.1f} times** ({rates}), {met}.")
    return "\n\n".join(lines) or f"{goal}: not measured."
