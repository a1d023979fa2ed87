"""The command ``outpost-gateway``."""

import argparse
import sys
from collections.abc import Sequence

from gateway.commands import bench, check, demo, detect, serve, worker

_VERBS = {
    "serve": (serve, "start Triton and the gateway, and stay up"),
    "check": (check, "say what is installed, which paths are chosen and why, and what is degraded"),
    "detect": (detect, "send pictures to a running gateway and show what is found"),
    "demo": (demo, "start Triton and the gateway on free ports, show what is found in the sample frames, stop"),
    "bench": (bench, "measure a running gateway"),
}


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="outpost-gateway",
        description="Camera frames in, detections out, in front of Triton. Settings can also be given as environment"
        " variables with the prefix OUTPOST_GATEWAY_.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (module, summary) in _VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["worker"]:
        return worker.run()
    parsed = build_parser().parse_args(given)
    code: int = parsed.run(parsed)
    return code


if __name__ == "__main__":
    sys.exit(main())
