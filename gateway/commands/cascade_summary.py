"""What a cascade saves on some frames, as one line."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from gateway.commands.detection_client import DetectionClient
from gateway.commands.frame_answer import FrameRefused


def cascade_summary(client: DetectionClient, name: str, frames: Sequence[Path]) -> str:
    """Ask a cascade about each frame in turn.

    Args:
        client: Of the cascade.
        name: Of the cascade.
        frames: Pictures; those that are refused do not count.

    Raises:
        GatewayNotThere: Nobody answers.
        ModelNotThere: There is no such cascade, or it is not ready.
        OSError: A picture cannot be read.
    """
    first_only: list[float] = []
    both: list[float] = []
    for path in frames:
        try:
            answer = client.detect(path.read_bytes(), None)
        except FrameRefused:
            continue
        (both if len(answer.executed) > 1 else first_only).append(answer.total_ms)
    return (
        f"The cascade {name}: {_share(first_only)} ended after its classifier, {_share(both)} went on to the detector."
    )


def _share(times_ms: Sequence[float]) -> str:
    frames = f"{len(times_ms)} frame{'s' if len(times_ms) != 1 else ''}"
    return f"{frames} (median {statistics.median(times_ms):.1f} ms)" if times_ms else frames
