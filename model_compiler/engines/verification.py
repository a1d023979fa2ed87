"""Whether a candidate computes what its FP32 reference does, on real frames, at batch 1 and at the largest batch."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec, NmsSpec, OutputSpec
from contracts.quantization import Variant
from model_compiler.engines.agreement import Agreement, candidate_agreement, class_agreement, detection_agreement
from model_compiler.engines.answers import DetectionRules, candidates, is_classification, probabilities
from model_compiler.engines.engine import Array, Engine, Session
from model_compiler.engines.frame_input import Frames, input_tensor
from model_compiler.engines.layer_report import LayerReport, LayerSubject, compare_layers
from model_compiler.engines.tensor_error import TensorError, tensor_error
from model_compiler.engines.tolerance import (
    BELOW_THRESHOLDS_AGREEMENT,
    BELOW_THRESHOLDS_IOU,
    TOLERANCES,
    Tolerance,
)
from model_compiler.engines.verification_report import BatchReport, VerificationReport
from model_compiler.graph.onnx_model import interface_of, parse_model
from model_compiler.variant import Precision

Outputs = Mapping[str, Array]
_THREADS = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, who runs it and in what precision, and how frames go in and answers come out."""

    model: bytes
    engine: Engine
    precision: Precision
    input: InputSpec
    output: OutputSpec


def verify(
    reference: Subject,
    candidate: Subject,
    frames: Frames,
    *,
    variant: Variant,
    max_batch_size: int,
    thresholds: NDArray[np.float32],
    nms: NmsSpec,
) -> VerificationReport:
    """Compare a candidate with its reference.

    Args:
        reference: The FP32 model, usually plain.
        candidate: The model as it will be packaged; grafted or plain, by whatever runtime.
        frames: (N, H, W, 3), N at least 1, RGB, prepared as in serving.
        variant: Decides what is tolerated.
        max_batch_size: The largest batch, where the candidate's batch axis is open.
        thresholds: (C,), the least score of each label.
        nms: What the gateway does after the model.

    Raises:
        EngineUnavailable: A runtime cannot run here.
        UnsupportedByRuntime: It refuses the model, or a batch of this size.
    """
    pair = _Pair(reference, candidate, DetectionRules(thresholds, nms), TOLERANCES[variant])
    first, second = (
        subject.engine.open(subject.model, subject.precision, _THREADS) for subject in (reference, candidate)
    )
    batches: list[BatchReport] = []
    problems: list[str] = []
    for size in _batch_sizes(candidate, max_batch_size):
        of_reference = _batch_sizes(reference, size)[-1]
        filled = _repeated(frames, math.lcm(size, of_reference))
        wanted = _outputs(first, reference, filled, of_reference)
        got = _outputs(second, candidate, filled, size)
        report = BatchReport(size, len(filled), tuple(pair.errors(wanted, got)), pair.agreement(wanted, got))
        batches.append(report)
        problems += [f"the reference: {problem}" for problem in _broken(wanted, size)]
        problems += [*_broken(got, size), *_problems(report, pair.tolerance)]
    layers = _layers(pair, frames) if problems else None
    return VerificationReport(variant, candidate.engine.version(), tuple(batches), tuple(problems), layers)


def _batch_sizes(subject: Subject, largest: int) -> tuple[int, ...]:
    """1 and the largest, or the one size that the graph has."""
    fixed = interface_of(parse_model(subject.model, check=False)).inputs[0].shape[0]
    return tuple(sorted({1, largest})) if fixed is None else (fixed,)


def _repeated(frames: Frames, batch_size: int) -> Frames:
    """As many frames as fill whole batches; a short set starts over."""
    count = -(-len(frames) // batch_size) * batch_size
    filled: Frames = frames[np.arange(count) % len(frames)]
    return filled


def _outputs(session: Session, subject: Subject, frames: Frames, batch_size: int) -> dict[str, Array]:
    tensor = input_tensor(frames, subject.input)
    starts = range(0, len(frames), batch_size)
    parts = [session.run({subject.input.name: tensor[start : start + batch_size]}) for start in starts]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True, slots=True)
class _Pair:
    reference: Subject
    candidate: Subject
    rules: DetectionRules
    tolerance: Tolerance

    def errors(self, wanted: Outputs, got: Outputs) -> Iterator[TensorError]:
        """Of the output, where both give it in one form; the order of candidates depends on their scores."""
        first, second = self.reference.output, self.candidate.output
        if first.decoder == second.decoder != "candidates":
            yield tensor_error(second.name, wanted[first.name], got[second.name])

    def agreement(self, wanted: Outputs, got: Outputs) -> Agreement | None:
        """Of the answers; None where one of them is not numbers."""
        first, second = self.reference.output, self.candidate.output
        if _not_finite(wanted[first.name]) or _not_finite(got[second.name]):
            return None
        if is_classification(first):
            return class_agreement(probabilities(wanted, first), probabilities(got, second))
        rows, margin = (candidates(wanted, first), candidates(got, second)), self.tolerance.mean_score_difference
        found = detection_agreement(*rows, self.rules, margin=margin, same_box_iou=self.tolerance.same_box_iou)
        if found.compared:
            return found
        return candidate_agreement(*rows, self.rules, margin=margin, same_box_iou=BELOW_THRESHOLDS_IOU)


def _not_finite(values: Array) -> int:
    return int((~np.isfinite(np.asarray(values, np.float64))).sum())


def _broken(outputs: Outputs, batch_size: int) -> Iterator[str]:
    for name, values in sorted(outputs.items()):
        if bad := _not_finite(values):
            yield f"output {name!r} has {bad} values that are NaN or infinite at batch {batch_size}"


def _problems(report: BatchReport, tolerance: Tolerance) -> Iterator[str]:
    at = f"at batch {report.batch_size}"
    for error in report.outputs:
        if error.relative > tolerance.relative_error:
            yield (
                f"output {error.name!r} is off by {error.relative:.2g} of its largest value {at}, allowed is"
                f" {tolerance.relative_error:.2g}"
            )
    agreement = report.agreement
    if agreement is None:
        return
    expected = BELOW_THRESHOLDS_AGREEMENT if agreement.below_thresholds else tolerance.agreement
    if agreement.share < expected:
        what = "surest candidates, all below their thresholds," if agreement.below_thresholds else "answers"
        yield f"{agreement.share:.1%} of the {what} agree {at}, expected {expected:.1%} or more"
    if agreement.mean_score_difference > tolerance.mean_score_difference:
        yield (
            f"scores differ by {agreement.mean_score_difference:.2g} on average {at}, allowed is"
            f" {tolerance.mean_score_difference:.2g}"
        )


def _layers(pair: _Pair, frames: Frames) -> LayerReport:
    first, second = (_layer_subject(subject, frames) for subject in (pair.reference, pair.candidate))
    return compare_layers(first, second, deviation_sqnr_db=pair.tolerance.layer_sqnr_db)


def _layer_subject(subject: Subject, frames: Frames) -> LayerSubject:
    feed = input_tensor(_repeated(frames[:1], _batch_sizes(subject, 1)[0]), subject.input)
    return LayerSubject(subject.model, subject.engine, subject.precision, {subject.input.name: feed})
