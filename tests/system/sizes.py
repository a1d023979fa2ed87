"""How much the tests do that have two sizes: a short one for CI, and the full one of `make soak`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

VARIABLE = "OUTPOST_TEST_SIZES"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is repeated how often.

    Attributes:
        requests: Of the soak.
        process_kills: Of each process under one gateway: Triton, a backend (killed, stopped), the gateway itself.
        server_kills: Of each container that answers: Triton's and the gateway's.
        watcher_kills: Of each container that watches: the device agent's and Prometheus'.
        fuzz_seconds: How long malformed input is sent.
        seed: Of the malformed input: case 17 of a seed is the same bytes in every run.
    """

    requests: int = 5_000
    process_kills: int = 1
    server_kills: int = 3
    watcher_kills: int = 2
    fuzz_seconds: int = 60
    seed: int = 1


SHORT = Sizes()
FULL = Sizes(requests=100_000, process_kills=5, server_kills=30, watcher_kills=20, fuzz_seconds=600)
_NAMED = {"short": SHORT, "full": FULL}


def sizes_of(environment: Mapping[str, str]) -> Sizes:
    """Read the variable: ``short`` (also where it is missing) or ``full``, and numbers that differ: ``full,seed=7``.

    Raises:
        ValueError: Another name, or a number that is none or not positive.
    """
    text = environment.get(VARIABLE) or "short"
    sizes, known = SHORT, [field.name for field in fields(Sizes)]
    for part in text.split(","):
        name, equals, number = part.partition("=")
        if not equals and name in _NAMED:
            sizes = _NAMED[name]
        elif name in known and number.isdecimal() and int(number) > 0:
            sizes = replace(sizes, **{name: int(number)})
        else:
            raise ValueError(
                f"{VARIABLE}={text}: '{part}' is not known; write short, full, or a number from 1 on as in requests=9"
                f" (of {', '.join(known)})"
            )
    return sizes
