"""A compact anchor-free single-stage detector: CSP backbone, two-way feature pyramid, one decoupled head per stride."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_training.blocks import ConvBlock, CrossStage, HeadBranch, PooledContext
from model_training.network_settings import STRIDES, NetworkSettings

CLASS_PRIOR = 5e-4


class Detector(nn.Module):
    """The detector; its raw output is what the loss needs, `DecodedDetector` adds the decoding for the export."""

    def __init__(self, settings: NetworkSettings, class_count: int) -> None:
        """Build with random weights (seed torch first)."""
        super().__init__()
        self.settings = settings
        self.class_count = class_count
        stem, c4, c8, c16, c32 = settings.channels
        d4, d8, d16, d32 = settings.depths
        n8, n16, n32 = settings.neck_channels
        act = settings.activation
        self.stem = ConvBlock(3, stem, 3, act, stride=2)
        self.stage4 = nn.Sequential(ConvBlock(stem, c4, 3, act, stride=2), CrossStage(c4, c4, d4, act))
        self.stage8 = nn.Sequential(ConvBlock(c4, c8, 3, act, stride=2), CrossStage(c8, c8, d8, act))
        self.stage16 = nn.Sequential(ConvBlock(c8, c16, 3, act, stride=2), CrossStage(c16, c16, d16, act))
        self.stage32 = nn.Sequential(
            ConvBlock(c16, c32, 3, act, stride=2), CrossStage(c32, c32, d32, act), PooledContext(c32, act)
        )
        self.narrow32 = ConvBlock(c32, n16, 1, act)
        self.down16 = CrossStage(n16 + c16, n16, 1, act)
        self.narrow16 = ConvBlock(n16, n8, 1, act)
        self.down8 = CrossStage(n8 + c8, n8, 1, act)
        self.step16 = ConvBlock(n8, n8, 3, act, stride=2)
        self.up16 = CrossStage(n8 + n16, n16, 1, act)
        self.step32 = ConvBlock(n16, n16, 3, act, stride=2)
        self.up32 = CrossStage(n16 + c32, n32, 1, act)
        self.box_heads = nn.ModuleList(HeadBranch(width, settings, 4) for width in settings.neck_channels)
        self.class_heads = nn.ModuleList(HeadBranch(width, settings, class_count) for width in settings.neck_channels)
        self._set_priors()

    def _set_priors(self) -> None:
        """Start with rare objects (RetinaNet, Lin et al. 2017) of about four cells."""
        for head in self.class_heads:
            bias = head.predict.bias  # type: ignore[union-attr]
            nn.init.constant_(bias, -math.log((1 - CLASS_PRIOR) / CLASS_PRIOR))  # type: ignore[arg-type]
        for head in self.box_heads:
            nn.init.constant_(head.predict.bias, 1.5)  # type: ignore[union-attr, arg-type]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Predict.

        Args:
            images: (N, 3, H, W) float, RGB in 0..1; H and W are multiples of 32.

        Returns:
            Distances from each cell to left, top, right, bottom in strides, (N, A, 4), not negative; class logits,
            (N, A, C); A runs over the strides 8, 16, 32, row by row.
        """
        x4 = self.stage4(self.stem(images))
        x8 = self.stage8(x4)
        x16 = self.stage16(x8)
        x32 = self.stage32(x16)
        t16 = self.down16(torch.cat([functional.interpolate(self.narrow32(x32), scale_factor=2.0), x16], 1))
        p8 = self.down8(torch.cat([functional.interpolate(self.narrow16(t16), scale_factor=2.0), x8], 1))
        p16 = self.up16(torch.cat([self.step16(p8), t16], 1))
        p32 = self.up32(torch.cat([self.step32(p16), x32], 1))
        distances = [_rows(head(level)) for head, level in zip(self.box_heads, (p8, p16, p32), strict=True)]
        logits = [_rows(head(level)) for head, level in zip(self.class_heads, (p8, p16, p32), strict=True)]
        boxes = functional.softplus(torch.cat(distances, 2).float()).transpose(1, 2)
        return boxes, torch.cat(logits, 2).float().transpose(1, 2)


def _rows(features: Tensor) -> Tensor:
    # Whole numbers, so that an exported graph knows its sizes and only the batch stays open.
    return features.reshape(-1, int(features.shape[1]), int(features.shape[2]) * int(features.shape[3]))


class DecodedDetector(nn.Module):
    """The exported form: boxes in input pixels and class scores after the sigmoid, in one tensor."""

    def __init__(self, detector: Detector, input_wh: tuple[int, int]) -> None:
        """Wrap a trained detector for one input size."""
        super().__init__()
        self.detector = detector
        centres, strides = cell_centres(input_wh)
        self.register_buffer("centres", centres)
        self.register_buffer("strides", strides)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 4 + C, A): cx, cy, w, h in input pixels, then C class scores."""
        distances, logits = self.detector(images)
        low = self.centres - distances[..., :2] * self.strides
        high = self.centres + distances[..., 2:] * self.strides
        rows = torch.cat([(low + high) / 2, high - low, logits.sigmoid()], 2)
        return rows.transpose(1, 2)


def cell_centres(input_wh: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Cells of all strides.

    Returns:
        Centres x, y in input pixels, (A, 2), and strides, (A, 1).
    """
    centres, strides = [], []
    for stride in STRIDES:
        xs = (torch.arange(input_wh[0] // stride) + 0.5) * stride
        ys = (torch.arange(input_wh[1] // stride) + 0.5) * stride
        grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
        cells = torch.stack([grid_x.flatten(), grid_y.flatten()], 1)
        centres.append(cells)
        strides.append(torch.full((len(cells), 1), float(stride)))
    return torch.cat(centres), torch.cat(strides)


def parameter_count(module: nn.Module) -> int:
    """Number of trained values."""
    return sum(parameter.numel() for parameter in module.parameters())
