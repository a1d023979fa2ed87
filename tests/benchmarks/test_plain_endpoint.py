"""The bare endpoint does its work as well as a competent user would make it."""

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.plain_endpoint import build_app, detections_of, letterbox, non_maximum_suppression
from tests.fakes.pictures import jpeg

Array = NDArray[np.float32]


def test_letterbox_centres_the_frame_and_swaps_the_colours() -> None:
    frame = np.zeros((100, 200, 3), np.uint8)
    frame[..., 0] = 255  # blue

    images, scale, left, top = letterbox(frame, 64, 64, 1 / 255)

    assert images.shape == (1, 3, 64, 64)
    assert images.dtype == np.float32
    assert scale == pytest.approx(0.32)
    assert (left, top) == (0, 16)
    assert images[0, :, 32, 32].tolist() == pytest.approx([0.0, 0.0, 1.0])
    assert images[0, :, 0, 0].tolist() == pytest.approx([114 / 255] * 3)


def test_suppression_keeps_the_best_of_each_class() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.8, 0.9, 0.7, 0.5], np.float32)

    assert non_maximum_suppression(boxes, scores, np.array([0, 0, 1, 0])) == [1, 2, 3]
    assert non_maximum_suppression(boxes[:0], scores[:0], np.array([], np.intp)) == []


def test_predictions_become_boxes() -> None:
    predictions = np.zeros((4 + 2, 3), np.float32)
    predictions[:4, 1] = [20, 30, 10, 20]
    predictions[4:, 1] = [0.1, 0.9]
    predictions[4:, 2] = [0.2, 0.1]  # below the threshold

    boxes, scores, classes = detections_of(predictions)

    assert boxes.tolist() == [[15, 20, 25, 40]]
    assert scores.tolist() == pytest.approx([0.9])
    assert classes.tolist() == [1]


async def test_a_frame_is_answered_in_its_own_pixels() -> None:
    def runtime(images: Array) -> Array:
        assert images.shape == (1, 3, 64, 64)
        predictions = np.zeros((1, 4 + 2, 1), np.float32)
        predictions[0, :, 0] = [32, 32, 16, 8, 0.1, 0.8]
        return predictions

    transport = httpx.ASGITransport(build_app(runtime, ["scratch", "pit"], 64, 64, 1 / 255))
    async with httpx.AsyncClient(transport=transport, base_url="http://endpoint") as client:
        headers = {"Content-Type": "application/octet-stream"}
        good = await client.post("/detect", content=jpeg(128, 96), headers=headers)
        bad = await client.post("/detect", content=b"not a picture", headers=headers)

    assert good.json() == [{"label": "pit", "score": pytest.approx(0.8), "box": [48.0, 40.0, 80.0, 56.0]}]
    assert bad.status_code == 400
