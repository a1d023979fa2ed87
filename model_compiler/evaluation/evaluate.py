"""Measures builds end to end through ``outpost-gateway serve``: accuracy, speed, memory."""

import os
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from model_compiler.evaluation import classification_accuracy as classification
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.detection_accuracy import measure_detector, metric
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.frame_load import ask_all
from model_compiler.evaluation.gateway_client import GatewayClient
from model_compiler.evaluation.gateway_process import GatewayProcess, running_gateway
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.measurement import Measurement, load, measure_rounds, peak_memory
from model_compiler.evaluation.predictions import LOWEST_SCORE, Classifications, Predictions, detections_of
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.evaluation.trials import Trials
from model_compiler.evaluation.variant_result import VariantResult
from model_compiler.machine_profile import read_machine_profile

_SPEED_FRAMES = 64
"""Pictures that the loads are made of: enough to vary, few enough to be kept in memory."""


def evaluate_candidates(
    candidates: Sequence[Candidate],
    frames: LabelledFrames,
    settings: EvaluationSettings,
    *,
    hardware_class: str,
    report: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Load all builds into one gateway, ask each about every frame, then measure their speed in turn.

    Args:
        candidates: At least one; their names and build names differ.
        frames: What accuracy and speed are measured on.
        settings: Rounds, callers, resamples.
        hardware_class: Of this machine, for the results.
        report: Told what is being done.

    Raises:
        EvaluationError: The gateway is not installed or fails. A build that does not load or does not answer is among
            ``failed``, and the others are measured.
    """
    speed_frames = [(frame.name, frame.read()) for frame in frames.frames[:_SPEED_FRAMES]]
    with running_gateway(hardware_class=candidates[0].card.hardware_class) as gateway:
        trials = Trials(gateway, report)
        report("loading the builds into a gateway")
        load_seconds = trials.of_each({each.name: partial(load, gateway, each, speed_frames[0]) for each in candidates})

        def answers(candidate: Candidate) -> Predictions:
            report(f"{candidate.name}: answers to {len(frames)} frames")
            return _predict(gateway, candidate, frames, settings.callers)

        predictions = trials.of_each({each.name: partial(answers, each) for each in candidates})
        rounds = measure_rounds(gateway, tuple(predictions), speed_frames, settings, trials, report)
        memory = peak_memory(gateway, candidates)
    report("accuracy and its intervals")
    results = {}
    for each in candidates:
        if each.name not in trials.failed:
            measured = Measurement(load_seconds[each.name], rounds[each.name], memory[each.name])
            results[each.name] = _result(each, measured, predictions[each.name], frames, settings, hardware_class)
    return Evaluation(results, predictions, frames, settings.resamples, settings.seed, trials.failed)


def predict(candidate: Candidate, frames: LabelledFrames, *, callers: int | None = None) -> Predictions:
    """Answers of one build to frames, through a gateway of its own.

    Raises:
        EvaluationError: As for `evaluate_candidates`.
    """
    with running_gateway(hardware_class=candidate.card.hardware_class) as gateway:
        gateway.load(candidate)
        return _predict(gateway, candidate, frames, callers)


def _predict(gateway: GatewayProcess, candidate: Candidate, frames: LabelledFrames, callers: int | None) -> Predictions:
    ask = partial(ask_all, gateway.address, candidate.name, len(frames), callers or 2 * len(os.sched_getaffinity(0)))
    card = candidate.card
    if card.task == "classification":

        def classify(client: GatewayClient, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
            return client.probabilities(frames.frames[number].read(), frames.frames[number].name)

        return Classifications(np.stack(ask(classify)))

    def detect(client: GatewayClient, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return client.detections(frames.frames[number].read(), frames.frames[number].name, LOWEST_SCORE)

    return detections_of(ask(detect), card)


def _result(
    candidate: Candidate,
    measured: Measurement,
    found: Predictions,
    frames: LabelledFrames,
    settings: EvaluationSettings,
    hardware_class: str,
) -> VariantResult:
    card = candidate.card
    plain = VariantResult(
        name=candidate.name,
        backend=candidate.backend,
        size_bytes=candidate.size_bytes,
        parameter_count=card.parameter_count,
        performance=measured.performance(hardware_class, _machine(), candidate.backend),
        latency_p50_ms_rounds=tuple(sample.latency_p50_ms for sample in measured.rounds),
        images_per_second_rounds=tuple(sample.images_per_second for sample in measured.rounds),
    )
    return plain.model_copy(update=_accuracy(found, frames, settings)) if frames.labelled else plain


def _accuracy(found: Predictions, frames: LabelledFrames, settings: EvaluationSettings) -> dict[str, object]:
    again = {"resamples": settings.resamples, "seed": settings.seed}
    if isinstance(found, Classifications):
        return {
            "metrics": (metric("top1", classification.top1(found, frames, **again), frames),),
            "accuracy_by_label": classification.recall_by_label(found, frames),
            "confusion": tuple(map(tuple, classification.confusion(found, frames).tolist())),
        }
    accuracy = measure_detector(found, frames, **again)
    return {"metrics": accuracy.metrics, "accuracy_by_label": accuracy.by_label}


def _machine() -> str:
    profile = read_machine_profile()
    cores = f"{profile.cpu_model or profile.facts.architecture}, {len(os.sched_getaffinity(0))} cores"
    return f"{cores} with AMX" if "amx_tile" in profile.cpu_flags else cores
