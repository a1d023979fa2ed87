"""A worker with a GPU, as a program: FOLDER LOST ENDS.

Its first LOST processes have lost their GPU. What each was told first stands in a line of FOLDER/told. Where ENDS is
"late", those do not end with their line; where it is "silent", all after them say nothing when they are to use the GPU
from the start, and where it is "dies", they die of it. What stands in FOLDER/problem is said once as the problem of a
start.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any


def answer_to(message: dict[str, Any], folder: Path, *, lost: bool) -> dict[str, Any]:
    """What it says."""
    answer: dict[str, Any] = {"kind": message["kind"], "id": message["id"], "problem": ""}
    problem = folder / "problem"
    if message["kind"] == "start" and problem.exists():
        answer["problem"] = problem.read_text()
        problem.unlink()
    if message["kind"] == "start":
        answer["preprocessing"] = {"path": "cuda", "reason": f"process {os.getpid()} has measured it"}
    if message["kind"] == "metrics":
        answer["text"] = "# TYPE frames_total counter\nframes_total 7.0\n"
    if message["kind"] == "status":
        facts = {"pid": os.getpid(), "shared_memory": True, "shared_memory_reason": "", "device_lost": lost}
        answer["status"] = facts
    return answer


def main(folder: Path, lost: int, ends: str) -> None:
    told = folder / "told"
    number = 1 + (len(told.read_text().splitlines()) if told.exists() else 0)
    without = number <= lost
    with socket.socket(fileno=int(os.environ["OUTPOST_GATEWAY_WORKER_LINK"])) as link, link.makefile("r") as lines:
        for line in lines:
            message = json.loads(line)
            if message["kind"] == "start":
                with told.open("a") as file:
                    file.write(line)
                on_gpu = (message["preprocessing"] or {}).get("path") == "cuda"
                without = without or (not on_gpu and message["gpu_lost"])
                if on_gpu and number > lost and ends in ("silent", "dies"):
                    time.sleep(3600 if ends == "silent" else 0)
                    sys.exit(139)
            link.sendall(json.dumps(answer_to(message, folder, lost=without)).encode() + b"\n")
    if ends == "late" and number <= lost:
        time.sleep(3600)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
