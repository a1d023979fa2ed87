"""A small classifier of whole frames: is the part good, and if not, which defect is the most visible."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_training.batches import Batch
from model_training.blocks import ConvBlock, CrossStage
from model_training.frame_distribution import DEFECT_CLASSES
from model_training.network_settings import STUDENT

CELL_STRIDE = 16
# A cell sees a defect so rarely that it must start by denying it (RetinaNet, Lin et al. 2017).
CELL_PRIOR_LOGIT = -4.0
Widths = tuple[int, int, int, int]


class PartClassifier(nn.Module):
    """The first stages of the student detector, down to stride 16; each cell says what it sees, the surest speaks.

    Its first stages have the names of the detector's, whose weights it begins with: from frame labels alone, a net does
    not find defects of a few pixels.
    """

    def __init__(self, widths: Widths = STUDENT.channels[:4]) -> None:
        """Build with random weights (seed torch first); `widths` of the stem and of strides 4, 8 and 16."""
        super().__init__()
        stem, c4, c8, c16 = widths
        self.stem = ConvBlock(3, stem, 3, "relu", stride=2)
        self.stage4 = nn.Sequential(ConvBlock(stem, c4, 3, "relu", stride=2), CrossStage(c4, c4, 1, "relu"))
        self.stage8 = nn.Sequential(ConvBlock(c4, c8, 3, "relu", stride=2), CrossStage(c8, c8, 1, "relu"))
        self.stage16 = nn.Sequential(ConvBlock(c8, c16, 3, "relu", stride=2), CrossStage(c16, c16, 1, "relu"))
        self.predict = nn.Conv2d(c16, len(DEFECT_CLASSES), 1)
        nn.init.constant_(self.predict.bias, CELL_PRIOR_LOGIT)  # type: ignore[arg-type]

    def begin_with(self, detector: Mapping[str, Tensor]) -> None:
        """Take the first stages from the weights of a detector, by name.

        Raises:
            RuntimeError: Its first stages have other widths.
        """
        stages = ("stem.", "stage4.", "stage8.", "stage16.")
        shared = {name: tensor for name, tensor in detector.items() if name.startswith(stages)}
        self.load_state_dict(self.state_dict() | shared)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) float, RGB in 0..1, to logits (N, C) in the order of `PART_LABELS`."""
        return frame_logits(self.cell_logits(images))

    def cell_logits(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to a logit for each defect class in each cell, (N, C - 1, H / 16, W / 16)."""
        return self.predict(self.stage16(self.stage8(self.stage4(self.stem(images)))))  # type: ignore[no-any-return]


def frame_logits(cell_logits: Tensor) -> Tensor:
    """Each defect speaks with its surest cell; `pass` with 0, where a cell is undecided."""
    return functional.pad(cell_logits.amax((2, 3)), (1, 0))


def cell_targets(batch: Batch, size_hw: tuple[int, int]) -> Tensor:
    """Which defects each cell lies in, (N, C - 1, h, w) of 0 and 1; a defect always has the cell of its centre."""
    rows, columns = size_hw
    targets = torch.zeros(len(batch.boxes_xyxy), len(DEFECT_CLASSES), rows, columns, device=batch.boxes_xyxy.device)
    xs = (torch.arange(columns, device=targets.device) + 0.5) * CELL_STRIDE
    ys = (torch.arange(rows, device=targets.device) + 0.5) * CELL_STRIDE
    for frame, number in batch.valid.nonzero().tolist():
        x1, y1, x2, y2 = batch.boxes_xyxy[frame, number].tolist()
        inside = ((ys >= y1) & (ys <= y2))[:, None] & ((xs >= x1) & (xs <= x2))[None]
        row, column = int((y1 + y2) / 2 / CELL_STRIDE), int((x1 + x2) / 2 / CELL_STRIDE)
        inside[min(row, rows - 1), min(column, columns - 1)] = True
        targets[frame, int(batch.classes[frame, number])][inside] = 1.0
    return targets


def part_classes(batch: Batch) -> Tensor:
    """The true class of each picture, (N,) indices into `PART_LABELS`: that of its largest defect, or pass."""
    if batch.boxes_xyxy.shape[1] == 0:
        return torch.zeros(len(batch.boxes_xyxy), dtype=torch.int64, device=batch.classes.device)
    sides = batch.boxes_xyxy[..., 2:] - batch.boxes_xyxy[..., :2]
    areas = sides.prod(-1).clamp(min=1e-3) * batch.valid
    largest = batch.classes.gather(1, areas.argmax(1, keepdim=True))[:, 0] + 1
    return torch.where(batch.valid.any(1), largest, torch.zeros_like(largest))
