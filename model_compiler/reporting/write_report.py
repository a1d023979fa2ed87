"""Writes the report of several builds: one Markdown page and a picture for each."""

from collections.abc import Sequence
from pathlib import Path

from model_compiler.packaging.build_directory import write_file
from model_compiler.reporting.build_report import BuildReport
from model_compiler.reporting.goal import Goal
from model_compiler.reporting.markdown import render_reports
from model_compiler.reporting.plots import plot_report

PAGE = "report.md"


def write_report(reports: Sequence[BuildReport], folder: Path, goals: Sequence[Goal] = ()) -> tuple[Path, ...]:
    """Write ``report.md`` and ``<build>.png`` of each build, by build name; each file is there whole or not at all.

    Args:
        reports: At least one.
        folder: Made if need be.
        goals: That no build answers by itself.

    Returns:
        The files written, the page last.

    Raises:
        OSError: The disk is full or not writable.
    """
    ordered = sorted(reports, key=lambda report: report.build)
    pictures = [folder / f"{report.build}.png" for report in ordered]
    for report, picture in zip(ordered, pictures, strict=True):
        write_file(picture, plot_report(report))
    page = folder / PAGE
    write_file(page, render_reports(ordered, [picture.name for picture in pictures], goals).encode())
    return (*pictures, page)
