"""What a student learns from a teacher, cell by cell, since both have the same cells."""

import torch
from torch import Tensor
from torch.nn import functional

from model_training.loss import complete_iou
from model_training.network import cell_centres

CONFIDENT = 0.05
BOX_WEIGHT = 3.0


class DetectorDistillation:
    """Loss of a detector against another one's output for the same pictures.

    Classes: binary cross entropy against the teacher's softened scores, less the teacher's own entropy, so that equal
    outputs cost nothing; scaled by the square of the temperature, which keeps its gradients as large as without one
    (Hinton et al. 2015); each score weighs by how far it is from the teacher's (quality focal loss, Li et al. 2020),
    else the many empty cells drown the rest. Boxes: complete IoU where the teacher sees something.

    Args:
        input_wh: Of both nets.
        device: Of both nets.
        temperature: Softens both.
    """

    def __init__(self, input_wh: tuple[int, int], device: torch.device, *, temperature: float) -> None:
        centres, strides = cell_centres(input_wh)
        self._centres, self._strides = centres.to(device), strides.to(device)
        self._temperature = temperature

    def __call__(self, distances: Tensor, logits: Tensor, teacher_distances: Tensor, teacher_logits: Tensor) -> Tensor:
        """A scalar, per unit of what the teacher sees; shapes as `Detector` returns them."""
        scores = teacher_logits.sigmoid()
        confidence = scores.amax(-1)
        normaliser = confidence.sum().clamp(min=1.0)
        weight = (scores - logits.detach().sigmoid()).abs()
        classes = self._temperature**2 * (self._divergence(logits, teacher_logits) * weight).sum()
        seen = confidence > CONFIDENT
        if not bool(seen.any()):
            return classes / normaliser
        overlap = complete_iou(self._boxes(distances)[seen], self._boxes(teacher_distances)[seen])
        boxes = ((1.0 - overlap) * confidence[seen]).sum()
        return (classes + BOX_WEIGHT * boxes) / normaliser

    def _divergence(self, logits: Tensor, teacher_logits: Tensor) -> Tensor:
        """Binary Kullback-Leibler divergence of the softened scores, (N, A, C)."""
        soft = teacher_logits / self._temperature
        target = soft.sigmoid()
        cross = functional.binary_cross_entropy_with_logits(logits / self._temperature, target, reduction="none")
        return cross - functional.binary_cross_entropy_with_logits(soft, target, reduction="none")

    def _boxes(self, distances: Tensor) -> Tensor:
        low = self._centres - distances[..., :2] * self._strides
        high = self._centres + distances[..., 2:] * self._strides
        return torch.cat([low, high], -1)
