"""Training loss: binary cross entropy against soft targets, and complete IoU of the boxes."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model_training.assigner import Assignment, assign_cells
from model_training.network import cell_centres


@dataclass(frozen=True)
class LossParts:
    """Loss of one batch.

    Attributes:
        total: scalar to differentiate, the weighted sum of the others.
        box: complete IoU loss, weighted mean over assigned cells.
        classes: cross entropy over all cells, per unit of soft target.
    """

    total: Tensor
    box: Tensor
    classes: Tensor


class DetectionLoss:
    """Loss for one input size; holds the cell grid."""

    def __init__(
        self, input_wh: tuple[int, int], device: torch.device, *, box_weight: float = 3.0, class_weight: float = 1.0
    ) -> None:
        """Build the grid on the device."""
        centres, strides = cell_centres(input_wh)
        self._centres, self._strides = centres.to(device), strides.to(device)
        self._box_weight, self._class_weight = box_weight, class_weight

    def __call__(
        self, distances: Tensor, logits: Tensor, boxes_xyxy: Tensor, classes: Tensor, valid: Tensor
    ) -> LossParts:
        """Compare predictions with the truth.

        Args:
            distances: (N, A, 4) in strides, as `Detector` returns them.
            logits: (N, A, C).
            boxes_xyxy: (N, M, 4) in input pixels, padded.
            classes: (N, M) int64, padded.
            valid: (N, M) bool.
        """
        low = self._centres - distances[..., :2] * self._strides
        high = self._centres + distances[..., 2:] * self._strides
        predicted = torch.cat([low, high], -1)
        found = assign_cells(
            predicted.detach(), logits.detach().sigmoid(), self._centres, self._strides, boxes_xyxy, classes, valid
        )
        normaliser = found.weight.sum().clamp(min=1.0)
        box = self._box_loss(predicted, boxes_xyxy, found) / normaliser
        entropy = self._class_loss(logits, classes, found) / normaliser
        return LossParts(self._box_weight * box + self._class_weight * entropy, box.detach(), entropy.detach())

    @staticmethod
    def _box_loss(predicted: Tensor, boxes: Tensor, found: Assignment) -> Tensor:
        positive = found.weight > 0
        if not bool(positive.any()):
            return predicted.sum() * 0.0
        rows = positive.nonzero()
        truth = boxes[rows[:, 0], found.box_index[positive]]
        return ((1.0 - complete_iou(predicted[positive], truth)) * found.weight[positive]).sum()

    @staticmethod
    def _class_loss(logits: Tensor, classes: Tensor, found: Assignment) -> Tensor:
        targets = torch.zeros_like(logits)
        if classes.shape[1] > 0:
            labels = classes.gather(1, found.box_index)
            targets.scatter_(2, labels[..., None], found.weight[..., None])
        return functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")


def complete_iou(predicted_xyxy: Tensor, truth_xyxy: Tensor) -> Tensor:
    """Complete IoU (Zheng et al. 2020, equation 10) of row pairs (K, 4) with (K, 4): (K,), at most 1."""
    low = torch.maximum(predicted_xyxy[:, :2], truth_xyxy[:, :2])
    high = torch.minimum(predicted_xyxy[:, 2:], truth_xyxy[:, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    size_p = (predicted_xyxy[:, 2:] - predicted_xyxy[:, :2]).clamp(min=1e-6)
    size_t = (truth_xyxy[:, 2:] - truth_xyxy[:, :2]).clamp(min=1e-6)
    iou = shared / (size_p.prod(-1) + size_t.prod(-1) - shared + 1e-9)
    hull = torch.maximum(predicted_xyxy[:, 2:], truth_xyxy[:, 2:]) - torch.minimum(
        predicted_xyxy[:, :2], truth_xyxy[:, :2]
    )
    apart = (predicted_xyxy[:, :2] + predicted_xyxy[:, 2:] - truth_xyxy[:, :2] - truth_xyxy[:, 2:]) / 2
    distance = apart.square().sum(-1) / (hull.square().sum(-1) + 1e-9)
    bend = torch.atan(size_t[:, 0] / size_t[:, 1]) - torch.atan(size_p[:, 0] / size_p[:, 1])
    shape = (4 / math.pi**2) * bend.square()
    with torch.no_grad():
        trade = shape / (1.0 - iou + shape + 1e-9)
    return iou - distance - trade * shape
