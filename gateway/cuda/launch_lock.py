"""One launch at a time: a kernel is compiled at its first launch, and the simulator runs one at a time."""

import threading

LAUNCHING = threading.Lock()
