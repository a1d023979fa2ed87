"""A rendered split on disk: model-sized pictures in one memory-mapped array, labels beside it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_training.frame_distribution import DISTRIBUTION, FRAME_HEIGHT, FRAME_WIDTH, GENERATOR_VERSION, SIZES


@dataclass(frozen=True)
class FrameCache:
    """A split, ready for training.

    Attributes:
        images: (N, 320, 416, 3) RGB uint8, memory-mapped.
        boxes_xyxy: (M, 4) float32 in input pixels, all frames after one another.
        classes: (M,) int64.
        starts: (N + 1,) frame i owns the rows starts[i]:starts[i+1].
        placements: (N, 4) scale x, scale y, offset x, offset y from frame pixels to input pixels.
        hard: (N,) whether the frame was planned hard.
    """

    images: NDArray[np.uint8]
    boxes_xyxy: NDArray[np.float32]
    classes: NDArray[np.int64]
    starts: NDArray[np.int64]
    placements: NDArray[np.float64]
    hard: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.images)

    def labels_of(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Boxes (K, 4) in input pixels and classes (K,) of one frame."""
        rows = slice(int(self.starts[index]), int(self.starts[index + 1]))
        return self.boxes_xyxy[rows], self.classes[rows]

    def first(self, count: int) -> "FrameCache":
        """Its first frames alone."""
        rows = int(self.starts[count])
        return FrameCache(
            images=self.images[:count],
            boxes_xyxy=self.boxes_xyxy[:rows],
            classes=self.classes[:rows],
            starts=self.starts[: count + 1],
            placements=self.placements[:count],
            hard=self.hard[:count],
        )


def data_set_hash(seed: int, count: int) -> str:
    """Names a set of frames: generator version, all constants of the distribution, seed and number of frames."""
    facts = {
        "generator": GENERATOR_VERSION,
        "frame": [FRAME_WIDTH, FRAME_HEIGHT],
        "distribution": asdict(DISTRIBUTION),
        "sizes": {name: asdict(sizes) for name, sizes in SIZES.items()},
        "seed": seed,
        "count": count,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def cache_paths(folder: Path, split: str, seed: int, count: int) -> tuple[Path, Path]:
    """Files of one split: pictures (.npy) and labels (.npz)."""
    stem = f"{split}-{count}-{data_set_hash(seed, count)[:12]}"
    return folder / f"{stem}.npy", folder / f"{stem}.npz"


def open_cache(images_path: Path, labels_path: Path) -> FrameCache:
    """Open a rendered split without reading its pictures.

    Raises:
        FileNotFoundError: it was not rendered yet.
    """
    with np.load(labels_path) as labels:
        return FrameCache(
            images=np.load(images_path, mmap_mode="r"),
            boxes_xyxy=labels["boxes_xyxy"],
            classes=labels["classes"],
            starts=labels["starts"],
            placements=labels["placements"],
            hard=labels["hard"],
        )
