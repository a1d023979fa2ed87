"""The manifests of ``compose/kubernetes``, rendered by the real renderer."""

import functools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).parents[2] / "compose" / "kubernetes"
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet"}
Manifest = dict[str, Any]
_BYTES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def applied_folders() -> list[str]:
    """Every folder that can be applied; components are parts of others."""
    return sorted(
        str(path.parent.relative_to(SHIPPED))
        for path in SHIPPED.rglob("kustomization.yaml")
        if yaml.safe_load(path.read_text())["kind"] == "Kustomization"
    )


@functools.cache
def run_renderer(folder: str) -> subprocess.CompletedProcess[str]:
    command = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    return subprocess.run([*command, str(SHIPPED / folder)], capture_output=True, text=True, check=False, timeout=60)


def rendered(folder: str) -> list[Manifest]:
    return list(yaml.safe_load_all(run_renderer(folder).stdout))


def of_kind(folder: str, kind: str) -> list[Manifest]:
    return [each for each in rendered(folder) if each["kind"] == kind]


def workload(folder: str) -> Manifest:
    (found,) = (each for each in rendered(folder) if each["kind"] in WORKLOADS)
    return found


def pod(folder: str) -> Manifest:
    spec: Manifest = workload(folder)["spec"]["template"]["spec"]
    return spec


def containers(folder: str) -> dict[str, Manifest]:
    """By name, sidecars included."""
    spec = pod(folder)
    return {each["name"]: each for each in (*spec.get("initContainers", ()), *spec["containers"])}


def environment(container: Manifest) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


def mounted_volumes(container: Manifest) -> dict[str, str]:
    """Path to name."""
    return {each["mountPath"]: each["name"] for each in container["volumeMounts"]}


def volumes(folder: str) -> dict[str, Manifest]:
    return {each["name"]: each for each in pod(folder)["volumes"]}


def container_ports(container: Manifest) -> dict[str, int]:
    return {each["name"]: each["containerPort"] for each in container.get("ports", ())}


def size_bytes(quantity: str) -> int:
    return int(quantity[:-2]) * _BYTES[quantity[-2:]]
