"""Runs a proposed model on a picture, as it would be served, and looks at what it says."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from contracts.model_card import NmsSpec, Thresholds
from model_compiler.graph.node_names import first_sentence, node_of_message
from model_compiler.graph.picture_input import with_picture_size
from model_compiler.proposal.answer_check import (
    doubts_of_candidates,
    doubts_of_probabilities,
    doubts_of_two_pictures,
)
from model_compiler.proposal.errors import NotProposable
from model_compiler.proposal.proposal import Proposal
from model_compiler.stages.graft import graft_classifier, graft_detector
from vision.letterbox import Placement, to_frame
from vision.nms import select_detections
from vision.prepare import prepare_frame

Rows = NDArray[np.float32]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing seen, best first; a classifier has no boxes."""

    label: str
    score: float
    box_xyxy: tuple[float, float, float, float] | None = None

    def __str__(self) -> str:
        at = "" if self.box_xyxy is None else f" at {', '.join(f'{side:.0f}' for side in self.box_xyxy)}"
        return f"{self.label} {self.score:.3f}{at}"


@dataclass(frozen=True, slots=True)
class Tryout:
    """What a model said.

    Attributes:
        findings: The best few; for a detector those above the default threshold, after suppression.
        best_score: Of anything at all.
        doubts: Why it cannot be right, a sentence each.
        single_frame_reason: Why only one frame can be computed at a time, although the batch axis is open.
    """

    findings: tuple[Finding, ...]
    best_score: float
    doubts: tuple[str, ...]
    single_frame_reason: str | None = None


def try_out(model: onnx.ModelProto, proposal: Proposal, picture: bytes) -> Tryout:
    """Graft the model as proposed and run it in ONNX Runtime.

    Args:
        model: The export.
        proposal: What it is taken for.
        picture: JPEG, PNG, WebP or BMP.

    Raises:
        ImageError: The picture cannot be decoded.
        ModelError: The model cannot be grafted as proposed.
        NotProposable: It cannot be run.
    """
    spec = proposal.network_input
    pixels = np.empty((spec.height, spec.width, 3), np.uint8)
    prepared = prepare_frame(picture, input_wh=proposal.size_wh, mode=spec.mode, pad_value=spec.pad_value, out=pixels)
    grafted = _grafted(model, proposal)
    session = _session(grafted)
    answer = _run(grafted, session, pixels[None])[0]
    other = _run(grafted, session, np.full_like(pixels, 128)[None])[0]
    look = _look_at_candidates if proposal.task == "detection" else _look_at_probabilities
    findings, best, doubts = look(answer, proposal, prepared.placement)
    doubts = doubts or doubts_of_two_pictures(answer, other)
    return Tryout(findings, best, doubts, _single_frame_reason(grafted, session, pixels, proposal))


def _grafted(model: onnx.ModelProto, proposal: Proposal) -> onnx.ModelProto:
    sized, classes = with_picture_size(model, *proposal.size_wh), len(proposal.labels)
    if proposal.head is None:
        return graft_classifier(sized, proposal.network_input, classes=classes, output=proposal.output)
    return graft_detector(sized, proposal.network_input, proposal.head, classes=classes, output=proposal.output)


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions share no other base
        raise _not_run(model, error) from error


def _run(model: onnx.ModelProto, session: onnxruntime.InferenceSession, pixels: NDArray[np.uint8]) -> Rows:
    try:
        return np.asarray(session.run(None, {session.get_inputs()[0].name: pixels})[0], np.float32)
    except Exception as error:  # the runtime's exceptions share no other base
        raise _not_run(model, error) from error


def _not_run(model: onnx.ModelProto, error: Exception) -> NotProposable:
    node = node_of_message(model, str(error)) or "the graph"
    return NotProposable(f"{node} cannot be run: {first_sentence(str(error))}", "export it again with another opset")


def _single_frame_reason(
    model: onnx.ModelProto, session: onnxruntime.InferenceSession, pixels: NDArray[np.uint8], proposal: Proposal
) -> str | None:
    """An open batch axis is often only a name: sizes inside the graph are still those of one picture."""
    if not proposal.dynamic_batch:
        return None
    try:
        answers = _run(model, session, np.stack([pixels, pixels]))
    except NotProposable as error:
        return f"its batch axis is open, but with two frames {error.problem}"
    if len(answers) != 2 or not np.allclose(answers[0], answers[1], rtol=1e-3, atol=1e-3, equal_nan=True):
        return "its batch axis is open, but of two equal frames in a batch it says two different things"
    return None


def _look_at_candidates(
    answer: Rows, proposal: Proposal, placement: Placement
) -> tuple[tuple[Finding, ...], float, tuple[str, ...]]:
    doubts = doubts_of_candidates(answer, proposal.size_wh)
    best = float(answer[:, 4].max())
    if not np.isfinite(answer).all():
        return (), best, doubts
    nms = NmsSpec()
    kept = select_detections(
        answer,
        thresholds=np.full(len(proposal.labels), Thresholds().default, np.float32),
        iou_threshold=nms.iou_threshold,
        class_agnostic=nms.class_agnostic,
        max_detections=nms.max_detections,
    )[:_SHOWN]
    boxes = to_frame(kept[:, :4], placement)
    findings = (
        Finding(proposal.labels[int(row[5])], float(row[4]), (float(x1), float(y1), float(x2), float(y2)))
        for row, (x1, y1, x2, y2) in zip(kept, boxes, strict=True)
    )
    return tuple(findings), best, doubts


def _look_at_probabilities(
    answer: Rows, proposal: Proposal, _: Placement
) -> tuple[tuple[Finding, ...], float, tuple[str, ...]]:
    order = np.argsort(-answer, kind="stable")[:_SHOWN]
    findings = tuple(Finding(proposal.labels[index], float(answer[index])) for index in order)
    return findings, float(answer.max()), doubts_of_probabilities(answer)
