"""The command ``outpost-agent``."""

import argparse
import sys
from collections.abc import Sequence

from device_agent.commands import metrics

_VERBS = {
    "metrics": (metrics, "serve what the machine does (load, memory, disk, temperature, power) as Prometheus text"),
}


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="outpost-agent",
        description="Watches the machine that the gateway runs on. Settings can also be given as environment variables"
        " with the prefix OUTPOST_AGENT_.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (module, summary) in _VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    parsed = build_parser().parse_args(arguments)
    code: int = parsed.run(parsed)
    return code


if __name__ == "__main__":
    sys.exit(main())
