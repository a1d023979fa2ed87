"""HTTP for people: a picture in, JSON or the picture with boxes drawn out."""

import asyncio
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.alias_metadata import answering_build
from gateway.catalogue import Catalogue
from gateway.errors import BadRequest, InvalidFrame, UnknownModel
from gateway.http_api.codec import write_json
from gateway.http_api.exchange import DisconnectWatch, Exchange, exchange_of, request_body
from gateway.http_api.multipart import parts_named, read_form
from gateway.http_api.ports import HttpPorts
from gateway.http_api.rendering import render_jpeg
from gateway.inference import MAX_FRAMES_PER_REQUEST
from gateway.messages import DetectionResult, FrameDetections, StageTimes
from vision.errors import ImageError

FORM_FIELD = "image"
_RENDERINGS_AT_ONCE = 2  # each holds a whole decoded frame
_MAX_QUERY_FIELDS = 16
_FLAGS = {"": False, "0": False, "false": False, "1": True, "true": True}
_ENDPOINTS = {
    "detect": "POST /v1/models/{alias}/detect with the picture as body, or as form field 'image';"
    " ?threshold=0.5, ?render=1",
    "deepstack": "POST /v1/vision/detection, /v1/vision/custom/{alias} with form field 'image'",
    "models": "GET /v1/models",
    "infer": "POST /v2/models/{alias}/infer (Open Inference Protocol, as Triton speaks it)",
    "metadata": "GET /v2, /v2/models/{alias}, /v2/models/{alias}/config, /v2/models/{alias}/stats",
    "health": "GET /v2/health/live, /v2/health/ready, /v2/models/{alias}/ready",
}
_WELCOME = write_json({"name": "outpost", "endpoints": _ENDPOINTS})


class DetectRoutes:
    """Everything below ``/v1``, and ``/``.

    Args:
        ports: Collaborators.
    """

    def __init__(self, ports: HttpPorts) -> None:
        self._ports = ports
        self._renderings = asyncio.Semaphore(_RENDERINGS_AT_ONCE)

    def routes(self) -> list[Route]:
        """The routes of this module."""
        return [
            Route("/v1/models/{model}/detect", self.detect, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/", self.welcome, methods=["GET"]),
        ]

    async def welcome(self, _request: Request) -> Response:
        """Where to go."""
        return Response(_WELCOME, media_type="application/json")

    async def models(self, _request: Request) -> Response:
        """The aliases with what they can find."""
        catalogue = self._ports.catalogue()
        content = {"models": [_describe(alias, catalogue) for alias in catalogue.aliases]}
        return Response(write_json(content), media_type="application/json")

    async def detect(self, request: Request) -> Response:
        """Detections in one or several pictures."""
        ports, exchange = self._ports, exchange_of(request)
        alias = request.path_params["model"]
        exchange.model = ports.model_label(alias)
        require_alias(alias, ports.catalogue())
        threshold, render = _read_query(request.scope["query_string"])
        frames = _frames(await request_body(request, ports.limits), exchange.header(b"content-type"))
        if render and len(frames) != 1:
            raise BadRequest("render", "one picture", f"{len(frames)}")
        read_at = ports.clock()
        with DisconnectWatch(request.receive):
            result = await ports.inference.detect(
                alias, frames, deadline_at=None, key=exchange.request_id, threshold=threshold
            )
            exchange.build = result.build
            detected_at = ports.clock()
            response = await self._respond(result, frames, exchange, render=render)
        stage = ports.metrics.stage_seconds
        stage.labels(exchange.model, "read").observe(read_at - exchange.began_at)
        stage.labels(exchange.model, "encode").observe(ports.clock() - detected_at)
        return response

    async def _respond(
        self, result: DetectionResult, frames: list[bytes], exchange: Exchange, *, render: bool
    ) -> Response:
        if not render:
            body = write_json(detections_to_json(result, exchange.request_id))
            return Response(body, media_type="application/json")
        found = result.frames[0]
        async with self._renderings:
            try:
                picture = await asyncio.to_thread(
                    render_jpeg, frames[0], found, result.labels, self._ports.limits.max_pixels
                )
            except ImageError as error:
                raise InvalidFrame(0, 1, str(error)) from error
        headers = {"Outpost-Build": result.build, "Outpost-Detections": str(len(found.scores))}
        return Response(picture, headers=headers, media_type="image/jpeg")


def detections_to_json(result: DetectionResult, request_id: str) -> dict[str, object]:
    """A result for people; boxes in pixels of the frame as displayed, scores rounded to five digits."""
    return {
        "model": result.alias,
        "build": result.build,
        "reason": result.reason,
        "request_id": request_id,
        "frames": [_frame_to_json(frame, result.labels) for frame in result.frames],
    }


def _frame_to_json(frame: FrameDetections, labels: tuple[str, ...]) -> dict[str, object]:
    rows = zip(frame.boxes_xyxy.tolist(), frame.scores.tolist(), frame.classes.tolist(), strict=True)
    return {
        "width": frame.frame_width,
        "height": frame.frame_height,
        "detections": [
            {
                "label": labels[index],
                "class": index,
                "score": round(score, 5),
                "box": [round(edge, 2) for edge in box],
            }
            for box, score, index in rows
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


def _describe(alias: str, catalogue: Catalogue) -> dict[str, object]:
    build = answering_build(alias, catalogue)
    card = None if build is None else build.card
    ready = catalogue.alias_is_ready(alias)
    described: dict[str, object] = {"name": alias, "ready": ready, "build": None if build is None else build.name}
    if not ready:
        described["reason"] = catalogue.not_ready_reason(catalogue.aliases[alias].stable)
    if card is not None:
        described |= {
            "labels": card.labels,
            "input": {"width": card.input.width, "height": card.input.height},
            "threshold": card.thresholds.default,
        }
    return described


def require_alias(name: str, catalogue: Catalogue) -> None:
    """Refuse what does not take pictures.

    Raises:
        UnknownModel: With the aliases that there are.
    """
    if not catalogue.is_alias(name):
        raise UnknownModel(name, tuple(catalogue.aliases))


def _read_query(query: bytes) -> tuple[float | None, bool]:
    if not query:
        return None, False
    try:
        values = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError as error:
        raise BadRequest("query", f"at most {_MAX_QUERY_FIELDS} parameters", "more") from error
    render = values.get("render", [""])[-1].lower()
    if render not in _FLAGS:
        raise BadRequest("render", "1 or 0", repr(render)[:40])
    given = values.get("threshold")
    return None if given is None else parse_threshold("threshold", given[-1]), _FLAGS[render]


def parse_threshold(name: str, text: str) -> float:
    """A score that a caller gives as text.

    Raises:
        BadRequest: Not a number from 0 to 1.
    """
    try:
        threshold = float(text)
    except ValueError:
        threshold = -1.0
    if not 0.0 <= threshold <= 1.0:
        raise BadRequest(name, "a number from 0 to 1", repr(text)[:40])
    return threshold


def _frames(body: bytes, content_type: str | None) -> list[bytes]:
    if content_type is None or not content_type.lower().startswith("multipart/"):
        if not body:
            raise BadRequest("body", f"a picture, or a form with a part named '{FORM_FIELD}'", "0 bytes")
        return [body]
    frames = parts_named(FORM_FIELD, read_form(body, content_type))
    if len(frames) > MAX_FRAMES_PER_REQUEST:
        raise BadRequest("body", f"at most {MAX_FRAMES_PER_REQUEST} pictures", f"{len(frames)}")
    return frames
