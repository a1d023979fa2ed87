"""The flags of ``bench`` and what they mean together."""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.commands.gateway_target import GatewayTarget, add_target_arguments, address, target_of
from gateway.load.arrival_schedule import Arrivals
from gateway.load.load_window import LoadWindow

METRICS_ADDRESS = "127.0.0.1:8002"
_MOST_CONNECTIONS = 16
_OPEN_LOOP_CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What ``bench`` was asked to do; ``rate`` set means an open loop."""

    target: GatewayTarget
    frames: tuple[Path, ...]
    concurrency: tuple[int, ...]
    rate: float | None
    arrivals: Arrivals
    seed: int
    seconds: float
    warmup_seconds: float
    connections: int
    sustained: bool
    metrics: str
    against: "BenchPlan | None"
    json: Path | None
    plot: Path | None

    @property
    def total_seconds(self) -> float:
        """Length of one load."""
        return self.warmup_seconds + self.seconds

    @property
    def sides(self) -> tuple["BenchPlan", ...]:
        """The gateways that get each load, one after the other."""
        return (self,) if self.against is None else (self, self.against)

    def window_from_now(self) -> LoadWindow:
        """The window of a load that starts now."""
        return LoadWindow.after(time.perf_counter(), self.warmup_seconds, self.seconds)

    def connections_for(self, clients: int | None) -> int:
        """Channels (gRPC) of a load: by default one per client, up to 16."""
        if self.connections:
            return self.connections
        return min(clients, _MOST_CONNECTIONS) if clients is not None else _OPEN_LOOP_CONNECTIONS


def add_bench_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument(
        "frames", nargs="*", type=Path, help="pictures to send, or folders of them (default: the sample frames)"
    )
    add_target_arguments(parser)
    load = parser.add_mutually_exclusive_group()
    load.add_argument(
        "--concurrency",
        type=_counts,
        metavar="N[,N...]",
        help="closed loop: so many clients, each with one request in work; a load for each number (default: 1,4,16)",
    )
    load.add_argument(
        "--rate",
        type=_positive,
        metavar="PER_SECOND",
        help="open loop: requests go out at this rate; latency counts from the moment each was due",
    )
    parser.add_argument("--arrivals", choices=("poisson", "fixed"), default="poisson", help="gaps of the open loop")
    parser.add_argument("--seed", type=int, default=0, help="of the Poisson gaps (default: %(default)s)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--seconds", type=_positive, default=10.0, help="measured time of a load (default: %(default)g)"
    )
    length.add_argument(
        "--sustain",
        type=_positive,
        metavar="SECONDS",
        help="one long load (the last number of --concurrency): compare its first and last minute",
    )
    parser.add_argument("--warmup", type=float, default=2.0, metavar="SECONDS", help="before it (default: %(default)g)")
    parser.add_argument("--connections", type=int, default=0, help="gRPC channels (default: one per client, up to 16)")
    parser.add_argument(
        "--metrics",
        type=address,
        default=METRICS_ADDRESS,
        metavar="HOST:PORT",
        help="gateway's metrics, for its own view of the stages (default: %(default)s)",
    )
    parser.add_argument(
        "--against",
        type=address,
        metavar="HOST:PORT",
        help="a second gateway, such as one with --preprocess cpu: it gets each load too, and the stages of both are"
        " shown side by side",
    )
    parser.add_argument(
        "--against-metrics", type=address, metavar="HOST:PORT", help="its metrics (default: they are not asked)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the latencies there (needs matplotlib)")


def bench_plan(args: argparse.Namespace) -> BenchPlan:
    """What the flags say."""
    concurrency = args.concurrency or (1, 4, 16)
    sustained = args.sustain is not None
    plan = BenchPlan(
        target=target_of(args),
        frames=tuple(args.frames),
        concurrency=concurrency[-1:] if sustained else concurrency,
        rate=args.rate,
        arrivals=args.arrivals,
        seed=args.seed,
        seconds=args.sustain if sustained else args.seconds,
        warmup_seconds=max(0.0, args.warmup),
        connections=max(0, args.connections),
        sustained=sustained,
        metrics=args.metrics,
        against=None,
        json=args.json,
        plot=args.plot,
    )
    if args.against is None:
        return plan
    other = replace(plan, target=replace(plan.target, address=args.against), metrics=args.against_metrics or "")
    return replace(plan, against=other)


def _counts(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected whole numbers from 1, such as 1,4,16, got {text!r}")
    return tuple(int(part) for part in parts)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected a number greater than 0, got {text!r}")
    return value
