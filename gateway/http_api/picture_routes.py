"""HTTP for people: a picture in, JSON or the picture with boxes or its class drawn out."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.alias_metadata import answering_build
from gateway.catalogue import Catalogue
from gateway.errors import InvalidFrame, UnknownModel
from gateway.http_api.codec import write_json
from gateway.http_api.exchange import DisconnectWatch, Exchange, exchange_of, request_body
from gateway.http_api.picture_request import PictureQuery, frames_of_body, read_query
from gateway.http_api.ports import HttpPorts
from gateway.http_api.rendering import render_jpeg
from gateway.http_api.result_json import classes_to_json, detections_to_json
from gateway.messages import ClassificationResult, DetectionResult
from vision.errors import ImageError

PictureResult = DetectionResult | ClassificationResult
_RENDERINGS_AT_ONCE = 2  # each holds a whole decoded frame
_ENDPOINTS = {
    "detect": "POST /v1/models/{alias}/detect with the picture as body, or as form field 'image';"
    " ?threshold=0.5, ?timeout=0.5 (seconds), ?render=1",
    "classify": "POST /v1/models/{alias}/classify, for classifiers; ?top_k=3 and as above",
    "deepstack": "POST /v1/vision/detection, /v1/vision/custom/{alias} with form field 'image'",
    "models": "GET /v1/models",
    "infer": "POST /v2/models/{alias}/infer (Open Inference Protocol, as Triton speaks it)",
    "metadata": "GET /v2, /v2/models/{alias}, /v2/models/{alias}/config, /v2/models/{alias}/stats",
    "health": "GET /v2/health/live, /v2/health/ready, /v2/models/{alias}/ready",
}
_WELCOME = write_json({"name": "outpost", "endpoints": _ENDPOINTS})


class PictureRoutes:
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
            Route("/v1/models/{model}/classify", self.classify, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/", self.welcome, methods=["GET"]),
        ]

    async def welcome(self, _request: Request) -> Response:
        """Where to go."""
        return Response(_WELCOME, media_type="application/json")

    async def models(self, _request: Request) -> Response:
        """The aliases and cascades with what they can find."""
        catalogue = self._ports.catalogue()
        content = {"models": [_describe(alias, catalogue) for alias in catalogue.names_for_pictures()]}
        return Response(write_json(content), media_type="application/json")

    async def detect(self, request: Request) -> Response:
        """Detections in one or several pictures."""
        return await self._answer(request, self._ports.inference.detect)

    async def classify(self, request: Request) -> Response:
        """The classes of one or several pictures."""
        return await self._answer(request, self._ports.inference.classify)

    async def _answer(self, request: Request, infer: Callable[..., Awaitable[PictureResult]]) -> Response:
        exchange = exchange_of(request)
        alias, query, frames = await self._read(request, exchange)
        read_at = self._ports.clock()
        with DisconnectWatch(request.receive):
            result = await infer(
                alias,
                frames,
                deadline_at=query.deadline_at(exchange.began_at),
                key=exchange.request_id,
                threshold=query.threshold,
            )
            exchange.build = result.build
            found_at = self._ports.clock()
            if query.render:
                response = await self._drawn(frames[0], result)
            else:
                response = Response(
                    write_json(_content(result, exchange.request_id, query)), media_type="application/json"
                )
        self._observe(exchange, read_at, found_at)
        return response

    async def _read(self, request: Request, exchange: Exchange) -> tuple[str, PictureQuery, list[bytes]]:
        ports = self._ports
        alias = request.path_params["model"]
        exchange.model = ports.model_label(alias)
        require_alias(alias, ports.catalogue())
        query = read_query(request.scope["query_string"])
        body = await request_body(request, ports.limits)
        return alias, query, frames_of_body(body, exchange.header(b"content-type"), query)

    async def _drawn(self, frame: bytes, result: PictureResult) -> Response:
        async with self._renderings:
            try:
                picture = await asyncio.to_thread(render_jpeg, frame, result, self._ports.limits.max_pixels)
            except ImageError as error:
                raise InvalidFrame(0, 1, str(error)) from error
        headers = {"Outpost-Build": result.build}
        if isinstance(result, DetectionResult):
            headers["Outpost-Detections"] = str(len(result.frames[0].scores))
        return Response(picture, headers=headers, media_type="image/jpeg")

    def _observe(self, exchange: Exchange, read_at: float, found_at: float) -> None:
        stage = self._ports.metrics.stage_seconds
        stage.labels(exchange.model, "read").observe(read_at - exchange.began_at)
        stage.labels(exchange.model, "encode").observe(self._ports.clock() - found_at)


def _content(result: PictureResult, request_id: str, query: PictureQuery) -> dict[str, object]:
    if isinstance(result, DetectionResult):
        return detections_to_json(result, request_id)
    return classes_to_json(result, request_id, query.top_k)


def _describe(alias: str, catalogue: Catalogue) -> dict[str, object]:
    build = answering_build(alias, catalogue)
    card = None if build is None else build.card
    ready = catalogue.alias_is_ready(alias)
    described: dict[str, object] = {"name": alias, "ready": ready, "build": None if build is None else build.name}
    reason = catalogue.stand_in_reason(alias) if ready else catalogue.not_ready_reason(alias)
    if reason:
        described["reason"] = reason
    if card is not None:
        described |= {
            "task": card.task,
            "labels": card.labels,
            "input": {"width": card.input.width, "height": card.input.height},
            "threshold": card.thresholds.default,
        }
    if alias in catalogue.cascades:
        described["cascade"] = catalogue.cascades[alias].model_dump()
    return described


def require_alias(name: str, catalogue: Catalogue) -> None:
    """Refuse what does not take pictures.

    Raises:
        UnknownModel: With the names that do.
    """
    if not catalogue.is_alias(name):
        raise UnknownModel(name, catalogue.names_for_pictures())
