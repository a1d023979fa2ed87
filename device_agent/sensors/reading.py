"""What one source found in one scrape."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from device_agent.sensors.families import Family


class SensorFault(Exception):
    """A sensor answers, but says itself that its value is not to be used."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value.

    Attributes:
        family: What it measures, in which unit.
        labels: In the order of the family's label names.
        value: In the family's unit.
    """

    family: Family
    labels: tuple[str, ...]
    value: float


@dataclass(slots=True)
class Reading:
    """The samples of one source, and which of its sensors failed.

    Attributes:
        source: Name of the source.
        samples: What was read.
        failures: By sensor: why it could not be read.
        hidden: By sensor: what the operating system does not show to this user.
    """

    source: str
    samples: list[Sample] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)

    def add(self, family: Family, value: float, *labels: str) -> None:
        """Note one value."""
        self.samples.append(Sample(family, labels, float(value)))

    @contextmanager
    def sensor(self, name: str) -> Iterator[None]:
        """Read one sensor: where it fails, the others are read all the same.

        What is not there is no failure, nor is what this user may not see.
        """
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            return
        except PermissionError as error:
            self.hidden[name] = str(error)
        except (OSError, ValueError, LookupError, SensorFault) as error:
            self.failures[name] = f"{type(error).__name__}: {error}"


class Source(Protocol):
    """One kind of sensor."""

    @property
    def name(self) -> str:
        """The label ``source`` of its read errors."""

    def read(self, reading: Reading) -> None:
        """Note what the machine tells now; may leave any sensor out."""
