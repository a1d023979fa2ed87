import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.system.gateway_process import GatewayProcess
from tests.system.sizes import Sizes, sizes_of
from tests.system.small_builds import (
    brightness_detector,
    card,
    echo_model,
    identity_model,
    write_build,
    write_plain_build,
    write_raw_build,
)

Measured = Callable[[str, dict[str, Any]], None]

REPOSITORY = Path(__file__).parents[2]
SAMPLES = sorted((REPOSITORY / "samples" / "frames").glob("*.jpg"))


def encode(pixels: NDArray[np.integer[Any]], extension: str = ".jpg") -> bytes:
    return cv2.imencode(extension, pixels)[1].tobytes()


@pytest.fixture(scope="session")
def sizes() -> Sizes:
    return sizes_of(os.environ)


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Measured:
    """Puts what a test measured under a name into pytest's report (``--junitxml``), which `make soak` reads."""
    return lambda name, facts: record_property(name, json.dumps(facts))


@pytest.fixture(scope="session")
def grey_jpeg() -> bytes:
    return encode(np.full((480, 640, 3), 200, dtype=np.uint8))


@pytest.fixture(scope="session")
def seed_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small builds: one that works, one that answers NaN, two without a card."""
    folder = tmp_path_factory.mktemp("seed")
    write_build(folder, card("tiny"), brightness_detector().SerializeToString())
    write_build(folder, card("nan"), brightness_detector(values=float("nan")).SerializeToString(), "openvino")
    write_raw_build(folder, "plus-1.0.0_x86-cpu", identity_model().SerializeToString())
    write_plain_build(folder)
    write_raw_build(folder, "echo-1.0.0_x86-cpu", echo_model().SerializeToString(), "STRING", 1)
    return folder


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, seed_dir: Path) -> Iterator[GatewayProcess]:
    """One gateway for all tests that leave it as it was."""
    process = GatewayProcess(tmp_path_factory.mktemp("gateway") / "state", seed_dir)
    process.start()
    try:
        process.wait_until_serving("tiny", "nan", "plus-1.0.0_x86-cpu")
        process.wait_until_ready()
        yield process
    finally:
        process.close()
