"""Losses of a training as CSV and as a plot."""

import csv
from pathlib import Path

Row = dict[str, float]


def write_losses_csv(history: list[Row], path: Path) -> None:
    """Write one line an epoch; the columns are those of the first row."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]) if history else ["epoch"])
        writer.writeheader()
        writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in history)


def plot_losses(history: list[Row], path: Path, title: str) -> None:
    """Draw training and validation loss over the epochs."""
    # Imported here: matplotlib takes a second to load, and only the plot needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    losses = figure.add_subplot()
    epochs = [row["epoch"] for row in history]
    for column, label in (("train_loss", "training"), ("val_loss", "validation")):
        losses.plot(epochs, [row[column] for row in history], marker="o", markersize=3, label=label)
    losses.set(xlabel="epoch", ylabel="loss", title=title)
    losses.grid(alpha=0.3)
    losses.legend(loc="upper right")
    figure.savefig(path)
