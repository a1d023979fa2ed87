"""``outpost-compile verify``: is a build whole and free of contradictions."""

import argparse
from pathlib import Path

from model_compiler.packaging.build_directory import verify_build


def describe(verb: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    verb.description = "Check that every file is there and unchanged, and that card, configuration and model agree."
    verb.add_argument("directory", type=Path, help="build directory, <model>-<version>_<class>")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Check a build.

    Raises:
        CompileError: There is no such build, or it is not sound.
    """
    verify_build(options.directory)
    print(f"{options.directory}: sound")
