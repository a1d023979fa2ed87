"""Sizes of the two demo detectors.

Widths are multiples of 16: with others, convolutions in bf16 on CPUs run several times slower.
"""

from dataclasses import dataclass

STRIDES = (8, 16, 32)
INPUT_WIDTH = 416
INPUT_HEIGHT = 320


@dataclass(frozen=True)
class NetworkSettings:
    """What a detector is built from.

    Attributes:
        name: the word on the command line.
        channels: widths of the stem and of the stages at strides 4, 8, 16 and 32.
        depths: bottlenecks of the stages at strides 4, 8, 16 and 32.
        neck_channels: width of the pyramid at strides 8, 16 and 32.
        head_channels: width of the two branches of the head.
        head_depth: 3x3 layers of each branch.
        activation: `relu` is fused into the convolution by every CPU runtime; `silu` learns a little better.
    """

    name: str
    channels: tuple[int, int, int, int, int]
    depths: tuple[int, int, int, int]
    neck_channels: tuple[int, int, int]
    head_channels: int
    head_depth: int
    activation: str


TEACHER = NetworkSettings(
    name="teacher",
    channels=(16, 32, 64, 128, 256),
    depths=(1, 2, 2, 1),
    neck_channels=(64, 128, 128),
    head_channels=64,
    head_depth=2,
    activation="silu",
)
STUDENT = NetworkSettings(
    name="student",
    channels=(16, 16, 32, 64, 64),
    depths=(1, 1, 1, 1),
    neck_channels=(32, 32, 64),
    head_channels=32,
    head_depth=2,
    activation="relu",
)
NETWORKS = {settings.name: settings for settings in (TEACHER, STUDENT)}
