"""``outpost-compile engines`` in a process of its own, with a stand-in for TensorRT: STATE_DIR SLOW_FILE [--watch].

While ``SLOW_FILE`` is there, a plan takes for ever; the content of a file ``plan`` beside it becomes the plan.
"""

import argparse
import sys
import time
from pathlib import Path

from model_compiler.commands import engines
from tests.model_compiler.engine_cache.tensorrt_repository import CLASS, host
from tests.model_compiler.engines.fake_tensorrt import FakeTensorRt


def main(state: Path, slow: Path, *flags: str) -> None:
    parser = argparse.ArgumentParser()
    engines.describe(parser)
    options = parser.parse_args(["--state-dir", str(state), "--accepted-classes", f"{CLASS},x86-cpu", *flags])

    def work() -> None:
        while slow.exists():
            time.sleep(0.02)

    plan = slow.with_name("plan")
    content = plan.read_bytes() if plan.exists() else b"plan"
    engines.make_engines(options, host(FakeTensorRt(meanwhile=work, plan=content)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
