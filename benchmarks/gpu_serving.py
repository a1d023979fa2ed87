"""The gateway on a GPU: what it adds to a bare Triton, and images per second with frames prepared there and on the CPU.

`python -m benchmarks.gpu_serving`, on a machine with an NVIDIA GPU and the extra `gpu`, and CuPy or a PyTorch with CUDA
for the model, which keeps its tensors on the GPU. Two gateways run, each with a Triton of its own: `--preprocess cuda`
and `--preprocess cpu`; one is asked at a time, in interleaved rounds. Then nvImageCodec decodes the same frames alone.
"""

import argparse
import datetime as dt
import json
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from benchmarks.child_server import ServerFailed
from benchmarks.decode_limit import decode_rates, why_no_decoder
from benchmarks.gpu_preprocessing import SIZES_WH, draw, gpu_name
from benchmarks.gpu_serving_report import report
from benchmarks.gpu_serving_systems import BARE, PATHS, GpuServingSystems, Load
from benchmarks.line_worker import WorkerFailed
from benchmarks.machine import describe_machine
from benchmarks.resident_model import why_no_device_arrays, write_resident_build
from benchmarks.serving_record import rounded

RESULTS = Path(__file__).parent / "results"
CLIENTS = (1, 8, 32)
_FRAMES, _QUALITY = 4, 90


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; write `gpu_serving.json` and `.md`. Returns 0; 1 when a server failed; 2 where there is no GPU."""
    options = _parser().parse_args(arguments)
    name = gpu_name()
    missing = why_no_device_arrays() if name else "there is no NVIDIA GPU that numba can use"
    if missing and not options.model_on_cpu:
        print(f"{missing}; --model-on-cpu tries the rest without one", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="outpost-gpu-") as folder:
            facts = measure(options, Path(folder))
    except (ServerFailed, WorkerFailed) as error:
        print(error, file=sys.stderr)
        return 1
    facts["machine"] = describe_machine(dt.datetime.now(dt.UTC)) | {"GPU": name or "none"}
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "gpu_serving.json").write_text(json.dumps(rounded(facts), indent=1) + "\n")
    (options.output / "gpu_serving.md").write_text(report(facts))
    print(report(facts))
    return 0


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """All loads, each as often as there are rounds, and the decoder.

    Args:
        options: Of the command.
        work: A folder for builds, frames, state and logs.
    """
    frames = {size_wh: _write_frames(work, size_wh) for size_wh in options.frames}
    shape = (84, options.anchors)
    on_gpu = not options.model_on_cpu
    card = write_resident_build(
        work / "seed",
        "resident",
        input_wh=options.input,
        output_shape=shape,
        on_gpu=on_gpu,
        instances=options.instances,
    )
    found: dict[Load, list[dict[str, Any]]] = {load: [] for load in all_loads(options.frames, options.clients)}
    with GpuServingSystems(work, card.build, frames, on_gpu=on_gpu) as systems:
        for number in range(options.rounds):
            for load in found if number % 2 == 0 else reversed(found):
                print(f"round {number + 1} of {options.rounds}: {load}", file=sys.stderr, flush=True)
                found[load].append(systems.run(load, options.seconds))
        chosen = systems.chosen_paths()
    return {
        "command": shlex.join(["python", "-m", "benchmarks.gpu_serving", *sys.argv[1:]]),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "model": {"input_wh": options.input, "output_shape": shape, "instances": options.instances},
        "chosen": chosen,
        "loads": [{**load.facts(), **median_load(rounds)} for load, rounds in found.items()],
        "decoder": why_no_decoder(),
        "decode": decode_rates(
            {size_wh: [path.read_bytes() for path in paths] for size_wh, paths in frames.items()},
            rounds=options.rounds,
            seconds=options.seconds,
        ),
    }


def all_loads(frames: Sequence[tuple[int, int]], clients: Sequence[int]) -> list[Load]:
    """In the order of a round: both paths of a load follow each other, and a bare Triton where there is one client."""
    return [
        Load(system, number, size_wh)
        for size_wh in frames
        for number in clients
        for system in ((*PATHS, BARE) if number == 1 else PATHS)
    ]


def median_load(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The middle of each number over the rounds; failures are added up.

    Args:
        rounds: What the load generator said, see `gateway.load.load_report.result_json`.

    Raises:
        ValueError: No round has an answer.
    """
    answered = [each for each in rounds if each["latency"]]
    if not answered:
        raise ValueError(f"no request was answered: {rounds[0]['codes']}")
    roles = dict.fromkeys(role for each in answered for role in each["cpu_ms_per_image"])
    stages = dict.fromkeys(stage["name"] for each in answered for stage in each["stages"])
    return {
        "images_per_second": statistics.median(each["images_per_second"] for each in rounds),
        "images_per_second_of_rounds": [each["images_per_second"] for each in rounds],
        "p50_ms": statistics.median(each["latency"]["p50_ms"] for each in answered),
        "p99_ms": statistics.median(each["latency"]["p99_ms"] for each in answered),
        "cpu_ms_per_image": {
            role: statistics.median(each["cpu_ms_per_image"].get(role, 0.0) for each in answered) for role in roles
        },
        "stages_p50_ms": {
            name: statistics.median(
                stage["latency"]["p50_ms"] for each in answered for stage in each["stages"] if stage["name"] == name
            )
            for name in stages
        },
        "failures": sum(count for each in rounds for code, count in each["codes"].items() if code != "OK"),
    }


def _write_frames(work: Path, size_wh: tuple[int, int]) -> list[Path]:
    folder = work / f"{size_wh[0]}x{size_wh[1]}"
    folder.mkdir()
    pixels, paths = draw(size_wh), []
    for number in range(_FRAMES):
        shifted = np.roll(pixels, number * size_wh[0] // _FRAMES, axis=1)
        paths.append(folder / f"{number}.jpg")
        paths[-1].write_bytes(simplejpeg.encode_jpeg(shifted, quality=_QUALITY, colorsubsampling="420"))
    return paths


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load (default: %(default)s)")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="at one time (default: 1 8 32)")
    parser.add_argument(
        "--frames", type=_size, nargs="+", default=SIZES_WH, metavar="WxH", help="default: 1920x1080 3840x2160"
    )
    parser.add_argument("--input", type=_size, default=(640, 640), metavar="WxH", help="of the model: 640x640")
    parser.add_argument("--anchors", type=int, default=8400, help="of the model's output (default: %(default)s)")
    parser.add_argument("--instances", type=int, default=4, help="of the model (default: %(default)s)")
    parser.add_argument("--model-on-cpu", action="store_true", help="run the model on the CPU, to try this program")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the report (default: %(default)s)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
