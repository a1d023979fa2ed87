"""Where the time of a request goes: the gateway's stages, and what lies between them and the client's clock."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.load.latency_summary import LatencySummary
from gateway.load.request_record import RequestRecord

REMAINDER = "encode and transport"
TOTAL = "total"


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One line of the stage table."""

    name: str
    latency: LatencySummary


def parse_stages(text: str) -> dict[str, float]:
    """Read ``outpost_stage_us``, such as ``queue=120,decode=1800``; the values become seconds.

    Raises:
        ValueError: The text has another form.
    """
    pairs = (part.split("=") for part in text.split(",") if part)
    return {name: float(microseconds) / 1e6 for name, microseconds in pairs}


def summarise_stages(records: Sequence[RequestRecord]) -> tuple[StageSummary, ...]:
    """A line per stage, then what is left of the client's time, then the client's time itself.

    The remainder is what no stage covers: encoding the answer, both protocol stacks, and the client's own event loop.

    Returns:
        Nothing where the answers tell no stages.
    """
    told = [record for record in records if record.answered and record.stages]
    if not told:
        return ()
    stages = [parse_stages(record.stages) for record in told]
    totals = [record.finished_at - record.sent_at for record in told]
    columns = {name: [row.get(name, 0.0) for row in stages] for name in stages[0]}
    columns[REMAINDER] = [total - sum(row.values()) for total, row in zip(totals, stages, strict=True)]
    columns[TOTAL] = totals
    return tuple(StageSummary(name, LatencySummary.of(values)) for name, values in columns.items())


def stage_share(stages: Sequence[StageSummary]) -> float | None:
    """Which part of the client's mean time the gateway's stages cover; None without stages."""
    means = {stage.name: stage.latency.mean_ms for stage in stages}
    if not means.get(TOTAL):
        return None
    return 1.0 - means[REMAINDER] / means[TOTAL]
