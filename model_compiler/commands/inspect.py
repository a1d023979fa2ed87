"""``outpost-compile inspect``: what is in an ONNX file."""

import argparse
import json
from pathlib import Path

from model_compiler.graph.inspection import inspect_file
from model_compiler.graph.inspection_text import inspection_json, inspection_text


def describe(verb: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    verb.description = (
        "Check an ONNX file and print its inputs and outputs, operators, parameters, multiply-adds for one picture,"
        " size, share of quantised nodes, and what the exporter noted."
    )
    verb.add_argument("model", type=Path, help="ONNX file")
    verb.add_argument("--json", action="store_true", help="print JSON")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Inspect and print.

    Raises:
        CompileError: The file is not there, or is not a model that can be read.
    """
    found = inspect_file(options.model)
    print(json.dumps(inspection_json(found), indent=2) if options.json else inspection_text(found))
