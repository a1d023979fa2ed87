"""Reads a recipe from its YAML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from model_compiler.errors import InvalidRecipe
from model_compiler.recipe import Recipe
from model_compiler.validation_problems import problems_of
from model_compiler.yaml_mapping import read_yaml_mapping

Part = TypeVar("Part", bound=BaseModel)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; its paths become relative to the working directory.

    Raises:
        InputFileMissing: There is no such file.
        InvalidRecipe: It is not YAML, or a key or value is wrong.
    """
    content = read_yaml_mapping(path, "recipe", InvalidRecipe)
    return recipe_of(content, path)


def recipe_of(content: Mapping[str, Any], path: Path) -> Recipe:
    """A recipe from the content of a file; its paths are relative to the folder of ``path``.

    Raises:
        InvalidRecipe: A key or value is wrong.
    """
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise InvalidRecipe(path, problems_of(error, Recipe)) from error
    return _beside(recipe, path.parent)


def _beside(part: Part, folder: Path) -> Part:
    changed: dict[str, Any] = {}
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, Path):
            changed[name] = folder / value
        elif isinstance(value, BaseModel):
            changed[name] = _beside(value, folder)
    return part.model_copy(update=changed)
