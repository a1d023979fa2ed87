"""How fast and how large a build is, where it was measured."""

from typing import Literal

from pydantic import Field

from contracts.card_part import CardPart


class BuildPerformance(CardPart):
    """Measured end to end through the gateway, or stated as not measured.

    Attributes:
        hardware_class: The class of the machine that measured; a number never speaks for another class.
        status: ``not_measured`` where no machine of the class was at hand; the numbers are None then.
        latency_p50_ms, latency_p99_ms: From the frame's bytes to its answer, one caller.
        images_per_second: With enough callers to keep every core busy.
        load_seconds: From the load request to the first answer.
        peak_memory_bytes: Highest resident memory of the processes that run the model.
        mean_power_watts: None where the machine cannot tell.
    """

    hardware_class: str
    status: Literal["measured", "not_measured"]
    machine: str = ""
    runtime: str = ""
    latency_p50_ms: float | None = Field(default=None, gt=0.0)
    latency_p99_ms: float | None = Field(default=None, gt=0.0)
    images_per_second: float | None = Field(default=None, gt=0.0)
    load_seconds: float | None = Field(default=None, gt=0.0)
    peak_memory_bytes: int | None = Field(default=None, gt=0)
    mean_power_watts: float | None = Field(default=None, gt=0.0)
