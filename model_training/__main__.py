"""The command `outpost-train`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from model_training.allocator import keep_freed_memory
from model_training.export import ExportMismatch
from model_training.frame_distribution import SPLIT_SEEDS
from model_training.frame_folder import choose_samples, write_frames
from model_training.recipe import (
    HELDOUT_FRAMES,
    TRAIN_FRAMES,
    TRAINING,
    Workshop,
    export_model,
    train_model,
    write_metrics,
)

EXAMPLES = """examples:
  outpost-train all                            make both demo models (the student first), as `make train` does
  outpost-train run --model student            train; run it again after an interruption and it goes on
  outpost-train export --model student         write var/training/student/model.onnx
  outpost-train evaluate --model student       measure it on 5,000 held-out frames
  outpost-train frames out/ --count 20         look at the frames (JPEG and COCO labels)
  outpost-train frames samples/frames --samples   make the sample frames of the repository
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    options = _parser().parse_args(arguments)
    keep_freed_memory()
    try:
        options.act(options)
    except FileNotFoundError as error:
        print(f"{error.filename or error} is missing: train and export the model first", file=sys.stderr)
        return 1
    except ExportMismatch as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="outpost-train",
        description="Make the demo models: synthetic frames, training, ONNX export, evaluation.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("var/training"), help="cache and results (default: %(default)s)"
    )
    verbs = parser.add_subparsers(required=True, metavar="verb")
    _add_frames(verbs)
    run = verbs.add_parser("run", help="train one model, or go on with it")
    _add_training_options(run)
    _add_model(run)
    run.set_defaults(act=_run)
    export = verbs.add_parser("export", help="write the ONNX file of the last checkpoint")
    _add_model(export)
    export.set_defaults(act=_export)
    evaluate = verbs.add_parser("evaluate", help="measure an exported model: mAP with bootstrap intervals")
    _add_model(evaluate)
    evaluate.add_argument("--split", choices=sorted(SPLIT_SEEDS), default="heldout", help="default: %(default)s")
    evaluate.add_argument("--frames", type=int, default=HELDOUT_FRAMES, help="default: %(default)s")
    evaluate.set_defaults(act=_evaluate)
    every = verbs.add_parser("all", help="train, export and evaluate both models")
    _add_training_options(every)
    every.set_defaults(act=_all)
    return parser


def _add_frames(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    frames = verbs.add_parser("frames", help="write frames as JPEG with COCO labels")
    frames.add_argument("out", type=Path, help="folder to write")
    frames.add_argument("--split", choices=sorted(SPLIT_SEEDS), default="samples", help="default: %(default)s")
    frames.add_argument("--count", type=int, default=8, help="number of frames (default: %(default)s)")
    frames.add_argument("--samples", action="store_true", help="choose eight frames that show the range instead")
    frames.set_defaults(act=_frames)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", choices=sorted(TRAINING), required=True)


def _add_training_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=int, help="rounds over the frames (default: the recipe's)")
    parser.add_argument("--train-frames", type=int, default=TRAIN_FRAMES, help="default: %(default)s")


def _frames(options: argparse.Namespace) -> None:
    seed = SPLIT_SEEDS[options.split]
    indices = choose_samples(seed) if options.samples else list(range(options.count))
    print(f"wrote {write_frames(options.out, seed, indices)}")


def _run(options: argparse.Namespace) -> None:
    train_model(Workshop(options.folder), options.model, epochs=options.epochs, train_frames=options.train_frames)


def _export(options: argparse.Namespace) -> None:
    print(f"wrote {export_model(Workshop(options.folder), options.model)}")


def _evaluate(options: argparse.Namespace) -> None:
    metrics = write_metrics(
        Workshop(options.folder),
        options.model,
        split=options.split,
        frames=options.frames,
        train_frames=getattr(options, "train_frames", TRAIN_FRAMES),
    )
    for name in ("map50", "map50_95"):
        interval = metrics["accuracy"]["intervals"][name]
        print(
            f"{options.model} {name}: {metrics['accuracy'][name]:.4f} ({interval['low']:.4f} to {interval['high']:.4f})"
        )
    print(f"by class: {metrics['accuracy']['ap50_by_class']}")


def _all(options: argparse.Namespace) -> None:
    for model in ("student", "teacher"):
        options.model, options.split, options.frames = model, "heldout", HELDOUT_FRAMES
        _run(options)
        _export(options)
        _evaluate(options)


if __name__ == "__main__":
    sys.exit(main())
