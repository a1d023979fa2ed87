"""Results as JSON for people. Pure."""

from gateway.messages import (
    CascadeTrace,
    ClassificationResult,
    DetectionResult,
    FrameClasses,
    FrameDetections,
    StageTimes,
)

_SCORE_DIGITS = 5


def detections_to_json(result: DetectionResult, request_id: str) -> dict[str, object]:
    """Boxes in pixels of the frame as displayed; of a cascade also what ran on each frame, and the verdict."""
    frames = [_detections(frame, result.labels) for frame in result.frames]
    if result.cascade is not None:
        frames = [frame | _trace(result.cascade, index) for index, frame in enumerate(frames)]
    return _whole(result, request_id, frames)


def classes_to_json(result: ClassificationResult, request_id: str, top_k: int) -> dict[str, object]:
    """The best class of each frame, and the ``top_k`` best."""
    return _whole(result, request_id, [_classes(frame, result.labels, top_k) for frame in result.frames])


def _whole(
    result: DetectionResult | ClassificationResult, request_id: str, frames: list[dict[str, object]]
) -> dict[str, object]:
    return {
        "model": result.alias,
        "build": result.build,
        "reason": result.reason,
        "request_id": request_id,
        "frames": frames,
    }


def _detections(frame: FrameDetections, labels: tuple[str, ...]) -> dict[str, object]:
    rows = zip(frame.boxes_xyxy.tolist(), frame.scores.tolist(), frame.classes.tolist(), strict=True)
    return {
        "width": frame.frame_width,
        "height": frame.frame_height,
        "detections": [
            {
                "label": labels[index],
                "class": index,
                "score": round(score, _SCORE_DIGITS),
                "box": [round(edge, 2) for edge in box],
            }
            for box, score, index in rows
        ],
        "stage_ms": _stage_ms(frame.times),
    }


def _trace(trace: CascadeTrace, index: int) -> dict[str, object]:
    verdict = trace.verdicts[index]
    return {
        "executed": list(trace.aliases_of(index)),
        "verdict": {"label": trace.labels[verdict.best], "score": round(verdict.score, _SCORE_DIGITS)},
    }


def _classes(frame: FrameClasses, labels: tuple[str, ...], top_k: int) -> dict[str, object]:
    return {
        "width": frame.frame_width,
        "height": frame.frame_height,
        "label": labels[frame.best],
        "score": round(frame.score, _SCORE_DIGITS),
        "confident": frame.confident,
        "top": [
            {"label": labels[index], "class": index, "score": round(float(frame.probabilities[index]), _SCORE_DIGITS)}
            for index in frame.order[:top_k].tolist()
        ],
        "stage_ms": _stage_ms(frame.times),
    }


def _stage_ms(times: StageTimes) -> dict[str, float]:
    stages = {
        "queue": times.queue,
        "decode": times.decode,
        "letterbox": times.letterbox,
        "infer": times.infer,
        "postprocess": times.postprocess,
    }
    return {name: round(seconds * 1e3, 3) for name, seconds in stages.items()}
