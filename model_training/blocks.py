"""Building blocks of the detector."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_training.network_settings import NetworkSettings


class ConvBlock(nn.Module):
    """Convolution, batch normalisation, activation; `same` padding for odd kernels."""

    def __init__(self, inputs: int, outputs: int, kernel: int, activation: str, *, stride: int = 1) -> None:
        """Build the block; `activation` is `relu` or `silu`."""
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)
        self.act: nn.Module = nn.SiLU(inplace=True) if activation == "silu" else nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/stride, W/stride)."""
        return self.act(self.norm(self.conv(features)))  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """Two 3x3 convolutions with a residual connection."""

    def __init__(self, channels: int, activation: str) -> None:
        """Build for `channels` in and out."""
        super().__init__()
        self.first = ConvBlock(channels, channels, 3, activation)
        self.second = ConvBlock(channels, channels, 3, activation)

    def forward(self, features: Tensor) -> Tensor:
        """Shape stays."""
        return features + self.second(self.first(features))  # type: ignore[no-any-return]


class CrossStage(nn.Module):
    """Cross-stage partial block (CSPNet, Wang et al. 2020): half of the channels go around the bottlenecks."""

    def __init__(self, inputs: int, outputs: int, depth: int, activation: str) -> None:
        """Build with `depth` bottlenecks."""
        super().__init__()
        half = outputs // 2
        self.around = ConvBlock(inputs, half, 1, activation)
        self.through = ConvBlock(inputs, half, 1, activation)
        self.blocks = nn.Sequential(*(Bottleneck(half, activation) for _ in range(depth)))
        self.join = ConvBlock(2 * half, outputs, 1, activation)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return self.join(torch.cat([self.around(features), self.blocks(self.through(features))], 1))  # type: ignore[no-any-return]


class PooledContext(nn.Module):
    """Stacked max pooling (SPP, He et al. 2014): widens the receptive field at the smallest scale."""

    def __init__(self, channels: int, activation: str) -> None:
        """Build for `channels` in and out."""
        super().__init__()
        self.reduce = ConvBlock(channels, channels // 2, 1, activation)
        self.expand = ConvBlock(channels // 2 * 4, channels, 1, activation)

    def forward(self, features: Tensor) -> Tensor:
        """Shape stays."""
        scales = [self.reduce(features)]
        for _ in range(3):
            scales.append(functional.max_pool2d(scales[-1], 5, 1, 2))
        return self.expand(torch.cat(scales, 1))  # type: ignore[no-any-return]


class HeadBranch(nn.Module):
    """One branch of the head on one stride: 3x3 layers and a 1x1 prediction."""

    def __init__(self, inputs: int, settings: NetworkSettings, outputs: int) -> None:
        """Build for `outputs` values a cell."""
        super().__init__()
        width = settings.head_channels
        sources = [inputs] + [width] * (settings.head_depth - 1)
        self.layers = nn.Sequential(*(ConvBlock(source, width, 3, settings.activation) for source in sources))
        self.predict = nn.Conv2d(width, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return self.predict(self.layers(features))  # type: ignore[no-any-return]
