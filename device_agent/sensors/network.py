"""Bytes through the network interfaces."""

import os
from dataclasses import dataclass

from device_agent.sensors import families
from device_agent.sensors.host_tree import HostTree
from device_agent.sensors.procfs import psutil_at
from device_agent.sensors.reading import Reading

# The host's end of a container's cable: they come and go, and the bridge behind them is counted.
_CABLES = "veth"


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """Asks psutil about the interfaces of the machine's first process.

    ``/proc/net`` shows the reader's own network, which in a container is not the machine's.

    Attributes:
        tree: The machine.
        name: Of the source.
    """

    tree: HostTree
    name: str = "network"

    def read(self, reading: Reading) -> None:
        """Note every interface."""
        procfs = self.tree.path("proc")
        if os.access(procfs / "1/net/dev", os.R_OK):
            procfs /= "1"
        with reading.sensor("interfaces"), psutil_at(procfs) as psutil:
            interfaces = psutil.net_io_counters(pernic=True, nowrap=False)
            for interface, counters in sorted(interfaces.items()):
                if not interface.startswith(_CABLES):
                    reading.add(families.NETWORK_RECEIVED, counters.bytes_recv, interface)
                    reading.add(families.NETWORK_SENT, counters.bytes_sent, interface)
                    reading.add(families.NETWORK_RECEIVE_ERRORS, counters.errin, interface)
                    reading.add(families.NETWORK_SEND_ERRORS, counters.errout, interface)
