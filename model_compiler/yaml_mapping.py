"""Reads a YAML file that a person wrote."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from model_compiler.errors import CompileError, InputFileMissing


def read_yaml_mapping(
    path: Path, role: str, invalid: Callable[[Path, Sequence[str]], CompileError]
) -> Mapping[str, Any]:
    """The keys and values of a file.

    Args:
        path: The file.
        role: What it is, for the message when it is not there.
        invalid: Makes the error of a file that is something else.

    Raises:
        InputFileMissing: There is no such file.
        CompileError: What ``invalid`` makes.
    """
    if not path.is_file():
        raise InputFileMissing(path, role)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise invalid(path, [f"not valid YAML: {' '.join(str(error).split())}"]) from error
    if not isinstance(content, Mapping):
        raise invalid(path, ["it must be a mapping of keys to values"])
    return content
