"""How long a battery lasts, and what it would take to last longer."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Battery:
    """An energy store and what is lost on the way out of it.

    Attributes:
        capacity_ah: Of the pack.
        volts: Nominal voltage of the pack: 3.7 V for each lithium cell in series, so 7.4 V for two.
        usable_share: What may be taken without harm to it.
        converter_efficiency: From its terminals to the load.
    """

    capacity_ah: float
    volts: float
    usable_share: float = 1.0
    converter_efficiency: float = 1.0

    @property
    def usable_wh(self) -> float:
        """``capacity * volts * usable share * converter efficiency``, in Wh at the load."""
        return self.capacity_ah * self.volts * self.usable_share * self.converter_efficiency

    def hours(self, watts: float) -> float:
        """``usable energy / power``."""
        return self.usable_wh / watts

    def watts_for(self, hours: float) -> float:
        """The most that may be drawn on average to last so long: ``usable energy / hours``."""
        return self.usable_wh / hours


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One line of the table: a level of power and how long the battery then lasts."""

    name: str
    inference_watts: float
    total_watts: float
    hours: float
    lasts: bool | None


def what_if(
    battery: Battery, levels: Sequence[tuple[str, float]], other_watts: float, hours_wanted: float | None
) -> list[WhatIf]:
    """The battery's life at each level of power.

    Args:
        battery: What there is.
        levels: Name and power of inference, in W.
        other_watts: What the rest draws: system, network, sensors.
        hours_wanted: ``lasts`` says whether a level reaches this; None where nothing was asked for.
    """
    lines = []
    for name, inference_watts in levels:
        total = inference_watts + other_watts
        hours = battery.hours(total)
        lasts = None if hours_wanted is None else hours >= hours_wanted
        lines.append(WhatIf(name, inference_watts, total, hours, lasts))
    return lines
