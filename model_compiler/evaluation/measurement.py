"""Speed and memory of builds, side by side: all are loaded, and measured in turn, several times."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import SupportsFloat

import numpy as np

from contracts.build_performance import BuildPerformance
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.energy_counter import EnergyCounter
from model_compiler.evaluation.frame_load import Frame, FrameLoad
from model_compiler.evaluation.gateway_client import GatewayClient
from model_compiler.evaluation.gateway_process import GatewayProcess
from model_compiler.evaluation.process_usage import cpu_seconds_of_tree, peak_memory_of_model
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.evaluation.trials import Trials

IDLE_SECONDS = 2.0
"""For which power is read before the loads: the builds are loaded, and nobody asks."""


@dataclass(frozen=True, slots=True)
class RoundSample:
    """One build in one round.

    Attributes:
        latencies_seconds: Of one caller.
        images_per_second: Of several.
        cpu_ms_per_image: Of the gateway and everything below it, during the latter.
        watts: Of the processor packages, during the latter; None where the machine cannot tell.
        idle_watts: Of the same before all rounds.
    """

    latencies_seconds: tuple[float, ...]
    images_per_second: float
    cpu_ms_per_image: float
    watts: float | None = None
    idle_watts: float | None = None

    @property
    def watts_above_idle(self) -> float | None:
        """What the load adds; None where the machine cannot tell."""
        return None if self.watts is None or self.idle_watts is None else self.watts - self.idle_watts

    @property
    def latency_p50_ms(self) -> float:
        """Median latency of this round."""
        return float(np.median(self.latencies_seconds)) * 1e3


@dataclass(frozen=True, slots=True)
class Measurement:
    """Everything measured of one build.

    Attributes:
        load_seconds: From the load request to the first answer.
        rounds: At least one.
        peak_memory_bytes: Of the processes that run it.
    """

    load_seconds: float
    rounds: tuple[RoundSample, ...]
    peak_memory_bytes: int | None

    def performance(self, hardware_class: str, machine: str, runtime: str) -> BuildPerformance:
        """For a card: medians over the rounds; the 99th percentile is over all latencies together."""
        latencies = np.concatenate([np.asarray(sample.latencies_seconds) for sample in self.rounds])
        return BuildPerformance(
            hardware_class=hardware_class,
            status="measured",
            machine=machine,
            runtime=runtime,
            latency_p50_ms=_rounded(np.median([sample.latency_p50_ms for sample in self.rounds])),
            latency_p99_ms=_rounded(np.percentile(latencies, 99) * 1e3),
            images_per_second=_rounded(np.median([sample.images_per_second for sample in self.rounds])),
            load_seconds=_rounded(self.load_seconds),
            peak_memory_bytes=self.peak_memory_bytes,
            cpu_ms_per_image=_rounded(np.median([sample.cpu_ms_per_image for sample in self.rounds])),
            mean_power_watts=_median_of_known(sample.watts for sample in self.rounds),
            mean_power_above_idle_watts=_median_of_known(sample.watts_above_idle for sample in self.rounds),
        )


def load(gateway: GatewayProcess, candidate: Candidate, frame: Frame) -> float:
    """Load a build; seconds from the load request to its first answer.

    Raises:
        EvaluationError: It does not load or does not answer.
    """
    until_loaded = gateway.load(candidate)
    client = GatewayClient(gateway.address, candidate.name)
    try:
        began_at = time.perf_counter()
        client.ask(frame[1], frame[0])
        return until_loaded + time.perf_counter() - began_at
    finally:
        client.close()


def measure_rounds(
    gateway: GatewayProcess,
    names: Sequence[str],
    frames: Sequence[Frame],
    settings: EvaluationSettings,
    trials: Trials,
    report: Callable[[str], None],
) -> dict[str, tuple[RoundSample, ...]]:
    """Measure loaded builds in turn; each round begins with another one, so that drift of the machine hits all alike.

    What does not answer a frame is left out from then on.

    Raises:
        EvaluationError: The gateway went away.
    """
    energy = EnergyCounter()
    idle_watts = energy.mean_watts(IDLE_SECONDS)
    callers = settings.callers or 2 * len(os.sched_getaffinity(0))
    samples: dict[str, list[RoundSample]] = {name: [] for name in names}
    for number in range(settings.rounds):
        left = [name for name in names if name not in trials.failed]
        first = number % max(1, len(left))
        for name in (*left[first:], *left[:first]):
            report(f"round {number + 1} of {settings.rounds}: {name}")
            frame_load = FrameLoad(gateway.address, name, frames)
            task = partial(_measure, gateway, frame_load, settings.seconds_per_round, callers, energy)
            sample = trials.attempt(name, task)
            if sample is not None:
                samples[name].append(dataclasses.replace(sample, idle_watts=idle_watts))
    return {name: tuple(found) for name, found in samples.items() if name not in trials.failed}


def _measure(
    gateway: GatewayProcess, load: FrameLoad, seconds: float, callers: int, energy: EnergyCounter
) -> RoundSample:
    latencies = load.latencies(seconds)
    cpu_before, energy_before, began_at = cpu_seconds_of_tree(gateway.pid), energy.read(), time.perf_counter()
    answered = load.answered(seconds, callers)
    joules = energy.joules_between(energy_before, energy.read())
    elapsed = time.perf_counter() - began_at
    cpu_seconds = cpu_seconds_of_tree(gateway.pid) - cpu_before
    return RoundSample(
        latencies_seconds=latencies,
        images_per_second=answered.frames / answered.seconds,
        cpu_ms_per_image=cpu_seconds * 1e3 / answered.frames,
        watts=None if joules is None else joules / elapsed,
    )


def peak_memory(gateway: GatewayProcess, candidates: Sequence[Candidate]) -> Mapping[str, int | None]:
    """Peak memory so far of the processes that run each build, by name."""
    return {candidate.name: peak_memory_of_model(gateway.pid, candidate.card.build) for candidate in candidates}


def _median_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _rounded(np.median(known)) if known else None


def _rounded(value: SupportsFloat) -> float:
    """Four significant digits: more are noise."""
    return float(f"{float(value):.4g}")
