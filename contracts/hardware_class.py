"""A hardware class: a deployment target with its limits and policies; one YAML file under ``hardware_classes/``."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.quantization import Variant

Backend = Literal["onnxruntime", "openvino", "tensorrt"]
"""Triton's names of the backends."""
Accelerator = Literal["none", "nvidia-gpu", "jetson"]
"""What models run on beside the CPU; Intel's GPUs and NPUs are not used by the OpenVINO backend."""
ClassName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Bytes = Annotated[int, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunnableVariant(_Part):
    """A precision and the backend that runs it."""

    variant: Variant
    backend: Backend


class Memory(_Part):
    """What a machine of the class has, and what models may take of it.

    Attributes:
        total_bytes: Main memory.
        accelerator_bytes: The accelerator's own memory; None where it shares main memory or there is none.
        models_ceiling_bytes: All models loaded at one time, weights and activations, in the memory they run in. The
            rest is for the system, the gateway and frames.
    """

    total_bytes: Bytes
    accelerator_bytes: Bytes | None = None
    models_ceiling_bytes: Bytes

    @model_validator(mode="after")
    def _ceiling_fits(self) -> Self:
        where = self.total_bytes if self.accelerator_bytes is None else self.accelerator_bytes
        if self.models_ceiling_bytes >= where:
            raise ValueError(
                f"models_ceiling_bytes {self.models_ceiling_bytes} must be below the memory that models run in, {where}"
            )
        return self


class LatencyEnvelope(_Part):
    """From a frame's bytes to its answer: which needs the class is meant for.

    Attributes:
        shortest_budget_ms: Needs below this are not planned on the class.
        ceiling_p99_ms: A build whose measured p99 is above this does not belong on the class.
        ceiling_load_seconds: From the load request to the first answer.
    """

    shortest_budget_ms: Positive
    ceiling_p99_ms: Positive
    ceiling_load_seconds: Positive

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.shortest_budget_ms > self.ceiling_p99_ms:
            raise ValueError(
                f"shortest_budget_ms {self.shortest_budget_ms} must not be above ceiling_p99_ms {self.ceiling_p99_ms}"
            )
        return self


class PowerMode(_Part):
    """A setting of the machine that bounds what it draws.

    Attributes:
        name: As its maker calls it.
        watts: Its power budget: the module's, or the whole machine's where there is no module.
        nvpmodel_name: Its name in a Jetson's ``/etc/nvpmodel.conf``; its number there differs between JetPacks.
        cpu_frequency_max_khz: For ``cpufreq/scaling_max_freq``, whose unit is kHz.
        gpu_frequency_max_hz: For ``devfreq/<gpu>/max_freq``, whose unit is Hz.
        gpu_power_limit_watts: For ``nvidia-smi --power-limit``.
        package_power_limit_watts: For the long-term limit of the CPU package (RAPL).
    """

    name: Text
    watts: Positive
    nvpmodel_name: Text | None = None
    cpu_frequency_max_khz: int | None = Field(default=None, gt=0)
    gpu_frequency_max_hz: int | None = Field(default=None, gt=0)
    gpu_power_limit_watts: Positive | None = None
    package_power_limit_watts: Positive | None = None


class OperatingPoint(_Part):
    """What somebody reported of one model in one setting; for information, never a promise for another model."""

    model: Text
    watts: Positive
    latency_ms: Positive
    source: Text
    date: dt.date

    @property
    def frames_per_second(self) -> float:
        """One frame after the other."""
        return 1000.0 / self.latency_ms

    @property
    def joules_per_frame(self) -> float:
        """Power times time."""
        return self.watts * self.latency_ms / 1000.0


class Thermal(_Part):
    """Heat: how it leaves, and what remains of the speed when it does not.

    Attributes:
        cooling: ``passive`` (no fan) or ``active``.
        ambient_max_celsius: Around the enclosure.
        sustained_share: Share of the cool machine's throughput that planning counts on after long load at
            ``ambient_max_celsius``; measure it on site with ``outpost-gateway bench``.
    """

    cooling: Literal["passive", "active"]
    ambient_max_celsius: float = Field(gt=0.0, le=125.0)
    sustained_share: float = Field(gt=0.0, le=1.0)


class Wave(_Part):
    """A stage of a rollout: a share of the fleet, watched for some hours before the next.

    Attributes:
        min_devices: At least so many, since 1 % of fifty devices is none.
    """

    name: Text
    percent: float = Field(gt=0.0, le=100.0)
    min_devices: int = Field(default=1, ge=1)
    soak_hours: float = Field(ge=0.0)


class Rollout(_Part):
    """In which waves a new build reaches the class."""

    waves: tuple[Wave, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _grow_to_everything(self) -> Self:
        percents = [wave.percent for wave in self.waves]
        if percents != sorted(set(percents)) or percents[-1] != 100.0:
            raise ValueError(f"the percentages of the waves must grow and end at 100, got {percents}")
        return self


class Fallback(_Part):
    """What serves when the active build cannot.

    Attributes:
        build_does_not_load: The previous build, or the build of ``hardware_class``.
        accelerator_is_gone: None where the class has no accelerator.
        hardware_class: Whose build of the same model stands in.
    """

    build_does_not_load: Literal["previous-build", "fallback-class"]
    accelerator_is_gone: Literal["fallback-class", "stop"] | None = None
    hardware_class: ClassName | None = None

    @model_validator(mode="after")
    def _names_its_class(self) -> Self:
        needed = "fallback-class" in (self.build_does_not_load, self.accelerator_is_gone)
        if needed and self.hardware_class is None:
            raise ValueError("hardware_class is missing: 'fallback-class' needs to know which")
        return self


class Fact(_Part):
    """A manufacturer's or seller's number, with where and when it was read. No latency is ever derived from one."""

    name: Text
    value: float = Field(allow_inf_nan=False)
    unit: Text
    source: Text
    date: dt.date


class HardwareClass(_Part):
    """A deployment target. Builds are made for a class, measured on it, and refused on another.

    Attributes:
        tier: ``soc`` (on the device with the sensor), ``gateway`` (one hop from it), ``near-edge`` (a rack on site).
        runtime: What the class runs by default.
        backends: What Triton has there.
        variants: What is built and measured, in order of preference; the fastest inside the gate is packaged.
        storage_bytes: For builds, engines and the spool.
        connectivity: What to expect of the network.
        update_interval_hours: The shortest useful time between two new builds.
        accepts_builds_of: Further classes whose builds run here; a machine reads no file, see ``machine_class``.
    """

    schema_version: Literal[1] = 1
    name: ClassName
    tier: Literal["soc", "gateway", "near-edge"]
    description: Text
    cpu_architecture: Literal["x86_64", "aarch64"]
    accelerator: Accelerator
    runtime: Backend
    backends: tuple[Backend, ...] = Field(min_length=1)
    variants: tuple[RunnableVariant, ...] = Field(min_length=1)
    memory: Memory
    storage_bytes: Bytes
    latency: LatencyEnvelope
    power_modes: tuple[PowerMode, ...] = Field(min_length=1)
    operating_points: tuple[OperatingPoint, ...] = ()
    thermal: Thermal
    connectivity: Literal["online", "intermittent", "offline"]
    update_interval_hours: Positive
    rollout: Rollout
    fallback: Fallback
    accepts_builds_of: tuple[ClassName, ...] = ()
    facts: tuple[Fact, ...] = ()

    @model_validator(mode="after")
    def _backends_are_possible(self) -> Self:
        if self.runtime not in self.backends:
            raise ValueError(f"runtime {self.runtime!r} is not among the backends {list(self.backends)}")
        if self.accelerator == "none" and "tensorrt" in self.backends:
            raise ValueError("backend 'tensorrt' needs an accelerator, nvidia-gpu or jetson")
        missing = sorted({variant.backend for variant in self.variants} - set(self.backends))
        if missing:
            raise ValueError(f"variants name {missing}, which are not among the backends {list(self.backends)}")
        return self

    @model_validator(mode="after")
    def _lists_do_not_repeat(self) -> Self:
        lists = {
            "backends": self.backends,
            "variants": self.variants,
            "accepts_builds_of": self.accepts_builds_of,
            "power_modes": tuple(mode.name for mode in self.power_modes),
            "facts": tuple(fact.name for fact in self.facts),
        }
        repeated = [name for name, entries in lists.items() if len(set(entries)) != len(entries)]
        if repeated:
            raise ValueError(f"entries of {', '.join(repeated)} must differ")
        return self

    @model_validator(mode="after")
    def _fallback_is_possible(self) -> Self:
        if (self.accelerator == "none") != (self.fallback.accelerator_is_gone is None):
            raise ValueError(f"fallback.accelerator_is_gone does not suit accelerator {self.accelerator!r}")
        other = self.fallback.hardware_class
        if other is not None and other not in self.accepts_builds_of:
            raise ValueError(f"fallback.hardware_class {other!r} is not among accepts_builds_of")
        return self
