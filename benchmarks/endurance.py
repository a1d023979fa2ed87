"""The kill, soak and fuzz tests in their full size, and a page of what they measured (`make soak`).

It runs pytest with the marker `soak`; sizes come from one variable, which the tests read (`tests/system/sizes.py`).
"""

import argparse
import dataclasses
import datetime as dt
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.endurance_report import report
from benchmarks.junit_results import JunitResults
from benchmarks.machine import describe_machine
from tests.system.sizes import VARIABLE, sizes_of

REPOSITORY = Path(__file__).parents[1]
_LARGEST_SEED = 999_999


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests; write `soak.json` and `soak.md`. Returns pytest's exit code; 2 for sizes that are none."""
    given = sys.argv[1:] if arguments is None else arguments
    args = _parser().parse_args(given)
    sizes = args.sizes if "seed=" in args.sizes else f"{args.sizes},seed={random.randint(1, _LARGEST_SEED)}"
    try:
        described = dataclasses.asdict(sizes_of({VARIABLE: sizes}))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{VARIABLE}={sizes}", flush=True)
    began_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="outpost-soak-") as folder:
        file = Path(folder) / "tests.xml"
        code = _run_tests(sizes, args.tests, file)
        if not file.exists():
            print(f"pytest ended with {code} and left no report; nothing is written", file=sys.stderr)
            return code or 1
        results = JunitResults.from_junit(file.read_text())
    facts = {
        "command": shlex.join(["python", "-m", "benchmarks.endurance", *given]),
        "machine": _machine(),
        "sizes": described,
        "seconds": time.monotonic() - began_at,
        **dataclasses.asdict(results),
    }
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "soak.json").write_text(json.dumps(facts, indent=1) + "\n")
    (args.output / "soak.md").write_text(report(facts))
    print(report(facts))
    return code


def _run_tests(sizes: str, paths: Sequence[str], file: Path) -> int:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--config-file",
        "pyproject.toml",
        "--verbose",
        "-m",
        "soak",
        "--junitxml",
        str(file),
        *paths,
    ]
    return _run_to_its_end(command, {**os.environ, VARIABLE: sizes})


def _run_to_its_end(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Tests that are interrupted get the time to put away what they have started: containers, processes."""
    # in a session of its own, so that it is interrupted once, whether by a terminal or by a signal to this process
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, start_new_session=True)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise


def _machine() -> dict[str, str]:
    versions = {
        "commit": _said("git", "describe", "--always", "--dirty"),
        "engine": "Docker " + _said("docker", "version", "--format", "{{.Server.Version}}"),
    }
    return describe_machine(dt.datetime.now(dt.UTC)) | versions


def _said(*command: str) -> str:
    """What a program prints, or that it does not answer."""
    try:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "missing"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.endurance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tests", nargs="*", help="files or folders of tests (default: all that have the marker)")
    parser.add_argument(
        "--sizes", default="full", help=f"as in {VARIABLE}: full,requests=2000 (default: %(default)s, a random seed)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks/results"), help="folder of the page (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
