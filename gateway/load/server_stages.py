"""What the gateway's own histograms say of a load: the stages against the whole request."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

_STAGES, _REQUESTS = "outpost_stage_seconds", "outpost_request_seconds"
_PREPROCESSING = "outpost_preprocessing"
_FETCH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class HistogramTotals:
    """Sum and count of the gateway's histograms for one model and protocol."""

    stage_seconds: Mapping[str, float]
    request_seconds: float
    requests: float


@dataclass(frozen=True, slots=True)
class ServerStages:
    """Means over a load, by the gateway's clock."""

    stage_ms: Mapping[str, float]
    request_ms: float

    @property
    def share(self) -> float:
        """Which part of a request its stages cover."""
        return sum(self.stage_ms.values()) / self.request_ms


def fetch_totals(address: str, model: str, protocol: str) -> HistogramTotals | None:
    """Read a gateway's metrics; None where nobody answers or the model was not asked yet.

    Args:
        address: ``host:port`` of the metrics listener.
        model: The alias.
        protocol: ``grpc`` or ``http``.
    """
    text = _fetch(address)
    return None if text is None else read_totals(text, model, protocol)


def fetch_path(address: str) -> str:
    """Where a gateway prepares frames, ``cpu`` or ``cuda``, or both; empty where nobody answers.

    Args:
        address: ``host:port`` of the metrics listener.
    """
    return read_path(_fetch(address) or "")


def _fetch(address: str) -> str | None:
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=_FETCH_SECONDS) as answer:
            text: str = answer.read().decode()
            return text
    except (OSError, urllib.error.HTTPError):
        return None


def read_path(text: str) -> str:
    """Find it in Prometheus' text format."""
    families = text_string_to_metric_families(text)
    samples = [sample for family in families if family.name == _PREPROCESSING for sample in family.samples]
    return "+".join(sample.labels["path"] for sample in samples if sample.value > 0)


def read_totals(text: str, model: str, protocol: str) -> HistogramTotals:
    """Find the totals in Prometheus' text format; what is not there counts as 0."""
    stages, seconds, requests = dict[str, float](), 0.0, 0.0
    for family in text_string_to_metric_families(text):
        if family.name not in (_STAGES, _REQUESTS):
            continue
        for sample in family.samples:
            if sample.labels.get("model") != model:
                continue
            if sample.name == f"{_STAGES}_sum":
                stages[sample.labels["stage"]] = sample.value
            elif sample.labels.get("protocol") == protocol:
                seconds += sample.value if sample.name == f"{_REQUESTS}_sum" else 0.0
                requests += sample.value if sample.name == f"{_REQUESTS}_count" else 0.0
    return HistogramTotals(stages, seconds, requests)


def stages_between(before: HistogramTotals, after: HistogramTotals) -> ServerStages | None:
    """Means of what happened between two readings; None where no request was answered."""
    requests = after.requests - before.requests
    seconds = after.request_seconds - before.request_seconds
    if requests <= 0 or seconds <= 0:
        return None
    stage_ms = {
        name: (total - before.stage_seconds.get(name, 0.0)) * 1e3 / requests
        for name, total in after.stage_seconds.items()
    }
    return ServerStages(stage_ms, seconds * 1e3 / requests)
