"""What `benchmarks.gpu_serving` measured, as Markdown. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.load.cpu_meter import OTHER

_GENERATOR = "load generator"
_STAGES = ("queue", "decode", "letterbox", "infer", "postprocess")


def report(facts: Mapping[str, Any]) -> str:
    """The page.

    Args:
        facts: The content of ``gpu_serving.json``.
    """
    machine = "\n".join(f"- {name}: {value}" for name, value in facts["machine"].items())
    model = facts["model"]
    shape = " x ".join(map(str, model["output_shape"]))
    return f"""# Frames on a GPU through the gateway

`{facts["command"]}`

{machine}
- {facts["rounds"]} interleaved rounds of {facts["seconds"]:g} s for each load; numbers are the middle of the rounds
- model: `benchmarks/resident_backend.py`, {_size(model["input_wh"])} to {shape}, {model["instances"]} instances
{_chosen(facts["chosen"])}

## What the gateway adds to a bare Triton

One client. Bare: the same tensor in shared memory, prepared beforehand, and a gRPC call; nothing reads the output.

{_added(facts["loads"])}

## Images per second

CPU: milliseconds of gateway, Triton and model together for each image.

{_rates(facts["loads"])}

## The card's decoder

{_decoder(facts)}
"""


def _chosen(chosen: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for path, told in chosen.items():
        why = "".join(f"; not {name}: {reason}" for name, reason in told["transport_reasons"].items())
        lines.append(
            f"- `--preprocess {path}`: {told['preprocessing']} ({told['preprocessing_reason']}), "
            f"{told['transport']}{why}"
        )
    return "\n".join(lines)


def _added(loads: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| frame | path | p50 ms | p99 ms | added p50 | added p99 | "
        + " | ".join(f"{name}, p50" for name in _STAGES)
        + " |",
        "|---|---|" + "---:|" * (4 + len(_STAGES)),
    ]
    single = [load for load in loads if load["clients"] == 1]
    for load in single:
        bare = _find(single, "bare", 1, load["frame_wh"])
        if bare is None:
            continue
        added = [f"{load[name] - bare[name]:.2f}" if load is not bare else "-" for name in ("p50_ms", "p99_ms")]
        stages = [f"{load['stages_p50_ms'][name]:.2f}" if name in load["stages_p50_ms"] else "-" for name in _STAGES]
        cells = [_size(load["frame_wh"]), load["system"], f"{load['p50_ms']:.2f}", f"{load['p99_ms']:.2f}", *added]
        lines.append(f"| {' | '.join([*cells, *stages])} |")
    return "\n".join(lines)


def _rates(loads: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| frame | clients | path | images/s | rounds | p50 ms | p99 ms | CPU ms | failed | cuda : cpu |",
        "|---|---:|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    for load in loads:
        if load["system"] == "bare":
            continue
        cpu = sum(value for role, value in load["cpu_ms_per_image"].items() if role not in (OTHER, _GENERATOR))
        other = _find(loads, "cpu", load["clients"], load["frame_wh"])
        ratio = "-" if other is None or load is other else f"{_ratio(load, other):.2f}"
        rounds = ", ".join(f"{value:.1f}" for value in load["images_per_second_of_rounds"])
        cells = [
            _size(load["frame_wh"]),
            str(load["clients"]),
            load["system"],
            f"{load['images_per_second']:.1f}",
            rounds,
        ]
        cells += [f"{load['p50_ms']:.2f}", f"{load['p99_ms']:.2f}", f"{cpu:.2f}", str(load["failures"]), ratio]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _decoder(facts: Mapping[str, Any]) -> str:
    if facts["decoder"]:
        return f"Not measured: {facts['decoder']}."
    lines = [
        "| frame | batch | decoded images/s | rounds | best of the gateway, images/s | its share |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for each in facts["decode"]:
        best = max(
            load["images_per_second"]
            for load in facts["loads"]
            if load["system"] == "cuda" and tuple(load["frame_wh"]) == tuple(each["frame_wh"])
        )
        rounds = ", ".join(f"{value:.1f}" for value in each["images_per_second_of_rounds"])
        rate = each["images_per_second"]
        cells = [
            _size(each["frame_wh"]),
            str(each["batch"]),
            f"{rate:.1f}",
            rounds,
            f"{best:.1f}",
            f"{best / rate:.0%}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "nvImageCodec alone, one stream, each batch waited for.\n\n" + "\n".join(lines)


def _find(
    loads: Sequence[Mapping[str, Any]], system: str, clients: int, frame_wh: Sequence[int]
) -> Mapping[str, Any] | None:
    wanted = (system, clients, tuple(frame_wh))
    return next((each for each in loads if (each["system"], each["clients"], tuple(each["frame_wh"])) == wanted), None)


def _ratio(load: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    return float(load["images_per_second"]) / float(other["images_per_second"])


def _size(size_wh: Sequence[int]) -> str:
    return "x".join(map(str, size_wh))
