"""``outpost-gateway detect``: pictures to a running gateway, detections (or classes) on the screen."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from gateway.commands.detection_client import DetectionClient
from gateway.commands.detection_report import FrameReport, frame_json, frame_table
from gateway.commands.frame_answer import FrameRefused, GatewayNotThere, ModelNotThere
from gateway.commands.gateway_target import add_target_arguments, target_of
from gateway.commands.rendered_frames import RenderedFrames
from gateway.load.client_access import AccessFileUnusable
from gateway.load.frame_files import NoFrames, find_frames
from vision.errors import ImageError

_DONE, _SOME_FAILED, _NOT_STARTED = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    parser.add_argument(
        "frames", nargs="*", type=Path, help="pictures, or folders of them (default: the sample frames)"
    )
    add_target_arguments(parser)
    parser.add_argument("--threshold", type=_score, metavar="SCORE", help="lowest score, instead of the model card's")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--render", type=Path, metavar="FOLDER", help="write the pictures with boxes drawn there")


def run(args: argparse.Namespace) -> int:
    """Ask about each picture in turn.

    Returns:
        0; 1 when a picture failed; 2 when there was nothing to ask, or nobody.
    """
    try:
        client = target_of(args).client()
    except AccessFileUnusable as error:
        print(error, file=sys.stderr)
        return _NOT_STARTED
    try:
        paths = find_frames(args.frames)
        labels = client.labels()
        rendered = RenderedFrames(args.render, labels) if args.render is not None else None
        return _detect_all(client, paths, labels, args, rendered)
    except (GatewayNotThere, ModelNotThere, NoFrames) as error:
        print(error, file=sys.stderr)
        return _NOT_STARTED
    finally:
        client.close()


def _detect_all(
    client: DetectionClient,
    paths: Sequence[Path],
    labels: Sequence[str],
    args: argparse.Namespace,
    rendered: RenderedFrames | None,
) -> int:
    console = Console()
    reports = []
    for path in paths:
        reports.append(_detect(client, path, args.threshold, rendered))
        if not args.json:
            console.print(frame_table(reports[-1], labels))
    if args.json:
        print(json.dumps([frame_json(report, labels) for report in reports], indent=2))
    return _SOME_FAILED if any(report.error for report in reports) else _DONE


def _detect(
    client: DetectionClient, path: Path, threshold: float | None, rendered: RenderedFrames | None
) -> FrameReport:
    try:
        frame = path.read_bytes()
        answer = client.detect(frame, threshold)
        written = rendered.write(path, frame, answer) if rendered is not None else None
    except FrameRefused as error:
        return FrameReport(path, error=str(error))
    except (ImageError, OSError) as error:
        return FrameReport(path, error=f"{error}")
    return FrameReport(path, answer=answer, rendered=written)


def _score(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value
