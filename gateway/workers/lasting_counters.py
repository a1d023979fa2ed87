"""A worker's counts outlive its process. Pure."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric, generate_latest

from gateway.workers.merged_metrics import MergedCollector

_GROWING = frozenset({"counter", "histogram", "summary"})


class LastingCounters:
    """Keeps what processes had counted that ended since, so that sums over workers never fall.

    A sum that falls is a reset to Prometheus, which then takes all that is left for new. What a process counted after
    it was last asked is lost with it.
    """

    def __init__(self) -> None:
        self._ended = ""
        self._latest = ""

    def tell(self, text: str) -> None:
        """What the process counts now, in Prometheus's text format."""
        self._latest = text

    def end_process(self) -> None:
        """The process is gone: its counters stay, its gauges do not."""
        registry = CollectorRegistry()
        registry.register(_Growing(MergedCollector(self.texts())))
        self._ended, self._latest = generate_latest(registry).decode(), ""

    def texts(self) -> tuple[str, ...]:
        """Expositions that add up to the worker's, whether it answers just now or not."""
        return tuple(text for text in (self._ended, self._latest) if text)


class _Growing:
    def __init__(self, merged: MergedCollector) -> None:
        self._merged = merged

    def collect(self) -> Iterable[Metric]:
        return [family for family in self._merged.collect() if family.type in _GROWING]
