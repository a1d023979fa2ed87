"""A Python process that reads a JSON command per line and answers each with a line."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from benchmarks.child_server import stop_tree


class WorkerFailed(Exception):
    """A worker ended instead of answering."""

    def __init__(self, module: str, code: int | None) -> None:
        super().__init__(f"the worker {module} ended (exit code {code}); see above for its words")


class LineWorker:
    """Starts ``python -m <module>``, which writes a line when it is ready.

    Args:
        module: Module to run.
        arguments: Its arguments.

    Attributes:
        hello: What the worker wrote first.
    """

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self.hello = self.receive()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def send(self, command: Mapping[str, Any]) -> None:
        """Give it something to do."""
        if self._process.stdin is None:
            raise WorkerFailed(self._module, self._process.poll())
        self._process.stdin.write(json.dumps(dict(command)).encode() + b"\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Wait for its answer.

        Raises:
            WorkerFailed: It ended.
        """
        line = self._process.stdout.readline() if self._process.stdout is not None else b""
        if not line:
            raise WorkerFailed(self._module, self._exit_code())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _exit_code(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(5.0)
        return None

    def close(self) -> None:
        """End it."""
        stop_tree(self._process)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
