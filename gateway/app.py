"""Puts a gateway together: the only place where its parts are constructed."""

import asyncio
import logging
import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from gateway.catalogue import Catalogue
from gateway.cores import usable_cores
from gateway.errors import InstanceLost
from gateway.frame_memory import remove_stale_regions
from gateway.http_api.server import HttpServer
from gateway.listeners import free_port, listen, require_free
from gateway.machine import instances_per_build, read_facts, refusal, serving_class
from gateway.operator_server import SupervisorMetrics, admin_app, metrics_app
from gateway.settings import Settings
from gateway.supervision.active_models_file import ActiveModelsFile
from gateway.supervision.build_loader import BuildLoader, LocalBuildLoader, RemoteBuildLoader
from gateway.supervision.configured_seed import seed
from gateway.supervision.configured_triton import configured_triton
from gateway.supervision.engine_folder import EngineFolder
from gateway.supervision.memory_kills import MemoryKills
from gateway.supervision.model_keeper import ModelKeeper
from gateway.supervision.probe import Prober
from gateway.supervision.state_folder import StateFolder
from gateway.supervision.supervisor import Supervisor
from gateway.supervision.triton_runner import EmbeddedRunner, RemoteRunner
from gateway.triton.connection import TritonConnection
from gateway.triton.control import TritonControl
from gateway.triton.model_config import MachineLimits
from gateway.triton.region_register import RegionRegister
from gateway.triton.tensor_client import TensorClient
from gateway.workers.agreed_preprocessing import AgreedPreprocessing
from gateway.workers.answer_seconds import AnswerSeconds
from gateway.workers.device_recovery import DeviceRecovery
from gateway.workers.handle import InProcessWorker, WorkerHandle, WorkerProcess
from gateway.workers.preprocessing import preprocessing_of
from gateway.workers.worker import Worker, certificate_of, tokens_of, worker_memory_prefix

_LOG = logging.getLogger(__name__)


def with_ports_chosen(settings: Settings) -> Settings:
    """Settings in which every port is a number that all processes agree on.

    Raises:
        PortTaken: A port that was named is in use.
    """
    chosen = {}
    for name, address in settings.port_addresses.items():
        port = getattr(settings, name)
        require_free(name, address, port)
        chosen[name] = port or free_port()
    return settings.model_copy(update=chosen)


