"""The container engine that the tests use, and what of it must be there."""

import os
import subprocess

import docker
import pytest

HOW_TO_GET_ONE = (
    "these tests need a Docker engine with Compose and buildx: on Debian, 'bash .ci/container_engine' installs and"
    " starts one (as root); elsewhere start your own"
)


def connected() -> docker.DockerClient:
    """A client of an engine that has all that is needed; the test fails with what to do where there is none."""
    for question in ("version", "compose version", "buildx version"):
        try:
            done = subprocess.run(["docker", *question.split()], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.fail(f"there is no command 'docker': {HOW_TO_GET_ONE}", pytrace=False)
        if done.returncode:
            pytest.fail(f"'docker {question}' says {done.stderr.strip()!r}: {HOW_TO_GET_ONE}", pytrace=False)
    return docker.from_env(timeout=120)


def base_images(client: docker.DockerClient) -> dict[str, str]:
    """Variables for Compose: the stand-ins of ``.ci/base_images`` where they were made, unless others are named."""
    stand_ins = {
        "OUTPOST_PYTHON_BASE": "outpost-local/python",
        "OUTPOST_PROMETHEUS_IMAGE": "outpost-local/prometheus",
        "OUTPOST_NVIDIA_BASE": "outpost-local/tritonserver",
    }
    chosen = {}
    for variable, image in stand_ins.items():
        if variable in os.environ:
            chosen[variable] = os.environ[variable]
        elif client.images.list(image):
            chosen[variable] = image
    return chosen
