"""Measures the gateway against what it is made of and what it replaces; see ``--help``.

Each model is measured as (a) plain processes, one per core, without any serving: the ceiling; (b) the gateway with
embedded Triton over gRPC and HTTP; (c) Triton alone with tensors ready in shared memory; (d) a FastAPI endpoint with
ONNX Runtime in FP32; (d2) the same endpoint with the gateway's runtime and precision. All are up at the same time and
measured in interleaved rounds on the same frames; the medians go to ``benchmarks/results/serving.{md,json,png}``.
"""

import argparse
import dataclasses
import datetime as dt
import json
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.bench_models import KNOWN_MODELS, BenchModel, ModelMissing, prepare_models
from benchmarks.cells import Cell, CellResult, all_cells, median_result
from benchmarks.child_server import ServerFailed
from benchmarks.in_process_detector import backend_of
from benchmarks.line_worker import WorkerFailed
from benchmarks.machine import describe_machine
from benchmarks.serving_plot import plot_record
from benchmarks.serving_record import ModelRecord, ServingRecord, from_json, to_json
from benchmarks.serving_report import markdown
from benchmarks.serving_systems import CellLength, ServingSystems
from benchmarks.soak import run_soak
from contracts.model_card import ModelCard
from gateway.load.frame_files import NoFrames, find_frames

_QUICK_ROUNDS, _QUICK_SECONDS = 1, 1.5
_WARMUP_SHARE = 0.25


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0; 1 when a server failed; 2 when there is nothing to measure."""
    args = _parser().parse_args(arguments)
    console = Console()
    # so that a terminated benchmark ends its servers too
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        frames = find_frames([args.frames])
        with tempfile.TemporaryDirectory(prefix="outpost-bench-") as folder:
            models = prepare_models(args.models, args.repository, Path(folder))
            record = _measure(args, models, frames, Path(folder), console)
    except (ModelMissing, NoFrames) as error:
        print(error, file=sys.stderr)
        return 2
    except (ServerFailed, WorkerFailed) as error:
        print(error, file=sys.stderr)
        return 1
    _write(record, args.output, console)
    return 0


def _measure(
    args: argparse.Namespace, models: Sequence[BenchModel], frames: Sequence[Path], work: Path, console: Console
) -> ServingRecord:
    if args.soak is not None:
        with Progress(console=console) as progress:
            task = progress.add_task(f"soak, {models[0].name}", total=args.soak)
            soak = run_soak(models[0], frames, work, args.soak, lambda done: progress.update(task, completed=done))
        previous = _previous(args.output)
        return dataclasses.replace(previous, soak=soak, machine=previous.machine or _machine())
    rounds, seconds = (_QUICK_ROUNDS, _QUICK_SECONDS) if args.quick else (args.rounds, args.seconds_per_cell)
    length = CellLength(max(0.5, _WARMUP_SHARE * seconds), seconds)
    with Progress(console=console) as progress:
        task = progress.add_task("", total=rounds * len(all_cells()) * len(models))
        measured = []
        for model in models:
            folder = work / f"{model.name}-run"
            folder.mkdir()
            progress.update(task, description=f"{model.name}: starting")
            with ServingSystems(model, frames, folder, os.cpu_count() or 1) as systems:
                measured.append(_model_record(model, _rounds(systems, model, rounds, length, progress)))
    return ServingRecord(
        command=shlex.join(["python", "-m", "benchmarks.run", *sys.argv[1:]]),
        machine=_machine(),
        rounds=rounds,
        seconds_per_cell=seconds,
        frames=_describe_frames(frames),
        models=tuple(measured),
        soak=_previous(args.output).soak,
    )


def _machine() -> dict[str, str]:
    return describe_machine(dt.datetime.now(dt.UTC))


def _describe_frames(frames: Sequence[Path]) -> str:
    mean_bytes = sum(path.stat().st_size for path in frames) / len(frames)
    return f"{len(frames)} frames, on average {mean_bytes / 1000:.0f} kB"


def _rounds(
    systems: ServingSystems, model: BenchModel, rounds: int, length: CellLength, progress: Progress
) -> dict[Cell, CellResult]:
    results: dict[Cell, list[CellResult]] = {cell: [] for cell in all_cells()}
    for number in range(rounds):
        for cell in all_cells():
            progress.update(progress.task_ids[0], description=f"{model.name} {number + 1}/{rounds}: {cell.title}")
            results[cell].append(systems.measure(cell, length))
            progress.advance(progress.task_ids[0])
    return {cell: median_result(each) for cell, each in results.items()}


def _model_record(model: BenchModel, cells: dict[Cell, CellResult]) -> ModelRecord:
    card = ModelCard.model_validate_json((model.build / "card.json").read_bytes())
    return ModelRecord(model.name, card.input.width, card.input.height, backend_of(model.build), cells)


def _previous(output: Path) -> ServingRecord:
    path = output / "serving.json"
    return from_json(json.loads(path.read_text())) if path.exists() else ServingRecord()


def _write(record: ServingRecord, output: Path, console: Console) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (output / "serving.json").write_text(json.dumps(to_json(record), indent=1) + "\n")
    if record.models:
        plot_record(record, output / "serving.png")
    report = markdown(record, "serving.png" if record.models else None)
    (output / "serving.md").write_text(report)
    console.print(report, markup=False, highlight=False, soft_wrap=True)
    console.print(f"written to {output / 'serving.md'}, serving.json, serving.png")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", type=_models, default=KNOWN_MODELS, help=f"comma-separated, of {', '.join(KNOWN_MODELS)}"
    )
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: %(default)s)")
    parser.add_argument(
        "--seconds-per-cell", type=float, default=4.0, help="measured time of a load (default: %(default)g)"
    )
    parser.add_argument("--quick", action="store_true", help="one round of 1.5 s per cell: two minutes, rough numbers")
    parser.add_argument(
        "--soak",
        type=int,
        metavar="REQUESTS",
        help="instead: so many requests to the first of the models, and the gateway's memory meanwhile (target: 50000)",
    )
    parser.add_argument("--frames", type=Path, default=Path("samples/frames"), help="folder (default: %(default)s)")
    parser.add_argument(
        "--repository", type=Path, default=Path("model_repository"), help="folder of builds (default: %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks/results"), help="folder of the report (default: %(default)s)"
    )
    return parser


def _models(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in KNOWN_MODELS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown)}; known: {', '.join(KNOWN_MODELS)}")
    return names


if __name__ == "__main__":
    raise SystemExit(main())
