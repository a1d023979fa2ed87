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


class Cascade(_Part):
    """Two aliases asked in turn: a classifier sees every frame, a detector only those that it does not pass.

    Attributes:
        first: Alias of the classifier.
        then: Alias of the detector.
        skip_label: The classifier's label that ends the work on a frame.
        skip_score: Lowest probability of ``skip_label`` at which it does; the label must also be the best one.
    """

    first: Alias
    then: Alias
    skip_label: str = Field(min_length=1)
    skip_score: float = Field(default=0.9, gt=0.0, le=1.0)

    @model_validator(mode="after")
    def _two_aliases(self) -> Self:
        if self.first == self.then:
            raise ValueError(f"first and then are both {self.first!r}: name a classifier and a detector")
        return self


class ActiveModels(_Part):
    """The whole file: what answers for each alias, and the cascades of aliases."""

    schema_version: Literal[1] = 1
    models: dict[Alias, ActiveModel] = Field(default_factory=dict)
    cascades: dict[Alias, Cascade] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _cascades_are_of_models(self) -> Self:
        for name, cascade in self.cascades.items():
            if name in self.models:
                raise ValueError(f"{name!r} is both a model and a cascade: rename one of them")
            for role, alias in (("first", cascade.first), ("then", cascade.then)):
                if alias in self.cascades:
                    raise ValueError(f"cascades.{name}.{role}: {alias!r} is a cascade itself; name a model")
                if alias not in self.models:
                    raise ValueError(f"cascades.{name}.{role}: {alias!r} is not among the models {list(self.models)}")
        return self

    def builds(self) -> tuple[str, ...]:
        """Every build named by any alias, in the order in which they should be loaded, without repeats."""
        return tuple(dict.fromkeys(build for model in self.models.values() for build in model.builds()))
