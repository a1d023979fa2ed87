"""``<state>/active.json``: which build serves each alias."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contracts.build_name import BuildName


def _is_build_name(text: str) -> str:
    return str(BuildName.parse(text))


Build = Annotated[str, AfterValidator(_is_build_name)]
# an alias cannot be taken for a build's name, which has dots and an underscore
Alias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Canary(_Part):
    """A build on trial with its share of the traffic."""

    build: Build
    share: float = Field(gt=0.0, le=1.0)


class ActiveModel(_Part):
    """The builds of one alias. ``stable`` answers; the others are kept loaded for their roles."""

    stable: Build
    previous: Build | None = None
    fallback: Build | None = None
    canary: Canary | None = None
    shadow: Build | None = None
    staged: tuple[Build, ...] = ()

    @model_validator(mode="after")
    def _one_trial_at_a_time(self) -> Self:
        if self.canary is not None and self.shadow is not None:
            raise ValueError("canary and shadow exclude each other: name one of them")
        return self

    def builds(self) -> tuple[str, ...]:
        """Every build named, in the order in which they should be loaded."""
        named = [self.stable, self.canary.build if self.canary else None, self.shadow, self.previous, self.fallback]
        return tuple(dict.fromkeys([*(build for build in named if build is not None), *self.staged]))


class ActiveModels(_Part):
    """The whole file, by alias."""

    schema_version: Literal[1] = 1
    models: dict[Alias, ActiveModel] = Field(default_factory=dict)

    def builds(self) -> tuple[str, ...]:
        """Every build named by any alias, in the order in which they should be loaded, without repeats."""
        return tuple(dict.fromkeys(build for model in self.models.values() for build in model.builds()))