class Gateway:
    """A supervisor with its workers, ready to be started.

    Args:
        settings: With ports chosen.
        state: Open.
    """

    def __init__(self, settings: Settings, state: StateFolder) -> None:
        self.settings = settings
        self._answer_seconds = AnswerSeconds.of(preprocessing_of(settings).path)
        certificate_of(settings)  # before Triton is started, and here also when the workers are other processes
        self._tokens = tokens_of(settings)
        self._state = state
        self._limits = machine_limits(settings)
        self._machine = serving_class(settings, read_facts())
        self._connection = TritonConnection(settings.triton_address)
        self._register = RegionRegister(self._connection)
        self._swept_generation = 0
        control = TritonControl(self._connection)
        self._active_file = ActiveModelsFile(state.active_file)
        self._memory_kills = MemoryKills()
        self.runner = self._embedded(control) if settings.embedded else RemoteRunner(control)
        self.supervisor = Supervisor(
            self.runner,
            control,
            ModelKeeper(control, self._loader(control), partial(refusal, self._machine)),
            Prober(TensorClient(self._connection), settings.probe_seconds),
            self._active_file,
            self._publish,
        )
        self._agreed = AgreedPreprocessing()
        self.workers = self._make_workers()
        self._metrics = SupervisorMetrics(CollectorRegistry())
        if self._machine is not None:
            self._metrics.machine_class.labels(self._machine.name).set(1)
        self._metrics.shared_memory_expected.set(settings.workers if settings.shared_memory == "auto" else 0)
        self._metrics.active_file_ok.set_function(lambda: not self._active_file.problem)
        self._listeners: list[HttpServer] = []
        self._task: asyncio.Task[None] | None = None
        self._recovery: asyncio.Task[None] | None = None

    def _loader(self, control: TritonControl) -> BuildLoader:
        if self.settings.on_this_machine:
            engines, ours = EngineFolder(self._state.engines), self.settings.embedded
            return LocalBuildLoader(control, self._state.repository, self._limits, engines, starts_triton=ours)
        return RemoteBuildLoader(control)

    def _embedded(self, control: TritonControl) -> EmbeddedRunner:
        triton = configured_triton(self.settings, self._state, self._state.logs / "triton.log")
        return EmbeddedRunner(triton, control, self._memory_kills)

    def _make_workers(self) -> tuple[WorkerHandle, ...]:
        report = self._report_lost
        if self.settings.workers > 1:
            forget, kills = self._register.forget, self._memory_kills
            return tuple(
                WorkerProcess(index, self.settings, report, forget, kills, self._agreed, seconds=self._answer_seconds)
                for index in range(self.settings.workers)
            )
        registry = CollectorRegistry()
        worker = Worker(self.settings, worker_memory_prefix(self.settings, os.getpid()), report, registry)
        return (InProcessWorker(worker, registry),)

    def _report_lost(self, error: InstanceLost) -> None:
        self.supervisor.report_lost(error)

    async def start(self) -> None:
        """Start Triton, then listen; models may still be loading when it returns.

        Raises:
            StartError: With what to do.
        """
        remove_stale_regions(self._state.frame_memory_prefix)
        if isinstance(self.runner, EmbeddedRunner):
            await self.runner.start_once()
        settings = self.settings
        metrics_socket = listen("metrics_port", settings.metrics_host, settings.metrics_port)
        admin_socket = listen("admin_port", "127.0.0.1", settings.admin_port)
        self._listeners = [
            HttpServer(metrics_app(self._worker_metrics, self._metrics.registry), metrics_socket, drain_seconds=1.0),
            HttpServer(admin_app(self.status, lambda: self.supervisor.catalogue), admin_socket, drain_seconds=1.0),
        ]
        await self.supervisor.announce()
        for listener in self._listeners:
            await listener.start()
        for worker in self.workers:  # one after the other: all do what the first one finds the quicker path
            await worker.start()
        processes = [worker for worker in self.workers if isinstance(worker, WorkerProcess)]
        if self._agreed.choice is not None and self._agreed.choice.path == "cuda":
            self._recovery = asyncio.create_task(DeviceRecovery(processes).run())
        self._task = asyncio.create_task(self.supervisor.run(already_up=settings.embedded))

    async def run(self) -> None:
        """Run until cancelled; an error of the supervisor's own ends the gateway."""
        if self._task is not None:
            await self._task

    async def stop(self) -> None:
        """Finish the requests in work, then end Triton."""
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.wait([self._recovery])
        await asyncio.gather(*(worker.stop() for worker in self.workers), return_exceptions=True)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._register.close()
        await self.runner.close()
        await asyncio.gather(*(listener.stop() for listener in self._listeners))
        await self._connection.close()
        remove_stale_regions(self._state.frame_memory_prefix)

    async def _publish(self, catalogue: Catalogue) -> None:
        self._metrics.observe(catalogue)
        if catalogue.triton_up and catalogue.generation != self._swept_generation:
            # the workers register anew for each generation: what is there is an earlier one's, or a killed gateway's
            await self._register.forget(self._state.frame_memory_prefix)
            self._swept_generation = catalogue.generation
        await asyncio.gather(*(worker.accept(catalogue) for worker in self.workers))

    async def _worker_metrics(self) -> list[str]:
        texts = await asyncio.gather(*(worker.metrics_texts() for worker in self.workers))
        return [text for each in texts for text in each]

    def _why_these_limits(self) -> str:
        if self.settings.instances or self.settings.threads_per_instance:
            return "the settings say so"
        return "one instance of one thread per core gives the most images/s"

    async def status(self) -> dict[str, Any]:
        """Everything an operator asks: what runs, which paths were chosen and why, what is degraded."""
        catalogue = self.supervisor.catalogue
        workers = await asyncio.gather(*(worker.status() for worker in self.workers))
        return {
            "ready": catalogue.is_ready(),
            "triton": {
                "mode": "embedded" if self.settings.embedded else self.settings.triton,
                "up": catalogue.triton_up,
                "reason": catalogue.triton_reason,
                "version": catalogue.triton_version,
                "starts": catalogue.generation,
                "address": self.settings.triton_address,
            },
            "machine": {
                "architecture": platform.machine(),
                "hardware_class": self._machine.name if self._machine else "not known: an external Triton",
                "hardware_class_reason": self._machine.reason if self._machine else "declare it with --hardware-class",
                "accepts_builds_of": list(self._machine.accepts_builds_of) if self._machine else ["every class"],
                "cores": usable_cores(),
                "instances_per_build": self._limits.instances,
                "threads_per_instance": self._limits.threads_per_instance,
                "why": self._why_these_limits(),
            },
            "access": {
                "host": self.settings.host,
                "tls": None if self.settings.tls_certificate is None else str(self.settings.tls_certificate),
                "bearer_tokens": 0 if self._tokens is None else self._tokens.count(),
            },
            "active_file": {"path": str(self._state.active_file), "problem": self._active_file.problem},
            "models": {
                alias: {
                    "ready": catalogue.alias_is_ready(alias),
                    "answers": catalogue.has_ready_build(alias),
                    "stand_in_reason": catalogue.stand_in_reason(alias),
                    "builds": active.model_dump(mode="json", exclude_none=True),
                }
                for alias, active in catalogue.aliases.items()
            },
            "cascades": {
                name: {"ready": catalogue.alias_is_ready(name), "reason": catalogue.not_ready_reason(name)}
                | cascade.model_dump()
                for name, cascade in catalogue.cascades.items()
            },
            "builds": {
                name: {
                    "ready": build.ready,
                    "state": build.state,
                    "reason": build.reason,
                    "building_since": build.building_since,
                    "backend": build.backend,
                    "precision": build.precision,
                    "has_card": build.card is not None,
                }
                for name, build in catalogue.builds.items()
            },
            "workers": [asdict(worker) for worker in workers],
        }


def machine_limits(settings: Settings) -> MachineLimits:
    """One single-threaded instance per core, unless the operator says otherwise."""
    return MachineLimits(instances_per_build(settings), settings.threads_per_instance or 1)


@asynccontextmanager
async def running_gateway(settings: Settings) -> AsyncIterator[Gateway]:
    """A gateway that is started, and stopped at the end of the block.

    Raises:
        StartError: With what to do.
    """
    state = StateFolder(Path(settings.state_dir))
    state.open()
    try:
        if settings.embedded:
            machine = serving_class(settings, read_facts())
            seed(settings, state, lambda hardware_class: not refusal(machine, hardware_class))
        gateway = Gateway(with_ports_chosen(settings), state)
        try:
            await gateway.start()
            yield gateway
        finally:
            await gateway.stop()
    finally:
        state.close()
