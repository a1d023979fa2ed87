"""The detection API of DeepStack, which Frigate, Blue Iris and Home Assistant speak to outside detectors."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.alias_metadata import answering_build
from gateway.errors import BadRequest, UnknownModel
from gateway.http_api.codec import write_json
from gateway.http_api.exchange import DisconnectWatch, exchange_of, request_body
from gateway.http_api.multipart import parts_named, read_form
from gateway.http_api.picture_request import FORM_FIELD, parse_threshold
from gateway.http_api.picture_routes import require_alias
from gateway.http_api.ports import HttpPorts
from gateway.messages import DetectionResult

MAX_PREDICTIONS = 20
"""Frigate's client writes beyond the end of its table with more."""
_THRESHOLD_FIELD = "min_confidence"


class DeepStackRoutes:
    """``/v1/vision``: one picture as form field ``image``, answered by the first detector, or by the alias in the path.

    Args:
        ports: Collaborators.
    """

    def __init__(self, ports: HttpPorts) -> None:
        self._ports = ports

    def routes(self) -> list[Route]:
        """The routes of this module."""
        return [
            Route("/v1/vision/detection", self.detect, methods=["POST"]),
            Route("/v1/vision/custom/{model}", self.detect, methods=["POST"]),
        ]

    async def detect(self, request: Request) -> Response:
        """Detections in one picture, best first."""
        ports, exchange = self._ports, exchange_of(request)
        alias = request.path_params.get("model") or self._first_alias()
        exchange.model = ports.model_label(alias)
        require_alias(alias, ports.catalogue())
        form = read_form(await request_body(request, ports.limits), exchange.header(b"content-type") or "")
        frames = parts_named(FORM_FIELD, form)
        if len(frames) != 1:
            raise BadRequest("body", f"one part named '{FORM_FIELD}'", f"{len(frames)}")
        with DisconnectWatch(request.receive):
            result = await ports.inference.detect(
                alias, frames, deadline_at=None, key=exchange.request_id, threshold=_threshold(form)
            )
        exchange.build = result.build
        return Response(write_json(predictions_to_json(result)), media_type="application/json")

    def _first_alias(self) -> str:
        """The first alias that is not known to be a classifier."""
        catalogue = self._ports.catalogue()
        for alias in catalogue.aliases:
            build = answering_build(alias, catalogue)
            if build is None or build.card is None or build.card.task == "detection":
                return alias
        raise UnknownModel("detection", catalogue.names_for_pictures())


def predictions_to_json(result: DetectionResult) -> dict[str, object]:
    """A result of one frame as DeepStack writes it; edges are whole pixels."""
    frame = result.frames[0]
    rows = zip(frame.boxes_xyxy.tolist(), frame.scores.tolist(), frame.classes.tolist(), strict=True)
    predictions = [
        {
            "label": result.labels[index],
            "confidence": round(score, 5),
            "x_min": round(box[0]),
            "y_min": round(box[1]),
            "x_max": round(box[2]),
            "y_max": round(box[3]),
        }
        for box, score, index in rows
    ][:MAX_PREDICTIONS]
    return {"success": True, "predictions": predictions, "count": len(predictions)}


def _threshold(form: list[tuple[str, bytes]]) -> float | None:
    given = [content for name, content in form if name == _THRESHOLD_FIELD]
    return parse_threshold(_THRESHOLD_FIELD, given[-1].decode("latin-1")) if given else None
