"""What is loaded now, and which build answers for a name."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from contracts.active_models import ActiveModel
from contracts.model_card import ModelCard
from gateway.errors import ModelNotReady, UnknownModel


class LoadedBuild(BaseModel):
    """A build as Triton has it. ``card`` is None for a model that only passes through.

    ``reason`` says why it is not ready, or, when it is, what is wrong all the same (an instance being replaced).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    ready: bool
    reason: str = ""
    backend: str = ""
    precision: str = ""
    card: ModelCard | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """The build chosen for an alias. ``reason`` says why: stable, canary, or what it stands in for."""

    build: LoadedBuild
    reason: str


class Catalogue(BaseModel):
    """A snapshot by the supervisor; ``generation`` counts Triton's starts, so that regions are registered again."""

    model_config = ConfigDict(frozen=True)

    generation: int = 0
    triton_up: bool = False
    triton_reason: str = "starting"
    triton_version: str = ""
    aliases: Mapping[str, ActiveModel] = {}
    builds: Mapping[str, LoadedBuild] = {}

    def is_alias(self, name: str) -> bool:
        """Whether the name takes pictures."""
        return name in self.aliases

    def resolve(self, alias: str, request_key: str) -> Resolution:
        """The build that answers for an alias: the canary for its share of the keys, else the first that is ready.

        Args:
            alias: The name clients use.
            request_key: What the canary share is drawn by; equal keys get equal builds.

        Raises:
            UnknownModel: No such alias.
            ModelNotReady: None of its builds is ready.
        """
        active = self.aliases.get(alias)
        if active is None:
            raise UnknownModel(alias, self.names())
        if active.canary is not None and _share_of(request_key) < active.canary.share:
            canary = self.builds.get(active.canary.build)
            if canary is not None and canary.ready and canary.card is not None:
                return Resolution(canary, "canary")
        for role, name in (("stable", active.stable), ("previous", active.previous), ("fallback", active.fallback)):
            build = self.builds.get(name) if name is not None else None
            if build is not None and build.ready and build.card is not None:
                return Resolution(build, role)
        raise ModelNotReady(alias, self.not_ready_reason(active.stable))

    def not_ready_reason(self, build: str) -> str:
        """Why a build does not answer."""
        if not self.triton_up:
            return self.triton_reason
        known = self.builds.get(build)
        if known is None:
            return f"build {build} is not loaded yet"
        if known.ready and known.card is None:
            return f"build {build} has no model card: it can only be used by its own name"
        return f"build {build}: {known.reason or 'loading'}"

    def alias_is_ready(self, alias: str) -> bool:
        """Whether a request for the alias would find a build."""
        try:
            self.resolve(alias, "")
        except (UnknownModel, ModelNotReady):
            return False
        return True

    def knows(self, name: str) -> bool:
        """Whether the name is an alias or a wanted build."""
        return name in self.aliases or name in self.builds

    def name_is_ready(self, name: str) -> bool:
        """Whether a request for the alias or build would be answered now."""
        if name in self.aliases:
            return self.alias_is_ready(name)
        build = self.builds.get(name)
        return self.triton_up and build is not None and build.ready

    def is_ready(self) -> bool:
        """Whether Triton is up and each alias has a build that answers (one without a card: by its own name)."""
        return self.triton_up and bool(self.aliases) and all(map(self.has_ready_build, self.aliases))

    def has_ready_build(self, alias: str) -> bool:
        """Whether one of the alias's builds answers, if only by its own name (it has no card)."""
        active = self.aliases[alias]
        names = (active.stable, active.previous, active.fallback)
        return any(name is not None and self.name_is_ready(name) for name in names)

    def names(self) -> tuple[str, ...]:
        """Everything a request may name."""
        return (*self.aliases, *self.builds)

    @property
    def largest_input_bytes(self) -> int:
        """Bytes of the largest input tensor of the loaded builds."""
        return max((build.card.input.size_bytes for build in self.builds.values() if build.card), default=0)


def _share_of(key: str) -> float:
    """Where a key falls in [0, 1), evenly and the same everywhere."""
    return zlib.crc32(key.encode()) / 2**32
