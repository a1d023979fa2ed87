"""What the edge costs against the cloud."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model_compiler.planning.answers import Answers
from model_compiler.planning.bandwidth import gigabytes_per_month


@dataclass(frozen=True, slots=True)
class CostComparison:
    """Running cost of both, and how soon the hardware has paid for itself.

    Attributes:
        hardware: Once, for all devices; None where the price of a device is not known.
        saving_per_month: ``cloud - edge``; negative where the edge costs more to run.
        saving_share: Of the cloud's cost; None where that is nothing.
        payback_months: ``hardware / saving``; infinite where nothing is saved, None where the hardware is not known.
    """

    cloud_per_month: float
    edge_per_month: float
    hardware: float | None
    saving_per_month: float
    saving_share: float | None
    payback_months: float | None


def compare_cost(cloud_per_month: float, edge_per_month: float, hardware: float | None) -> CostComparison:
    """Set the edge against the cloud.

    ``edge_per_month`` is what running it costs: power, network, storage, support. If it already contains the hardware
    spread over its life, the payback comes out too long.
    """
    saving = cloud_per_month - edge_per_month
    return CostComparison(
        cloud_per_month=cloud_per_month,
        edge_per_month=edge_per_month,
        hardware=hardware,
        saving_per_month=saving,
        saving_share=saving / cloud_per_month if cloud_per_month > 0.0 else None,
        payback_months=None if hardware is None else _payback_months(hardware, saving),
    )


def cost_of(answers: Answers) -> CostComparison | None:
    """The comparison for a task, hardware for the whole fleet; None where a running cost is not known.

    With a price for each GB, sending all frames for a month is added to the cloud's cost.
    """
    if answers.cloud_price_per_month is None or answers.edge_price_per_month is None:
        return None
    sending = 0.0
    if answers.price_per_gb is not None and answers.total_mbps is not None:
        sending = answers.price_per_gb * gigabytes_per_month(answers.total_mbps)
    hardware = None if answers.price_per_device is None else answers.price_per_device * answers.fleet_size
    return compare_cost(answers.cloud_price_per_month + sending, answers.edge_price_per_month, hardware)


def _payback_months(hardware: float, saving_per_month: float) -> float:
    if hardware == 0.0:
        return 0.0
    return hardware / saving_per_month if saving_per_month > 0.0 else math.inf


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Payback if hardware and saving turn out otherwise."""

    hardware_factor: float
    saving_factor: float
    payback_months: float


def sensitivity(comparison: CostComparison, factors: Sequence[float] = (0.5, 1.0, 1.5)) -> list[Sensitivity]:
    """Every combination of dearer or cheaper hardware with more or less saved; empty without hardware to pay for."""
    hardware, saving = comparison.hardware, comparison.saving_per_month
    if not hardware:
        return []
    return [
        Sensitivity(hardware_factor, saving_factor, _payback_months(hardware * hardware_factor, saving * saving_factor))
        for hardware_factor in factors
        for saving_factor in factors
    ]
