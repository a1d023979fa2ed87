"""A benchmark's record as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cells import MOST_CLIENTS, Cell, CellResult
from benchmarks.serving_record import ModelRecord, ServingRecord
from gateway.load.cpu_meter import OTHER

_SHOWN = (
    Cell("ceiling", 0),
    Cell("gateway-grpc", MOST_CLIENTS),
    Cell("gateway-http", MOST_CLIENTS),
    Cell("triton", MOST_CLIENTS),
    Cell("plain", MOST_CLIENTS),
    Cell("tuned", MOST_CLIENTS),
)
_SHORT = ("(a) in process", "(b) gRPC", "(b) HTTP", "(c) Triton alone", "(d) FastAPI FP32", "(d2) FastAPI, ours")


def plot_record(record: ServingRecord, path: Path) -> None:
    """Images per second with the ceiling as a line, and CPU time per image by process: a row per model."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and only needed at the end

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(
        len(record.models), 2, figsize=(13, 3.6 * len(record.models)), layout="constrained", squeeze=False
    )
    for row, model in zip(axes, record.models, strict=True):
        shown = [(cell, name) for cell, name in zip(_SHOWN, _SHORT, strict=True) if cell in model.cells]
        names = [name for _, name in shown]
        results = [model.cells[cell] for cell, _ in shown]
        _plot_rate(row[0], model, names, results)
        _plot_cpu(row[1], names, results)
    figure.suptitle(f"{MOST_CLIENTS} clients, {record.machine.get('CPU', '')}, {record.machine.get('date', '')}")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _plot_rate(axes: Any, model: ModelRecord, names: Sequence[str], results: Sequence[CellResult]) -> None:
    rates = [result.images_per_second for result in results]
    bars = axes.barh(
        names, rates, color=["#9aa5b1" if name.startswith(("(a)", "(c)")) else "#2f6fb2" for name in names]
    )
    axes.bar_label(bars, fmt="%.0f", padding=3)
    ceiling = model.cells.get(Cell("ceiling", 0))
    if ceiling is not None:
        axes.axvline(ceiling.images_per_second, color="#c0392b", linestyle="--", linewidth=1)
    axes.set(title=f"{model.name}, {model.input_width}x{model.input_height}", xlabel="images per second")
    axes.invert_yaxis()


def _plot_cpu(axes: Any, names: Sequence[str], results: Sequence[CellResult]) -> None:
    roles = dict.fromkeys(role for result in results for role in result.cpu_ms_per_image)
    left = [0.0] * len(names)
    for role in (role for role in roles if role != OTHER):
        widths = [result.cpu_ms_per_image.get(role, 0.0) for result in results]
        axes.barh(names, widths, left=left, label=role)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.set(xlabel="CPU time per image (ms)")
    axes.legend(fontsize="small")
    axes.invert_yaxis()
