"""Batches: shuffled by (seed, epoch), augmented, prefetched by one thread."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_training.augment import augment_frame
from model_training.frame_cache import FrameCache


@dataclass(frozen=True)
class Batch:
    """Pictures and padded labels.

    Attributes:
        images: (N, 3, H, W) uint8 RGB, channels last in memory.
        boxes_xyxy: (N, M, 4) in input pixels; M is the largest count in the batch.
        classes: (N, M) int64.
        valid: (N, M) bool, False for padding.
    """

    images: Tensor
    boxes_xyxy: Tensor
    classes: Tensor
    valid: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device."""
        return Batch(*(part.to(device) for part in (self.images, self.boxes_xyxy, self.classes, self.valid)))


def plain_batches(cache: FrameCache, *, batch_size: int) -> Iterator[Batch]:
    """Yield all frames in order, as they are; the last batch may be shorter."""
    order = np.arange(len(cache))
    groups = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    yield from _prefetched(groups, lambda group: _collect(cache, group, None))


def training_groups(
    cache: FrameCache, *, batch_size: int, clean_share: float, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """Choose and shuffle the frames of one epoch.

    Args:
        cache: the split.
        batch_size: frames a batch; what is left over waits for another epoch.
        clean_share: share of the frames without defects that takes part, others each time.
        seed: seed of the order.
        epoch: number of the epoch.

    Returns:
        Frame indices of each batch.
    """
    rng = np.random.default_rng([seed, epoch])
    clean = cache.starts[1:] == cache.starts[:-1]
    order = rng.permutation(len(cache))
    if clean_share < 1.0:
        order = order[~clean[order] | (rng.random(len(order)) < clean_share)]
    whole = max(1, len(order) // batch_size)
    return [order[number * batch_size : (number + 1) * batch_size] for number in range(whole)]


def training_batches(cache: FrameCache, groups: list[NDArray[np.int64]], *, seed: int, epoch: int) -> Iterator[Batch]:
    """Yield augmented batches of the chosen frames; equal arguments give equal batches."""
    yield from _prefetched(groups, lambda group: _collect(cache, group, (seed, epoch)))


def _prefetched(groups: list[NDArray[np.int64]], collect: Callable[[NDArray[np.int64]], Batch]) -> Iterator[Batch]:
    with ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(collect, group) for group in groups[:3]]
        for position in range(len(groups)):
            batch = pending.pop(0).result()
            if position + 3 < len(groups):
                pending.append(pool.submit(collect, groups[position + 3]))
            yield batch


def _collect(cache: FrameCache, indices: NDArray[np.int64], augmentation: tuple[int, int] | None) -> Batch:
    images = np.empty((len(indices), *cache.images.shape[1:]), np.uint8)
    labels = []
    for row, index in enumerate(indices):
        image, (boxes, classes) = cache.images[index], cache.labels_of(int(index))
        if augmentation is not None:
            rng = np.random.default_rng([*augmentation, int(index)])
            image, boxes, classes = augment_frame(np.asarray(image), boxes, classes, rng)
        images[row] = image
        labels.append((boxes, classes))
    return _padded(images, labels)


def _padded(images: NDArray[np.uint8], labels: list[tuple[NDArray[np.float32], NDArray[np.int64]]]) -> Batch:
    most = max(len(classes) for _, classes in labels)
    boxes = torch.zeros(len(labels), most, 4)
    classes = torch.zeros(len(labels), most, dtype=torch.int64)
    valid = torch.zeros(len(labels), most, dtype=torch.bool)
    for row, (frame_boxes, frame_classes) in enumerate(labels):
        boxes[row, : len(frame_boxes)] = torch.from_numpy(frame_boxes)
        classes[row, : len(frame_classes)] = torch.from_numpy(frame_classes)
        valid[row, : len(frame_classes)] = True
    return Batch(torch.from_numpy(images).permute(0, 3, 1, 2), boxes, classes, valid)
