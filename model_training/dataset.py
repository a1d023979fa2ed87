"""Renders a split of synthetic frames with a pool of processes, through JPEG and the serving preparation."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from model_training.file_lock import file_lock
from model_training.frame_cache import FrameCache, cache_paths, open_cache
from model_training.frame_distribution import SPLIT_SEEDS
from model_training.frame_generator import generate_frame
from model_training.network_settings import INPUT_HEIGHT, INPUT_WIDTH
from model_training.rendering_pool import rendering_pool
from vision.prepare import prepare_frame

CHUNK = 16


@dataclass(frozen=True)
class RenderedChunk:
    """Labels of a few neighbouring frames, whose pictures are in the cache file already."""

    boxes_xyxy: list[NDArray[np.float32]]
    classes: list[NDArray[np.int64]]
    placements: list[tuple[float, float, float, float]]
    hard: list[bool]


def render_split(split: str, count: int, folder: Path, *, processes: int | None = None) -> FrameCache:
    """Return the first `count` frames of a split, rendering them unless the cache has them.

    Where another process renders the same ones, it waits and takes those.

    Args:
        split: a key of `SPLIT_SEEDS`.
        count: number of frames.
        folder: where the cache lives.
        processes: size of the pool; as many as the machine has cores when None.

    Raises:
        KeyError: no such split.
    """
    seed = SPLIT_SEEDS[split]
    images_path, labels_path = cache_paths(folder, split, seed, count)
    if not labels_path.exists():
        with file_lock(labels_path.with_suffix(".lock"), wait=True):
            if not labels_path.exists():
                _write_labels(_render_all(split, seed, count, images_path, processes), labels_path)
    return open_cache(images_path, labels_path)


def render_prepared(
    seed: int, index: int, out: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[float, float, float, float], bool]:
    """Render one frame, encode it, and prepare it as serving does, into `out` (320, 416, 3) RGB.

    Returns:
        Boxes (K, 4) in input pixels, classes (K,), the placement (scale x, scale y, offset x, offset y), planned hard.
    """
    frame = generate_frame(seed, index)
    placement = prepare_frame(frame.jpeg(), input_wh=(INPUT_WIDTH, INPUT_HEIGHT), out=out).placement
    scale = np.array([placement.scale_x, placement.scale_y] * 2, np.float32)
    offset = np.array([placement.offset_x, placement.offset_y] * 2, np.float32)
    boxes = np.array([label.box_xyxy for label in frame.labels], np.float32).reshape(-1, 4) * scale + offset
    classes = np.array([label.class_index for label in frame.labels], np.int64)
    places = (float(scale[0]), float(scale[1]), float(offset[0]), float(offset[1]))
    return boxes, classes, places, frame.plan.hard_kind is not None


def _render_all(split: str, seed: int, count: int, images_path: Path, processes: int | None) -> list[RenderedChunk]:
    shape = (count, INPUT_HEIGHT, INPUT_WIDTH, 3)
    # Untyped in numpy 1, typed in numpy 2.
    open_memmap: Callable[..., np.memmap[Any, np.dtype[np.uint8]]] = np.lib.format.open_memmap
    open_memmap(images_path, mode="w+", dtype=np.uint8, shape=shape).flush()
    starts = range(0, count, CHUNK)
    chunks = []
    with rendering_pool(processes) as pool, Progress() as progress:
        task = progress.add_task(f"render {split}", total=count)
        jobs = [pool.submit(_render_chunk, images_path, seed, start, min(start + CHUNK, count)) for start in starts]
        for job in jobs:
            chunk = job.result()
            chunks.append(chunk)
            progress.advance(task, len(chunk.boxes_xyxy))
    return chunks


def _render_chunk(images_path: Path, seed: int, start: int, stop: int) -> RenderedChunk:
    images = np.load(images_path, mmap_mode="r+")
    chunk = RenderedChunk([], [], [], [])
    for index in range(start, stop):
        boxes, classes, placement, hard = render_prepared(seed, index, images[index])
        chunk.boxes_xyxy.append(boxes)
        chunk.classes.append(classes)
        chunk.placements.append(placement)
        chunk.hard.append(hard)
    images.flush()
    return chunk


def _write_labels(chunks: list[RenderedChunk], labels_path: Path) -> None:
    """The label file appears last and at once: its presence says that the pictures are complete."""
    boxes = [row for chunk in chunks for row in chunk.boxes_xyxy]
    temporary = labels_path.with_suffix(".tmp.npz")
    np.savez(
        temporary,
        boxes_xyxy=np.concatenate(boxes),
        classes=np.concatenate([row for chunk in chunks for row in chunk.classes]),
        starts=np.cumsum([0, *(len(row) for row in boxes)]),
        placements=np.array([row for chunk in chunks for row in chunk.placements]),
        hard=np.array([row for chunk in chunks for row in chunk.hard]),
    )
    temporary.replace(labels_path)
