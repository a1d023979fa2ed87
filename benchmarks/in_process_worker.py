"""One process of the in-process ceiling: reads a command per line, runs the loop, writes the result as a line."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.in_process_detector import InProcessDetector
from gateway.load.process_cpu import host_busy_seconds


def run_loop(
    detector: InProcessDetector, frames: Sequence[bytes], warmup_seconds: float, seconds: float
) -> dict[str, Any]:
    """Frame after frame for some time.

    Returns:
        ``images``, ``seconds``, ``cpu_seconds`` of the whole process, ``prepare_cpu_seconds`` of decode and letterbox,
        ``host_busy_seconds`` of everything on this host, and ``latencies``, one per image, in seconds.
    """
    begins_at = time.perf_counter() + warmup_seconds
    number = 0
    while time.perf_counter() < begins_at:
        detector.detect(detector.prepare(frames[number % len(frames)]))
        number += 1
    latencies, prepare_cpu_seconds = [], 0.0
    busy_before = host_busy_seconds()
    cpu_before, began_at = time.process_time(), time.perf_counter()
    finished_at = began_at
    while finished_at - began_at < seconds:
        started_at, thread_before = finished_at, time.thread_time()
        placement = detector.prepare(frames[number % len(frames)])
        prepare_cpu_seconds += time.thread_time() - thread_before
        detector.detect(placement)
        number += 1
        finished_at = time.perf_counter()
        latencies.append(finished_at - started_at)
    return {
        "images": len(latencies),
        "seconds": finished_at - began_at,
        "cpu_seconds": time.process_time() - cpu_before,
        "prepare_cpu_seconds": prepare_cpu_seconds,
        "host_busy_seconds": host_busy_seconds() - busy_before,
        "latencies": latencies,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.in_process_worker", description=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("frames", type=Path, nargs="+")
    args = parser.parse_args()
    detector = InProcessDetector(args.build)
    frames = [path.read_bytes() for path in args.frames]
    print(json.dumps({"runtime": detector.runtime}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(run_loop(detector, frames, command["warmup_seconds"], command["seconds"])), flush=True)


if __name__ == "__main__":
    main()
