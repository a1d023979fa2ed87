"""What a user would write today: one FastAPI endpoint with its thread pool, a plain ONNX export, boxes as JSON.

``--runtime onnxruntime`` is ONNX Runtime in FP32 with its default session options; ``--runtime openvino`` is the same
endpoint with OpenVINO, bf16 where the CPU computes in it, and a pool of one-thread inference requests.
"""

import argparse
import json
import os
import queue
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import uvicorn
from fastapi import Body, FastAPI, HTTPException
from numpy.typing import NDArray

Array = NDArray[np.float32]
Runtime = Callable[[Array], Array]

SCORE_THRESHOLD = 0.25
IOU_THRESHOLD = 0.5
PAD_VALUE = 114


def onnxruntime_runtime(path: Path) -> Runtime:
    import onnxruntime as ort  # noqa: PLC0415 - the other endpoint does not need it

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: Array) -> Array:
        predictions: Array = session.run(None, {name: images})[0]
        return predictions

    return run


def openvino_runtime(path: Path, input_shape: Sequence[int]) -> Runtime:
    import openvino as ov  # noqa: PLC0415 - the other endpoint does not need it

    core = ov.Core()
    model = core.read_model(path)
    model.reshape(list(input_shape))
    cores = os.cpu_count() or 1
    bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    compiled = core.compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": cores,
            "INFERENCE_NUM_THREADS": cores,
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        },
    )
    pool: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for _ in range(cores):
        pool.put(compiled.create_infer_request())

    def run(images: Array) -> Array:
        request = pool.get()
        try:
            predictions: Array = request.infer({0: images}, share_inputs=True)[0]
            return predictions
        finally:
            pool.put(request)

    return run


def letterbox(frame: NDArray[np.uint8], width: int, height: int, pixel_scale: float) -> tuple[Array, float, int, int]:
    """A BGR frame as FP32 [1,3,H,W] RGB, pixels times ``pixel_scale``, with the scale of the frame and offsets."""
    scale = min(width / frame.shape[1], height / frame.shape[0])
    new_width, new_height = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
    left, top = (width - new_width) // 2, (height - new_height) // 2
    canvas = np.full((height, width, 3), PAD_VALUE, np.uint8)
    canvas[top : top + new_height, left : left + new_width] = cv2.resize(frame, (new_width, new_height))
    blob: Any = cv2.dnn.blobFromImage(canvas, pixel_scale, swapRB=True)
    return blob, scale, left, top


def detections_of(predictions: Array) -> tuple[Array, Array, NDArray[np.intp]]:
    """Boxes x1,y1,x2,y2 in input pixels, scores and classes of [4+C,A] predictions, after class-aware NMS."""
    class_scores = predictions[4:]
    best = class_scores.max(axis=0)
    likely = best > SCORE_THRESHOLD
    scores, classes = best[likely], class_scores[:, likely].argmax(axis=0)
    cx, cy, w, h = predictions[:4, likely]
    boxes = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], axis=1)
    kept = non_maximum_suppression(boxes, scores, classes)
    return boxes[kept], scores[kept], classes[kept]


def non_maximum_suppression(boxes: Array, scores: Array, classes: NDArray[np.intp]) -> list[int]:
    # classes are moved apart, so that boxes of different ones do not overlap
    shifted: Array = boxes + (classes * 8192.0).astype(np.float32)[:, None]
    x1, y1, x2, y2 = shifted.T
    areas = (x2 - x1) * (y2 - y1)
    order = scores.argsort()[::-1]
    kept = []
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(int(first))
        width = np.clip(np.minimum(x2[first], x2[rest]) - np.maximum(x1[first], x1[rest]), 0, None)
        height = np.clip(np.minimum(y2[first], y2[rest]) - np.maximum(y1[first], y1[rest]), 0, None)
        overlap = width * height
        order = rest[overlap <= IOU_THRESHOLD * (areas[first] + areas[rest] - overlap)]
    return kept


def build_app(runtime: Runtime, labels: Sequence[str], width: int, height: int, pixel_scale: float) -> FastAPI:
    app = FastAPI()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/detect")
    def detect(body: Annotated[bytes, Body(media_type="application/octet-stream")]) -> list[dict[str, Any]]:
        frame: Any = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
        if frame is None:
            raise HTTPException(400, "not a picture")
        images, scale, left, top = letterbox(frame, width, height, pixel_scale)
        boxes, scores, classes = detections_of(runtime(images)[0])
        boxes = (boxes - np.array([left, top, left, top], np.float32)) / np.float32(scale)
        return [
            {"label": labels[index], "score": score, "box": box}
            for box, score, index in zip(boxes.tolist(), scores.tolist(), classes.tolist(), strict=True)
        ]

    return app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_endpoint", description=__doc__)
    parser.add_argument("--onnx", type=Path, required=True, help="plain export: FP32 [N,3,H,W] to [N,4+C,A]")
    parser.add_argument("--card", type=Path, required=True, help="card.json of the same model: labels and input size")
    parser.add_argument("--runtime", choices=("onnxruntime", "openvino"), default="onnxruntime")
    parser.add_argument("--pixel-scale", type=float, default=1 / 255, help="what pixels are multiplied with")
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    card = json.loads(args.card.read_text())
    width, height = card["input"]["width"], card["input"]["height"]
    runtime = (
        openvino_runtime(args.onnx, (1, 3, height, width))
        if args.runtime == "openvino"
        else onnxruntime_runtime(args.onnx)
    )
    runtime(np.zeros((1, 3, height, width), np.float32))
    app = build_app(runtime, card["labels"], width, height, args.pixel_scale)
    uvicorn.run(app, host="127.0.0.1", port=args.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
