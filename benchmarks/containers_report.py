"""What `benchmarks.containers` measured, as Markdown."""

import statistics
from collections.abc import Mapping
from typing import Any

COLD_START_GOAL_SECONDS = 10.0
ENGINE_STAGE_GOAL_SECONDS = 180.0
THROUGHPUT_GOAL = 0.95
SIZE_GOALS_MB = {"triton": 650, "gateway": 250}


def report(facts: Mapping[str, Any]) -> str:
    """The page.

    Args:
        facts: The content of ``containers.json``.
    """
    machine = "\n".join(f"- {name}: {value}" for name, value in facts["machine"].items())
    return f"""# Containers

`{facts["command"]}`

{machine}

## Images

{_sizes(facts["images"])}

{facts["images_measured"]}.
Compressed: `docker save | gzip -6`, about what a registry sends. The base is a Debian with Python made from packages.
The gateway's image for GPUs (`-gpu`) has the compiler of our kernels and nvImageCodec besides, and no goal.

## The engine stage

{_engine_stage(facts["engine_stage_seconds"])}

## From `up` to the first detection

{_cold_start(facts["cold_start_seconds"])}

## Images per second

One model (`defects`), gRPC, the sample frames; both gateways run all the time, and one is asked at a time. CPU is
that of gateway and Triton, the load generator not included; the time of warming up is counted by its length.
*containers*: at the gateway's own address, where the packet filter leads what comes from the network; *loopback port*:
from the same machine by `127.0.0.1`, which the engine carries through a process of its own (`docker-proxy`).

{_loads(facts["loads"])}
"""


def _sizes(images: list[dict[str, Any]]) -> str:
    lines = ["| image | unpacked MB | compressed MB | made up of | goal |", "|---|---:|---:|---|---|"]
    for image in images:
        parts = sorted(image["parts_bytes"].items(), key=lambda part: -part[1])
        made_of = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in parts)
        unpacked, packed = (image[f"{kind}_bytes"] / 1e6 for kind in ("unpacked", "compressed"))
        goal = None if image["name"].endswith("-gpu") else SIZE_GOALS_MB.get(_service(image["name"]))
        said = "" if goal is None else _judged(goal, unpacked, packed)
        lines.append(f"| {image['name']} | {unpacked:.0f} | {packed:.0f} | {made_of} | {said} |")
    return "\n".join(lines)


def _service(image: str) -> str:
    return image.rpartition("/")[2].partition(":")[0]


def _judged(goal_mb: int, unpacked_mb: float, packed_mb: float) -> str:
    if unpacked_mb <= goal_mb:
        return f"{goal_mb}: met"
    return f"{goal_mb}: " + ("met compressed, missed unpacked" if packed_mb <= goal_mb else "missed")


def _engine_stage(seconds: list[float]) -> str:
    what = "`model_repository/` compiled for this machine's class while Triton's image is built, packages installed"
    return f"{what}: {_judged_seconds(seconds, ENGINE_STAGE_GOAL_SECONDS)}"


def _cold_start(seconds: list[float]) -> str:
    return f"Images there, no volumes: {_judged_seconds(seconds, COLD_START_GOAL_SECONDS)}"


def _judged_seconds(seconds: list[float], goal: float) -> str:
    median = statistics.median(seconds)
    judged = "met" if median <= goal else "missed"
    rounds = ", ".join(f"{each:.1f}" for each in seconds)
    return f"**{median:.1f} s** (rounds: {rounds}). Goal {goal:.0f} s: {judged}."


def _loads(loads: Mapping[str, list[dict[str, float]]]) -> str:
    lines = ["| | images/s | p50 ms | p99 ms | CPU ms per image |", "|---|---:|---:|---:|---:|"]
    for name, rounds in loads.items():
        medians = [
            statistics.median(each[key] for each in rounds)
            for key in ("images_per_second", "p50_ms", "p99_ms", "cpu_ms_per_image")
        ]
        lines.append(f"| {name} | {medians[0]:.0f} | {medians[1]:.1f} | {medians[2]:.1f} | {medians[3]:.2f} |")
    lines.append("")
    lines += [_against_embedded(name, loads[name], loads["embedded"]) for name in loads if name != "embedded"]
    return "\n".join(lines)


def _against_embedded(name: str, inside: list[dict[str, float]], outside: list[dict[str, float]]) -> str:
    mine, other = ([each["images_per_second"] for each in rounds] for rounds in (inside, outside))
    ratios = [one / two for one, two in zip(mine, other, strict=True)]
    median = statistics.median(ratios)
    judged = "met" if median >= THROUGHPUT_GOAL else "missed"
    of_rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    of_medians = statistics.median(mine) / statistics.median(other)
    said = f"**{median:.2f}** in the middle of the rounds ({of_rounds}), {of_medians:.2f} of the medians above"
    return f"- {name} against embedded: {said}; goal {THROUGHPUT_GOAL} in the middle of the rounds: {judged}"
