"""The command ``outpost-compile``."""

import argparse
import sys
from collections.abc import Sequence

from model_compiler.commands import add, build, classes, engines, graft, inspect, plan, report, verify
from model_compiler.errors import CompileError

_EXAMPLES = """examples:
  outpost-compile plan                                     edge, cloud or both, and on which hardware
  outpost-compile classes                                  the hardware classes, and the one of this machine
  outpost-compile inspect yolov8n.onnx                     what is in an ONNX file
  outpost-compile add yolov8n.onnx --name parts            a build from any detector or classifier
  outpost-compile build model_compiler/recipes/defects.yaml --for x86-cpu
  outpost-compile build --from-onnx model_repository --for arm-cpu --output builds
  outpost-compile graft yolov8n.onnx yolov8n-grafted.onnx --head yolov8
  outpost-compile verify model_repository/defects-1.2.1_x86-cpu
  outpost-compile engines --state-dir var --watch          on a device with an NVIDIA GPU: the plans of its builds
  outpost-compile report benchmarks/results/models         tables and plots of what was measured
"""
_VERBS = {
    "plan": (plan, "decide between edge, cloud and both, and for which hardware"),
    "classes": (classes, "list the hardware classes, and say which one this machine is"),
    "inspect": (inspect, "say what is in an ONNX file"),
    "add": (add, "make a build from an exported detector or classifier"),
    "build": (build, "run a recipe and write a build directory"),
    "graft": (graft, "move normalisation and decoding into an ONNX model"),
    "verify": (verify, "check a build against its manifest, card and configuration"),
    "engines": (engines, "make the TensorRT plans of a device's builds, on its own GPU"),
    "report": (report, "tables and plots of what was measured of each variant"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; gives the exit code: 0 done, 1 cannot be done, 2 wrong usage, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (CompileError, OSError) as error:
        print(f"outpost-compile: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "outpost-compile: interrupted; nothing half-written was left, the same command goes on from the last"
            " finished stage",
            file=sys.stderr,
        )
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="outpost-compile",
        description="From a trained model to the right engine for each hardware class.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, (module, summary) in _VERBS.items():
        module.describe(verbs.add_parser(name, help=summary))
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
