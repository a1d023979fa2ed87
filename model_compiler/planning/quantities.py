"""Numbers with units, as people write them on a command line."""

import math
import re
from collections.abc import Mapping

_TIME_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0}
_MEMORY = {
    "B": 1.0,
    "kB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "TB": 1e12,
    "KiB": 2.0**10,
    "MiB": 2.0**20,
    "GiB": 2.0**30,
    "TiB": 2.0**40,
}
_RATE_MBPS = {"kbit/s": 1e-3, "Mbit/s": 1.0, "Gbit/s": 1e3, "kbps": 1e-3, "Mbps": 1.0, "Gbps": 1e3}
_POWER_WATTS = {"mW": 1e-3, "W": 1.0, "kW": 1e3}
_SHARE = {"%": 0.01}
_NUMBER = re.compile(r"\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*")


class NotAQuantity(ValueError):
    """A text is not a number of the kind asked for; the message says what is."""

    def __init__(self, text: str, kind: str, units: Mapping[str, float], problem: str) -> None:
        self.text, self.kind = text, kind
        known = f", or with a unit: {', '.join(units)}" if units else ""
        super().__init__(f"{text!r} is not {kind}: {problem}; write a number{known}")


def milliseconds(text: str) -> float:
    """A time; a bare number is in ms.

    Raises:
        NotAQuantity: It is negative, no number or of another unit.
    """
    return _read(text, "a time in ms", _TIME_MS)


def byte_count(text: str) -> int:
    """A size; a bare number is in bytes.

    Raises:
        NotAQuantity: It is negative, no number or of another unit.
    """
    return round(_read(text, "a size in bytes", _MEMORY))


def megabits_per_second(text: str) -> float:
    """A data rate; a bare number is in Mbit/s.

    Raises:
        NotAQuantity: It is negative, no number or of another unit.
    """
    return _read(text, "a data rate in Mbit/s", _RATE_MBPS)


def watts(text: str) -> float:
    """A power; a bare number is in W.

    Raises:
        NotAQuantity: It is negative, no number or of another unit.
    """
    return _read(text, "a power in W", _POWER_WATTS)


def share(text: str) -> float:
    """A share of one: ``0.1`` or ``10%``.

    Raises:
        NotAQuantity: It is outside 0 to 1, or no number.
    """
    value = _read(text, "a share from 0 to 1", _SHARE)
    if value > 1.0:
        raise NotAQuantity(text, "a share from 0 to 1", _SHARE, "it is above 1")
    return value


def plain(text: str) -> float:
    """A number that is not negative and has no unit.

    Raises:
        NotAQuantity: It is negative or no number.
    """
    return _read(text, "a plain number", {})


def whole(text: str) -> int:
    """A number of things.

    Raises:
        NotAQuantity: It is negative, broken or no number.
    """
    value = _read(text, "a whole number", {})
    if value != int(value):
        raise NotAQuantity(text, "a whole number", {}, "it has a fraction")
    return int(value)


def in_bytes(size_bytes: float) -> str:
    """A size for people: ``1.5 GiB``."""
    for unit in ("GiB", "MiB", "KiB"):
        if size_bytes >= _MEMORY[unit]:
            return f"{size_bytes / _MEMORY[unit]:.3g} {unit}"
    return f"{size_bytes:g} B"


def _read(text: str, kind: str, units: Mapping[str, float]) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise NotAQuantity(text, kind, units, "it is not a number")
    number, unit = float(match[1]), match[2]
    if unit and unit not in units:
        near = {name.lower(): name for name in units}
        if unit.lower() not in near:
            raise NotAQuantity(text, kind, units, f"{unit!r} is not one of its units")
        unit = near[unit.lower()]
    if number < 0.0:
        raise NotAQuantity(text, kind, units, "it is negative")
    value = number * (units[unit] if unit else 1.0)
    if not math.isfinite(value):
        raise NotAQuantity(text, kind, units, "it is not finite")
    return value
