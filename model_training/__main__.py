"""The command `outpost-train`."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_training.allocator import keep_freed_memory
from model_training.export import ExportMismatch
from model_training.frame_distribution import SPLIT_SEEDS
from model_training.frame_folder import choose_samples, write_class_folders, write_frames
from model_training.job import TRAIN_FRAMES, JobUnreadable, TeacherOfAnotherKind, do_job, read_job
from model_training.job_folder import FolderInUse, OtherTrainingKept
from model_training.networks import CLASSIFIER, UnknownNetwork
from model_training.pruning import NothingToPrune
from model_training.recipe import (
    HELDOUT_FRAMES,
    PRUNED,
    TRAINING,
    Workshop,
    distill_student,
    export_model,
    prune_model,
    train_model,
    write_metrics,
)
from model_training.training_diverged import TrainingDiverged
from model_training.weights_file import WeightsUnreadable

REFUSALS = (
    ExportMismatch,
    FolderInUse,
    JobUnreadable,
    NothingToPrune,
    OtherTrainingKept,
    TeacherOfAnotherKind,
    TrainingDiverged,
    UnknownNetwork,
    WeightsUnreadable,
    OSError,
)
MADE_BY_TRAINING = (".npz", ".onnx", ".pt")
DERIVED = ("distilled", *(f"pruned-{name}" for name in PRUNED))
EXAMPLES = """examples:
  outpost-train all                            make the demo models, as `make train` does
  outpost-train run --model student            train; run it again after an interruption and it goes on
  outpost-train export --model student         write var/training/student/model.onnx
  outpost-train evaluate --model student       measure it on 5,000 held-out frames
  outpost-train distill                        the student learns from the teacher
  outpost-train prune --model teacher          fewer channels: pruned-teacher
  outpost-train work job.json                  a job from a file, as the compiler asks for
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
        missing = str(error.filename or error)
        advice = ": train and export the model first" if missing.endswith(MADE_BY_TRAINING) else ""
        print(f"outpost-train: {missing} is missing{advice}", file=sys.stderr)
        return 1
    except REFUSALS as error:
        print(f"outpost-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("outpost-train: interrupted; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130
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
    parser.add_argument(
        "--learning-rate-scale",
        type=_positive,
        default=1.0,
        metavar="FACTOR",
        help="times the learning rate of the training that is left, for one that diverged (default: %(default)s)",
    )
    verbs = parser.add_subparsers(required=True, metavar="verb")
    _add_frames(verbs)
    _add_jobs(verbs)
    run = verbs.add_parser("run", help="train one model, or go on with it")
    _add_training_options(run)
    _add_model(run)
    run.set_defaults(act=_run)
    export = verbs.add_parser("export", help="write the ONNX file of the last checkpoint")
    _add_model(export, also=DERIVED)
    export.set_defaults(act=_export)
    evaluate = verbs.add_parser("evaluate", help="measure an exported model: mAP or top-1 with bootstrap intervals")
    _add_model(evaluate, also=DERIVED)
    evaluate.add_argument("--split", choices=sorted(SPLIT_SEEDS), default="heldout", help="default: %(default)s")
    evaluate.add_argument("--frames", type=_positive_integer, default=HELDOUT_FRAMES, help="default: %(default)s")
    evaluate.set_defaults(act=_evaluate)
    every = verbs.add_parser("all", help="train, export and evaluate all models")
    _add_training_options(every)
    every.set_defaults(act=_all)
    return parser


def _add_frames(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    frames = verbs.add_parser("frames", help="write frames as JPEG with COCO labels")
    frames.add_argument("out", type=Path, help="folder to write")
    frames.add_argument("--split", choices=sorted(SPLIT_SEEDS), default="samples", help="default: %(default)s")
    frames.add_argument("--count", type=_positive_integer, default=8, help="number of frames (default: %(default)s)")
    frames.add_argument("--samples", action="store_true", help="choose eight frames that show the range instead")
    frames.add_argument(
        "--layout",
        choices=("coco", "classes"),
        default="coco",
        help="COCO labels, or a sub-folder for each label of the part classifier (default: %(default)s)",
    )
    frames.set_defaults(act=_frames)


def _add_jobs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    work = verbs.add_parser("work", help="do a job from a file: export, prune or distill")
    work.add_argument("job", type=Path, help="job.json; the result is written into the folder that it names")
    work.set_defaults(act=_work)
    distill = verbs.add_parser("distill", help="let the trained student learn from the trained teacher")
    _add_training_options(distill)
    distill.set_defaults(act=_distill)
    prune = verbs.add_parser("prune", help="remove channels of a trained network, and let the rest learn again")
    _add_training_options(prune)
    prune.add_argument("--model", choices=sorted(PRUNED), required=True)
    prune.set_defaults(act=_prune)


def _add_model(parser: argparse.ArgumentParser, *, also: tuple[str, ...] = ()) -> None:
    parser.add_argument("--model", choices=sorted({*TRAINING, *also}), required=True)


def _add_training_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=_positive_integer, help="rounds over the frames (default: the recipe's)")
    parser.add_argument("--train-frames", type=_positive_integer, default=TRAIN_FRAMES, help="default: %(default)s")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


def _positive_integer(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 999999999, got {text}")
    return int(text)


def _frames(options: argparse.Namespace) -> None:
    seed = SPLIT_SEEDS[options.split]
    indices = choose_samples(seed) if options.samples else list(range(options.count))
    write = write_frames if options.layout == "coco" else write_class_folders
    print(f"wrote {write(options.out, seed, indices)}")


def _work(options: argparse.Namespace) -> None:
    cache, scale = Workshop(options.folder).cache, options.learning_rate_scale
    result = do_job(read_job(options.job), cache, learning_rate_scale=scale)
    for note in result.notes:
        print(note, file=sys.stderr)


def _distill(options: argparse.Namespace) -> None:
    distill_student(Workshop(options.folder), **_training(options))


def _prune(options: argparse.Namespace) -> None:
    prune_model(Workshop(options.folder), options.model, **_training(options))


def _run(options: argparse.Namespace) -> None:
    train_model(Workshop(options.folder), options.model, **_training(options))


def _training(options: argparse.Namespace) -> dict[str, Any]:
    scale = options.learning_rate_scale
    return {"epochs": options.epochs, "train_frames": options.train_frames, "learning_rate_scale": scale}


def _export(options: argparse.Namespace) -> None:
    print(f"wrote {export_model(Workshop(options.folder), options.model)}")


def _evaluate(options: argparse.Namespace) -> None:
    metrics = write_metrics(Workshop(options.folder), options.model, split=options.split, frames=options.frames)
    accuracy = metrics["accuracy"]
    intervals = accuracy["intervals"] if "intervals" in accuracy else {"top1": accuracy["top1"]}
    for name, interval in intervals.items():
        print(f"{options.model} {name}: {interval['value']:.4f} ({interval['low']:.4f} to {interval['high']:.4f})")
    print(f"by class: {accuracy.get('ap50_by_class') or accuracy['recall_by_label']}")
    for point in accuracy.get("cascade", ()):
        print(
            f"pass from {point['pass_threshold']}: {point['defective_recall']:.3f} of the defective frames go on, "
            f"{point['good_stopped']:.3f} of the good ones stop"
        )


def _all(options: argparse.Namespace) -> None:
    settings, workshop = _training(options), Workshop(options.folder)
    for model in ("student", "teacher", *DERIVED, CLASSIFIER):
        if model == "distilled":
            distill_student(workshop, **settings)
        elif model in DERIVED:
            prune_model(workshop, model.removeprefix("pruned-"), **settings)
        else:
            train_model(workshop, model, **settings)
        options.model, options.split, options.frames = model, "heldout", HELDOUT_FRAMES
        _export(options)
        _evaluate(options)


if __name__ == "__main__":
    sys.exit(main())
