"""``outpost-compile report``: tables and plots from the reports that builds left."""

import argparse
from pathlib import Path

from model_compiler.errors import InputFileMissing
from model_compiler.reporting.build_report import BuildReport
from model_compiler.reporting.goal_file import SUFFIX, read_goals
from model_compiler.reporting.write_report import write_report


def describe(verb: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    verb.description = "Write one Markdown report with its plots from the <build>.json files of `build --reports`."
    verb.add_argument(
        "folder",
        type=Path,
        help=f"folder with <build>.json files, and <name>{SUFFIX} for goals that no build answers; the report is "
        "written into it",
    )
    verb.add_argument("--output", type=Path, help="folder for the report, where it is another one")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the report.

    Raises:
        CompileError: There are no reports, or one cannot be read.
    """
    paths = sorted(options.folder.glob("*.json"))
    builds = [BuildReport.read(path) for path in paths if not path.name.endswith(SUFFIX)]
    if not builds:
        raise InputFileMissing(options.folder / "*.json", "build report")
    goals = [goal for path in paths if path.name.endswith(SUFFIX) for goal in read_goals(path)]
    for path in write_report(builds, options.output or options.folder, goals):
        print(path)
