"""Says in words what pydantic found wrong with a file that a person wrote."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError


def problems_of(error: ValidationError, part: type[BaseModel]) -> list[str]:
    """One sentence for each problem: the field's path, what is wrong, and the nearest key for an unknown one.

    Args:
        error: What the validation of ``part`` raised.
        part: What the file should have been.
    """
    keys = sorted(set(_keys(part)))
    return [_problem(item, keys) for item in error.errors(include_url=False)]


def nearest(word: str, known: list[str]) -> str:
    """``; did you mean 'x'?``, or nothing where no known word is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _problem(item: Mapping[str, Any], keys: list[str]) -> str:
    place = ".".join(str(step) for step in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{place}: there is no such key{nearest(str(item['loc'][-1]), keys)}"
    if item["type"] == "missing":
        return f"{place}: is missing"
    if item["type"] == "literal_error":
        near = nearest(str(item["input"]), item["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", "))
        return f"{place}: must be {item['ctx']['expected']}, got {item['input']!r}{near}"
    text = item["msg"].removeprefix("Value error, ")
    return f"{place}: {text}" if place else text


def _keys(part: type[BaseModel]) -> Iterator[str]:
    for name, field in part.model_fields.items():
        yield name
        for inner in _parts(field.annotation):
            yield from _keys(inner)


def _parts(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _parts(argument)
