"""All the sources, as one collector of Prometheus' client."""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from device_agent.sensors.bounded_reader import BoundedReader
from device_agent.sensors.families import FAMILIES, READ_ERRORS, Family
from device_agent.sensors.reading import Reading, Sample, Source

_LOG = logging.getLogger(__name__)


class DeviceCollector(Collector):
    """Reads the machine anew at every scrape.

    Args:
        sources: What is read.
        read_timeout_seconds: Time for each of them.
    """

    def __init__(self, sources: Sequence[Source], read_timeout_seconds: float) -> None:
        self._reader = BoundedReader(sources, read_timeout_seconds)
        self._one_at_a_time = threading.Lock()
        self._errors: Counter[str] = Counter()
        self._told: set[tuple[str, str]] = set()

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not read the machine."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """What the machine tells now; what it lacks is not there."""
        with self._one_at_a_time:
            readings = self._reader.read()
            for reading in readings:
                self._count_errors(reading)
            samples = [sample for reading in readings for sample in reading.samples]
            samples += [Sample(READ_ERRORS, (source,), count) for source, count in self._errors.items()]
        values: dict[Family, dict[tuple[str, ...], float]] = {}
        for sample in samples:
            # Two sensors of the same name would make Prometheus refuse both.
            values.setdefault(sample.family, {}).setdefault(sample.labels, sample.value)
        for family in FAMILIES:
            if family in values:
                yield _metric(family, values[family])

    def _count_errors(self, reading: Reading) -> None:
        if reading.samples or reading.failures:
            self._errors[reading.source] += len(reading.failures)
        for sensor, reason in reading.failures.items():
            self._tell_once(logging.WARNING, "a sensor cannot be read", reading.source, sensor, reason)
        for sensor, reason in reading.hidden.items():
            self._tell_once(logging.INFO, "a sensor is not readable for this user", reading.source, sensor, reason)

    def _tell_once(self, level: int, message: str, source: str, sensor: str, reason: str) -> None:
        if (source, sensor) not in self._told:
            self._told.add((source, sensor))
            _LOG.log(level, message, extra={"source": source, "sensor": sensor, "reason": reason})


def _metric(family: Family, values: dict[tuple[str, ...], float]) -> Metric:
    metric: CounterMetricFamily | GaugeMetricFamily
    if family.kind == "counter":
        metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
    else:
        metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in values.items():
        metric.add_metric(labels, value)
    return metric
