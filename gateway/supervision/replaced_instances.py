"""Ends what is left of a set of instances after a reload, where Triton runs without the gateway beside it."""

import json
import logging
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from gateway.supervision.child_processes import ChildProcess
from gateway.supervision.instance_watch import BrokenInstance, InstanceWatch

_LOG = logging.getLogger(__name__)
_FINISH_SECONDS = 2.0
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the machine is not for this
_ASK_SECONDS = 2.0
_GENERATION_PARAMETER = "outpost_generation"


@dataclass(slots=True)
class _OldSet:
    """Processes of a model that had a dead one among them."""

    pids: tuple[int, ...]
    generation: str
    replaced_at: float | None = None


class ReplacedInstances:
    """With a dead process among them, Triton never ends the others of a set that a gateway's reload has replaced.

    Args:
        stubs: Triton's backend processes, dead ones included.
        generation: The mark of the load that serves a model; empty where Triton does not say.
        end: Kills a process.
        clock: Monotonic seconds.
        why_dead: Why a process that was just found dead may have died; empty where that is not known.
    """

    def __init__(
        self,
        stubs: Callable[[], tuple[ChildProcess, ...]],
        generation: Callable[[str], str],
        end: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
        why_dead: Callable[[], str] = lambda: "",
    ) -> None:
        self._stubs = stubs
        self._generation = generation
        self._end = end
        self._clock = clock
        self._why_dead = why_dead
        self._watch = InstanceWatch()
        self._old: dict[str, _OldSet] = {}

    def look(self) -> None:
        """Note sets with a dead process; end those that another load has replaced a while ago. Once a second."""
        for broken in self._watch.look(self._stubs()):
            self._say(broken)
            if "stopped" in broken.reason:
                self._end(broken.pid)  # its requests fail instead of waiting
            old = self._old.get(broken.model)
            if old is not None and old.replaced_at is not None:  # one of the new set, already
                self._end_all(self._old.pop(broken.model).pids)
            if broken.model not in self._old:
                pids = self._watch.instances_of(broken.model)
                self._old[broken.model] = _OldSet(pids, self._generation(broken.model))
        for model, old in list(self._old.items()):
            if self._is_replaced(model, old):
                self._end_all(old.pids)
                del self._old[model]

    def _say(self, broken: BrokenInstance) -> None:
        why = self._why_dead() if "died" in broken.reason else ""
        reason = f"{broken.reason}: {why}" if why else broken.reason
        _LOG.warning("an instance was lost", extra={"build": broken.model, "reason": reason})

    def _is_replaced(self, model: str, old: _OldSet) -> bool:
        if old.replaced_at is None and self._generation(model) not in ("", old.generation):
            old.replaced_at = self._clock()
        return old.replaced_at is not None and self._clock() >= old.replaced_at + _FINISH_SECONDS

    def _end_all(self, pids: tuple[int, ...]) -> None:
        self._watch.expect_end(pids)
        alive = {stub.pid for stub in self._stubs() if stub.state != "Z"}
        for pid in alive.intersection(pids):
            self._end(pid)


def serving_generation(http_url: str, model: str) -> str:
    """The mark that a gateway's last load of a model carries; empty where Triton does not answer or has none.

    Args:
        http_url: Triton's.
        model: Its name.
    """
    try:
        with _DIRECTLY.open(f"{http_url}/v2/models/{model}/config", timeout=_ASK_SECONDS) as answer:
            parameters = json.load(answer).get("parameters", {})
    except (OSError, ValueError):
        return ""
    return str(parameters.get(_GENERATION_PARAMETER, {}).get("string_value", ""))
