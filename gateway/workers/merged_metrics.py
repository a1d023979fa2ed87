"""Adds up the metrics of several workers. Pure."""

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

_Key = tuple[str, tuple[tuple[str, str], ...]]


class MergedCollector:
    """A collector of the sums, to be registered like any other.

    Args:
        texts: One exposition per worker, in Prometheus's text format.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = tuple(texts)

    def collect(self) -> Iterable[Metric]:
        """Families by name, each sample the sum over the workers."""
        families: dict[str, Metric] = {}
        sums: dict[str, dict[_Key, float]] = {}
        for family in self._families():
            families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            totals = sums.setdefault(family.name, {})
            for sample in family.samples:
                key = (sample.name, tuple(sample.labels.items()))
                totals[key] = totals.get(key, 0.0) + sample.value
        for name, family in families.items():
            family.samples = [Sample(sample, dict(labels), value) for (sample, labels), value in sums[name].items()]
            yield family

    def _families(self) -> Iterator[Metric]:
        for text in self._texts:
            for family in text_string_to_metric_families(text):
                if not family.name.endswith("_created"):  # times of creation have no sum
                    yield family
