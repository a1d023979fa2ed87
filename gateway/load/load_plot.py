"""Latencies of loads as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gateway.load.load_runner import LoadRun


class PlotUnavailable(Exception):
    """matplotlib is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "--plot needs matplotlib: install it with `pip install matplotlib` (it is in the extra `bench`)"
        )


def require_matplotlib() -> None:
    """Check before a long load rather than after it.

    Raises:
        PlotUnavailable: It is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - optional
    except ImportError as error:
        raise PlotUnavailable from error
    mpl.use("Agg")


def plot_loads(runs: Sequence[LoadRun], path: Path, title: str) -> None:
    """Latency by share of requests, and latency over time, one line per load.

    Args:
        runs: What is drawn; those without an answer are left out.
        path: Written; the suffix says the format.
        title: Over both.

    Raises:
        PlotUnavailable: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib import pyplot as plt  # noqa: PLC0415 - optional

    figure, (by_share, over_time) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for run in runs:
        answered = [record for record in run.records if record.answered and run.window.contains(record.finished_at)]
        if not answered:
            continue
        latencies = np.array([record.latency_seconds * 1e3 for record in answered])
        moments = np.array([record.finished_at - run.window.begins_at for record in answered])
        label = f"{run.result.name}: {run.result.images_per_second:.0f} images/s"
        by_share.plot(np.sort(latencies), np.linspace(0, 100, len(latencies)), label=label)
        over_time.plot(moments, latencies, ".", markersize=2, alpha=0.5, label=label)
    by_share.set(xlabel="latency (ms)", ylabel="requests answered within it (%)", xscale="log")
    over_time.set(xlabel="time (s)", ylabel="latency (ms)", ylim=(0, None))
    for axes in (by_share, over_time):
        axes.grid(alpha=0.3)
    if by_share.lines:
        by_share.legend(fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    plt.close(figure)
