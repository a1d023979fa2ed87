"""How fast and how large a build is, where it was measured."""

from typing import Literal, Self

from pydantic import Field, model_validator

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
        cpu_ms_per_image: CPU time of the gateway and everything below it, over all cores, under that load.
        mean_power_watts: Of the processor packages under that load; None where the machine cannot tell.
        mean_power_above_idle_watts: The same less what the machine drew before it; noise may bring it below 0.
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
    cpu_ms_per_image: float | None = Field(default=None, ge=0.0)
    mean_power_watts: float | None = Field(default=None, gt=0.0)
    mean_power_above_idle_watts: float | None = None

    @model_validator(mode="after")
    def _numbers_were_measured(self) -> Self:
        numbers = (self.latency_p50_ms, self.latency_p99_ms, self.images_per_second, self.load_seconds)
        power = (self.mean_power_watts, self.mean_power_above_idle_watts)
        others = (self.peak_memory_bytes, self.cpu_ms_per_image, *power)
        if self.status == "not_measured" and any(number is not None for number in (*numbers, *others)):
            raise ValueError("status is not_measured, but there are numbers")
        if self.status == "measured" and all(number is None for number in numbers):
            raise ValueError("status is measured, but there is no number")
        return self
