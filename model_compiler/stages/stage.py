"""A step of a compilation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from model_compiler.artifact import Artifact
from model_compiler.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Stage:
    """One step.

    Attributes:
        name: As the user sees it.
        run: ``run(artifact, recipe) -> artifact``; raises ``CompileError`` when it cannot go on.
        depends_on: What the result depends on beside the artifact, as JSON values: equal values, equal result.
    """

    name: str
    run: Callable[[Artifact, Recipe], Artifact]
    depends_on: Callable[[Artifact, Recipe], Mapping[str, Any]]
