"""Settings as flags: each flag wins over its environment variable."""

import argparse
from typing import Any

from pydantic import ValidationError

from device_agent.settings import Settings


def add_settings(parser: argparse.ArgumentParser) -> None:
    """One flag for each setting, named like it."""
    for name, field in Settings.model_fields.items():
        text = f"{field.description or ''} [{field.default}]".replace("%", "%%")
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="VALUE", help=text)


def read_settings(parsed: argparse.Namespace) -> Settings:
    """Settings of the flags that were given and the environment.

    Raises:
        ValidationError: A value is not what the setting takes.
    """
    given: dict[str, Any] = {
        name: value for name in Settings.model_fields if (value := getattr(parsed, name, None)) is not None
    }
    return Settings(**given)


def explain(error: ValidationError) -> str:
    """What is wrong with which setting."""
    lines = []
    for problem in error.errors():
        name = "_".join(str(part) for part in problem["loc"])
        flag = f"--{name.replace('_', '-')} (OUTPOST_AGENT_{name.upper()})"
        lines.append(f"{flag}: {problem['msg']}, got {problem['input']!r}")
    return "\n".join(lines)
