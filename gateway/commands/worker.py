"""The process behind ``WorkerProcess``; started by the supervisor, not by people."""

import os
import socket
import sys

import uvloop

from gateway.workers.handle import LINK_VARIABLE
from gateway.workers.process_main import serve_link


def run() -> int:
    """Serve until the supervisor closes the link."""
    descriptor = os.environ.get(LINK_VARIABLE)
    if descriptor is None:
        print("outpost-gateway worker is started by outpost-gateway serve --workers N", file=sys.stderr)
        return 2
    uvloop.run(serve_link(socket.socket(fileno=int(descriptor))))
    return 0
