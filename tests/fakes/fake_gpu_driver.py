"""A driver of GPUs that answers what a test says."""

from collections.abc import Mapping

from device_agent.sensors.nvidia_gpus import Quantity


class FakeGpuDriver:
    """GPUs of one name; a quantity that is not given is one that they do not know.

    Args:
        name: Of each GPU.
        values: By quantity; an error is raised.
        count: How many GPUs.
    """

    def __init__(self, name: str, values: Mapping[Quantity, float | OSError], count: int = 1) -> None:
        self._name = name
        self._values = values
        self._count = count

    def names(self) -> list[str]:
        return [self._name] * self._count

    def value(self, gpu: int, quantity: Quantity) -> float | None:
        value = self._values.get(quantity)
        if isinstance(value, OSError):
            raise value
        return value
