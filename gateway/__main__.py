"""The command ``outpost-gateway``."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

_VERBS = {
    "serve": "start Triton and the gateway, and stay up",
    "triton": "run Triton alone, for a gateway in another container or process",
    "check": "say what is installed, which paths are chosen and why, and what is degraded",
    "detect": "send pictures to a running gateway and show what is found",
    "demo": "start Triton and the gateway on free ports, show what is found in the sample frames, stop",
    "bench": "measure a running gateway",
}


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """The command line.

    Args:
        chosen: The verb whose arguments are added. Only its module is imported: an image for one verb carries only what
            that one needs.
    """
    parser = argparse.ArgumentParser(
        prog="outpost-gateway",
        description="Camera frames in, detections out, in front of Triton. Settings can also be given as environment"
        " variables with the prefix OUTPOST_GATEWAY_.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, summary in _VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            module = import_module(f"gateway.commands.{name}")
            module.add_arguments(verb)
            verb.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["worker"]:
        return int(import_module("gateway.commands.worker").run())
    parsed = build_parser(given[0] if given else None).parse_args(given)
    return int(parsed.run(parsed))


if __name__ == "__main__":
    sys.exit(main())
