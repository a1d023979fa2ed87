"""Exports as a user of another tool has them, with frames that they answer rightly: red and green squares on grey."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray

from tests.model_compiler.proposal.exports import Network, network

SIDE, CELL = 64, 16
LABELS = ("red", "green")
COLORS_BGR = ((40, 40, 220), (40, 220, 40))
FRAMES_OF_EACH = 6


def detector() -> onnx.ModelProto:
    """The form of YOLOv8, [1,6,16]: a box in each cell of 16 pixels whose score tells how red or green the cell is."""
    net = network()
    scores = net.add("Sigmoid", net.add("Reshape", _redness_and_greenness(net, CELL // 2), net.integers(1, 2, -1)))
    centres = np.arange(CELL / 2, SIDE, CELL)
    x, y = (axis.ravel() for axis in np.meshgrid(centres, centres))
    sides = np.full_like(x, CELL)
    boxes = net.weight(np.stack([x, y, sides, sides])[np.newaxis].astype(np.float32))
    return net.model({"output0": (net.add("Concat", boxes, scores, axis=1), [1, 6, x.size])}, size=[1, 3, SIDE, SIDE])


def classifier() -> onnx.ModelProto:
    """Logits [1,2]: whether the frame is redder or greener."""
    net = network()
    pooled = net.add("GlobalMaxPool", _redness_and_greenness(net, CELL // 2))
    logits = net.add("Gemm", net.add("Flatten", pooled), net.weight(np.eye(2, dtype=np.float32)))
    return net.model({"logits": (logits, [1, 2])}, size=[1, 3, SIDE, SIDE])


def _redness_and_greenness(net: Network, stride: int) -> str:
    """Two maps of logits, one value for each cell: about 5 in a cell of the colour and -5 elsewhere."""
    differences = np.array([[1, -1, 0], [-1, 1, 0]], np.float32).reshape(2, 3, 1, 1)
    halved = np.zeros((2, 3, 2, 2), np.float32) + differences / 4
    colours = net.add("Relu", net.add("Conv", "images", net.weight(halved), strides=[2, 2]))
    mean = np.eye(2, dtype=np.float32).reshape(2, 2, 1, 1) * np.ones((1, 1, stride, stride), np.float32) / stride**2
    factor, bias = np.float32(14.0), np.full(2, -5.0, np.float32)
    return net.add("Conv", colours, net.weight(mean * factor), net.weight(bias), strides=[stride, stride])


def write_frames(folder: Path) -> None:
    """Unlabelled frames, no two equal, each with one square in a cell."""
    folder.mkdir(parents=True)
    for index in range(2 * FRAMES_OF_EACH):
        _write(folder / f"{index:02}.png", index)


def write_coco_frames(folder: Path) -> None:
    """The same with ``labels.coco.json``."""
    write_frames(folder)
    count = 2 * FRAMES_OF_EACH
    images = [{"id": index, "file_name": f"{index:02}.png", "width": SIDE, "height": SIDE} for index in range(count)]
    boxes = [
        {"id": index, "image_id": index, "category_id": index % 2, "bbox": [*_corner(index), CELL, CELL]}
        for index in range(count)
    ]
    categories = [{"id": index, "name": name} for index, name in enumerate(LABELS)]
    content = {"images": images, "annotations": boxes, "categories": categories}
    (folder / "labels.coco.json").write_text(json.dumps(content))


def write_labelled_folders(folder: Path, names: Sequence[str] = LABELS) -> None:
    """The same in one sub-folder for each label."""
    for name in names:
        (folder / name).mkdir(parents=True)
    for index in range(2 * FRAMES_OF_EACH):
        _write(folder / names[index % 2] / f"{index:02}.png", index)


def _corner(index: int) -> tuple[int, int]:
    return index % 4 * CELL, index // 4 % 4 * CELL


def _write(path: Path, index: int) -> None:
    pixels: NDArray[np.uint8] = np.random.default_rng(index).integers(100, 130, (SIDE, SIDE, 3), dtype=np.uint8)
    x, y = _corner(index)
    pixels[y : y + CELL, x : x + CELL] = COLORS_BGR[index % 2]
    assert cv2.imwrite(str(path), pixels)
