"""The version of this Outpost."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("outpost")
    except PackageNotFoundError:
        return "0+unknown"


VERSION = _installed()
