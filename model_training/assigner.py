"""Task-aligned assignment of cells to boxes (TOOD, Feng et al. 2021, section 3.2)."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class AssignmentSettings:
    """Weights of the alignment: score ** alpha * iou ** beta, and how many cells a box may take.

    `reach_strides` lets cells count whose centre lies outside of the box by no more than this many strides of theirs:
    a box of the size of one cell would else own one cell or none.
    """

    top_cells: int = 10
    alpha: float = 0.5
    beta: float = 6.0
    reach_strides: float = 0.5


@dataclass(frozen=True)
class Assignment:
    """Result for a batch.

    Attributes:
        box_index: (N, A) which padded box a cell learns; meaningless where `weight` is 0.
        weight: (N, A) soft target in 0..1, 0 for background: the alignment, scaled so that the best cell of a box gets
            that box's best IoU.
    """

    box_index: Tensor
    weight: Tensor


def pairwise_iou(first_xyxy: Tensor, second_xyxy: Tensor) -> Tensor:
    """IoU of (N, M, 4) with (N, A, 4) boxes: (N, M, A)."""
    low = torch.maximum(first_xyxy[:, :, None, :2], second_xyxy[:, None, :, :2])
    high = torch.minimum(first_xyxy[:, :, None, 2:], second_xyxy[:, None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    first = (first_xyxy[..., 2:] - first_xyxy[..., :2]).clamp(min=0).prod(-1)
    second = (second_xyxy[..., 2:] - second_xyxy[..., :2]).clamp(min=0).prod(-1)
    return shared / (first[:, :, None] + second[:, None, :] - shared + 1e-9)


@torch.no_grad()
def assign_cells(
    predicted_xyxy: Tensor,
    scores: Tensor,
    centres: Tensor,
    strides: Tensor,
    boxes_xyxy: Tensor,
    classes: Tensor,
    valid: Tensor,
    settings: AssignmentSettings | None = None,
) -> Assignment:
    """Choose for each box the cells that already predict it best.

    Args:
        predicted_xyxy: (N, A, 4) in input pixels.
        scores: (N, A, C) after the sigmoid.
        centres: (A, 2) in input pixels.
        strides: (A, 1).
        boxes_xyxy: (N, M, 4) true boxes, padded.
        classes: (N, M) int64, padded.
        valid: (N, M) bool, False for padding.
        settings: weights; the defaults when None.
    """
    settings = settings or AssignmentSettings()
    if boxes_xyxy.shape[1] == 0:
        shape = scores.shape[:2]
        return Assignment(torch.zeros(shape, dtype=torch.int64, device=scores.device), scores.new_zeros(shape))
    iou = pairwise_iou(boxes_xyxy, predicted_xyxy)
    class_scores = scores.transpose(1, 2).gather(1, classes[:, :, None].expand(-1, -1, scores.shape[1]))
    allowed = _near(centres, strides, boxes_xyxy, settings.reach_strides) & valid[:, :, None]
    alignment = class_scores.pow(settings.alpha) * iou.pow(settings.beta) * allowed
    # An untrained net overlaps nothing; the tiny term then prefers the cells nearest to the middle of the box.
    ranked = alignment + 1e-9 * _centrality(centres, boxes_xyxy) * allowed
    chosen = torch.zeros_like(allowed)
    best = ranked.topk(min(settings.top_cells, ranked.shape[2]), dim=2)
    chosen.scatter_(2, best.indices, best.values > 0)
    # A cell that several boxes chose learns the one that it overlaps most.
    contest = torch.where(chosen, iou + 1e-6, torch.zeros_like(iou))
    box_index = contest.argmax(1)
    chosen &= torch.zeros_like(chosen).scatter_(1, box_index[:, None], True)
    return Assignment(box_index, _soft_targets(alignment, iou, chosen))


def _near(centres: Tensor, strides: Tensor, boxes: Tensor, reach: float) -> Tensor:
    margin = strides[None, None, :, 0] * reach
    left = centres[None, None, :, 0] - boxes[:, :, None, 0] + margin
    top = centres[None, None, :, 1] - boxes[:, :, None, 1] + margin
    right = boxes[:, :, None, 2] - centres[None, None, :, 0] + margin
    bottom = boxes[:, :, None, 3] - centres[None, None, :, 1] + margin
    return torch.minimum(torch.minimum(left, top), torch.minimum(right, bottom)) > 0


def _centrality(centres: Tensor, boxes: Tensor) -> Tensor:
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    distance: Tensor = (middle[:, :, None] - centres[None, None]).norm(dim=-1)
    return 1.0 / (1.0 + distance)


def _soft_targets(alignment: Tensor, iou: Tensor, chosen: Tensor) -> Tensor:
    kept = alignment * chosen
    best_alignment = kept.amax(2, keepdim=True)
    best_iou = (iou * chosen).amax(2, keepdim=True)
    return (kept / (best_alignment + 1e-9) * best_iou).amax(1)
