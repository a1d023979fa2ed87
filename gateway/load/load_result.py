"""What one load found out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.load.latency_summary import LatencySummary
from gateway.load.load_window import LoadWindow
from gateway.load.request_record import RequestRecord
from gateway.load.stage_summary import StageSummary, stage_share, summarise_stages


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The measured part of one load.

    Attributes:
        name: What was asked for, such as ``16 clients``.
        seconds: Length of the measured part.
        images_per_second: Answers with a result that arrived in it.
        latency: Of those answers; None where there were none.
        stages: See ``summarise_stages``.
        stage_share: Part of the client's time that the gateway's stages cover.
        codes: Number of requests by outcome.
        cpu_ms_per_image: CPU time by process role; empty where the processes are not on this host.
        late_p99_ms: By how much the sender missed its schedule; 0 in a closed loop.
    """

    name: str
    seconds: float
    images_per_second: float
    latency: LatencySummary | None
    stages: tuple[StageSummary, ...] = ()
    stage_share: float | None = None
    codes: Mapping[str, int] = field(default_factory=dict)
    cpu_ms_per_image: Mapping[str, float] = field(default_factory=dict)
    late_p99_ms: float = 0.0

    @property
    def images(self) -> int:
        """Images answered in the measured part."""
        return round(self.images_per_second * self.seconds)

    @property
    def failures(self) -> int:
        """Requests without a result."""
        return sum(count for code, count in self.codes.items() if code != "OK")


def images_answered(records: Sequence[RequestRecord], window: LoadWindow) -> int:
    """Answers with a result that arrived in the measured part."""
    return sum(record.answered and window.contains(record.finished_at) for record in records)


def load_result(
    name: str,
    records: Sequence[RequestRecord],
    window: LoadWindow,
    *,
    by_schedule: bool,
    cpu_ms_per_image: Mapping[str, float] | None = None,
) -> LoadResult:
    """Summarise a load.

    Args:
        name: What was asked for.
        records: All requests.
        window: What counts.
        by_schedule: Judge the requests that were due in the window (open loop) rather than those answered in it.
        cpu_ms_per_image: CPU time by process role.
    """
    judged = [
        record for record in records if window.contains(record.intended_at if by_schedule else record.finished_at)
    ]
    answered = [record for record in judged if record.answered]
    stages = summarise_stages(answered)
    late = LatencySummary.of([record.sent_at - record.intended_at for record in judged]) if judged else None
    return LoadResult(
        name=name,
        seconds=window.seconds,
        images_per_second=images_answered(records, window) / window.seconds,
        latency=LatencySummary.of([record.latency_seconds for record in answered]) if answered else None,
        stages=stages,
        stage_share=stage_share(stages),
        codes=dict(Counter(record.code for record in judged).most_common()),
        cpu_ms_per_image=dict(cpu_ms_per_image or {}),
        late_p99_ms=late.p99_ms if late else 0.0,
    )
