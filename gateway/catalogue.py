"""What is loaded now, and which build answers for a name."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from contracts.active_models import ActiveModel, Cascade
from contracts.model_card import ModelCard
from gateway.device_output import RawOutput
from gateway.errors import ModelNotReady, UnknownModel


class LoadedBuild(BaseModel):
    """A build as Triton has it. ``card`` is None for a model that only passes through.

    ``reason`` says why it is not ready, or, when it is, what is wrong all the same (an instance being replaced).
    ``refused``: it was made for hardware of another class, so that it is not even tried.
    ``building_since``: Unix seconds; while its TensorRT plan is being made on this machine.
    ``raw_output_shape``: of one frame's output where the gateway decodes it and its whole shape is known, else empty.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    ready: bool
    reason: str = ""
    backend: str = ""
    precision: str = ""
    card: ModelCard | None = None
    refused: bool = False
    building_since: float | None = None
    raw_output_shape: tuple[int, ...] = ()

    @property
    def state(self) -> Literal["ready", "building", "refused", "not ready"]:
        """One word for people and programs."""
        if self.ready:
            return "ready"
        if self.refused:
            return "refused"
        return "not ready" if self.building_since is None else "building"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The build chosen for an alias. ``reason`` says why: stable, canary, or what it stands in for."""

    build: LoadedBuild
    reason: str
    card: ModelCard


@dataclass(frozen=True, slots=True)
class CascadeResolution:
    """The builds chosen for a cascade; ``skip_class`` is the index of the label that ends the work on a frame."""

    cascade: Cascade
    first: Resolution
    then: Resolution
    skip_class: int


class Catalogue(BaseModel):
    """A snapshot by the supervisor; ``generation`` counts Triton's starts, so that regions are registered again."""

    model_config = ConfigDict(frozen=True)

    generation: int = 0
    triton_up: bool = False
    triton_reason: str = "starting"
    triton_version: str = ""
    aliases: Mapping[str, ActiveModel] = {}
    cascades: Mapping[str, Cascade] = {}
    builds: Mapping[str, LoadedBuild] = {}

    def is_alias(self, name: str) -> bool:
        """Whether the name takes pictures."""
        return name in self.aliases or name in self.cascades

    def is_classifier(self, name: str, request_key: str) -> bool:
        """Whether an alias or a cascade answers a request with classes; arguments and errors as for ``resolve``."""
        return name not in self.cascades and self.resolve(name, request_key).card.task == "classification"

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
                return Resolution(canary, "canary", canary.card)
        for role, name in (("stable", active.stable), ("previous", active.previous), ("fallback", active.fallback)):
            build = self.builds.get(name) if name is not None else None
            if build is not None and build.ready and build.card is not None:
                return Resolution(build, role, build.card)
        raise ModelNotReady(alias, self._why_build_is_not_ready(active.stable))

    def resolve_cascade(self, name: str, request_key: str) -> CascadeResolution:
        """The builds that answer for a cascade, each chosen as for its own alias.

        Args:
            name: Of the cascade.
            request_key: As for ``resolve``.

        Raises:
            ModelNotReady: One of its aliases has no build that is ready, or not one that the cascade can use.
        """
        cascade = self.cascades[name]
        try:
            first, then = self.resolve(cascade.first, request_key), self.resolve(cascade.then, request_key)
        except (UnknownModel, ModelNotReady) as error:
            raise ModelNotReady(name, str(error)) from error
        if first.card.task != "classification":
            raise ModelNotReady(name, f"its first alias '{cascade.first}' is not a classifier ({first.build.name})")
        if then.card.task != "detection":
            raise ModelNotReady(name, f"its second alias '{cascade.then}' is not a detector ({then.build.name})")
        labels = first.card.labels
        if cascade.skip_label not in labels:
            known = ", ".join(labels)
            reason = f"skip_label '{cascade.skip_label}' is not a label of {first.build.name}; it has {known}"
            raise ModelNotReady(name, reason)
        return CascadeResolution(cascade, first, then, labels.index(cascade.skip_label))

    def not_ready_reason(self, name: str) -> str:
        """Why an alias, a cascade or a build does not answer; empty for an alias or a cascade that does."""
        if name not in self.aliases and name not in self.cascades:
            return self._why_build_is_not_ready(name)
        try:
            self._resolve_any(name)
        except ModelNotReady as error:
            return error.reason
        return ""

    def stand_in_reason(self, alias: str) -> str:
        """Why another build answers for an alias than its stable one; empty where that answers, or none does."""
        active = self.aliases.get(alias)
        if active is None or not self.alias_is_ready(alias):
            return ""
        stable = self.builds.get(active.stable)
        if stable is not None and stable.ready and stable.card is not None:
            return ""
        return self._why_build_is_not_ready(active.stable)

    def _resolve_any(self, name: str) -> None:
        if name in self.cascades:
            self.resolve_cascade(name, "")
        else:
            self.resolve(name, "")

    def _why_build_is_not_ready(self, build: str) -> str:
        if not self.triton_up:
            return self.triton_reason
        known = self.builds.get(build)
        if known is None:
            return f"build {build} is not loaded yet"
        if known.ready and known.card is None:
            return f"build {build} has no model card: it can only be used by its own name"
        return f"build {build}: {known.reason or 'loading'}"

    def alias_is_ready(self, alias: str) -> bool:
        """Whether a request for the alias or cascade would find its builds."""
        try:
            self._resolve_any(alias)
        except (UnknownModel, ModelNotReady):
            return False
        return True

    def knows(self, name: str) -> bool:
        """Whether the name is an alias or a wanted build."""
        return self.is_alias(name) or name in self.builds

    def name_is_ready(self, name: str) -> bool:
        """Whether a request for the alias or build would be answered now."""
        if self.is_alias(name):
            return self.alias_is_ready(name)
        build = self.builds.get(name)
        return self.triton_up and build is not None and build.ready

    def is_ready(self) -> bool:
        """Whether Triton is up and each alias has a build that answers (one without a card: by its own name).

        Each cascade must answer too.
        """
        if not (self.triton_up and self.aliases and all(map(self.has_ready_build, self.aliases))):
            return False
        return all(map(self.alias_is_ready, self.cascades))

    def reasons_not_ready(self) -> tuple[str, ...]:
        """A sentence for each thing that keeps ``is_ready`` from being true."""
        if not self.triton_up:
            return (f"Triton is not up: {self.triton_reason}",)
        if not self.aliases:
            return ("no model is active: active.json is missing or empty",)
        waiting = [alias for alias in self.aliases if not self.has_ready_build(alias)]
        waiting += [cascade for cascade in self.cascades if not self.alias_is_ready(cascade)]
        return tuple(f"{name}: {self.not_ready_reason(name)}" for name in waiting)

    def has_ready_build(self, alias: str) -> bool:
        """Whether one of the alias's builds answers, if only by its own name (it has no card)."""
        active = self.aliases[alias]
        names = (active.stable, active.previous, active.fallback)
        return any(name is not None and self.name_is_ready(name) for name in names)

    def names(self) -> tuple[str, ...]:
        """Everything a request may name."""
        return (*self.names_for_pictures(), *self.builds)

    def names_for_pictures(self) -> tuple[str, ...]:
        """The aliases, then the cascades."""
        return (*self.aliases, *self.cascades)

    @property
    def largest_input_bytes(self) -> int:
        """Bytes of the largest input tensor of the loaded builds."""
        return max((build.card.input.size_bytes for build in self.builds.values() if build.card), default=0)

    @property
    def raw_outputs(self) -> Mapping[str, RawOutput]:
        """For each build whose raw output the gateway decodes, what is known of it."""
        known = {}
        for build in self.builds.values():
            layout = None if build.card is None else build.card.output.decoder
            if build.card is not None and build.raw_output_shape and layout in ("yolov8", "yolov5"):
                known[build.name] = RawOutput(layout, build.raw_output_shape, len(build.card.labels))
        return known


def _share_of(key: str) -> float:
    """Where a key falls in [0, 1), evenly and the same everywhere."""
    return zlib.crc32(key.encode()) / 2**32
