"""A picture in the body and what the query asks about it. Pure."""

import math
from dataclasses import dataclass
from urllib.parse import parse_qs

from gateway.errors import BadRequest
from gateway.http_api.multipart import parts_named, read_form
from gateway.inference.frame_request import DEFAULT_TOP_K, MAX_FRAMES_PER_REQUEST, parse_top_k

FORM_FIELD = "image"
_MAX_QUERY_FIELDS = 16
_LONGEST_TIMEOUT_SECONDS = 86_400.0
_FLAGS = {"": False, "0": False, "false": False, "1": True, "true": True}


@dataclass(frozen=True, slots=True)
class PictureQuery:
    """What a query may ask; ``timeout_seconds`` counts from the head of the request."""

    threshold: float | None = None
    render: bool = False
    top_k: int = DEFAULT_TOP_K
    timeout_seconds: float | None = None

    def deadline_at(self, began_at: float) -> float | None:
        """When the caller's time is over, by the clock of ``began_at``."""
        return None if self.timeout_seconds is None else began_at + self.timeout_seconds


_NOTHING_ASKED = PictureQuery()


def read_query(query: bytes) -> PictureQuery:
    """Read the part of the address behind the question mark.

    Raises:
        BadRequest: A parameter has a value that it cannot have.
    """
    if not query:
        return _NOTHING_ASKED
    try:
        values = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError as error:
        raise BadRequest("query", f"at most {_MAX_QUERY_FIELDS} parameters", "more") from error
    given = {name: texts[-1] for name, texts in values.items()}
    render = given.get("render", "").lower()
    if render not in _FLAGS:
        raise BadRequest("render", "1 or 0", repr(render)[:40])
    return PictureQuery(
        threshold=parse_threshold("threshold", given["threshold"]) if "threshold" in given else None,
        render=_FLAGS[render],
        top_k=parse_top_k("top_k", given["top_k"]) if "top_k" in given else DEFAULT_TOP_K,
        timeout_seconds=_parse_timeout(given["timeout"]) if "timeout" in given else None,
    )


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


def _parse_timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.0 < seconds <= _LONGEST_TIMEOUT_SECONDS:
        raise BadRequest("timeout", "seconds, a number above 0 and at most 86400", repr(text)[:40])
    return seconds


def frames_of_body(body: bytes, content_type: str | None, query: PictureQuery) -> list[bytes]:
    """The pictures: the body itself, or the parts of a form that are named ``image``.

    Raises:
        BadRequest: There is none, there are too many, or several although one is to be drawn on.
    """
    if content_type is None or not content_type.lower().startswith("multipart/"):
        if not body:
            raise BadRequest("body", f"a picture, or a form with a part named '{FORM_FIELD}'", "0 bytes")
        return [body]
    frames = parts_named(FORM_FIELD, read_form(body, content_type))
    if len(frames) > MAX_FRAMES_PER_REQUEST:
        raise BadRequest("body", f"at most {MAX_FRAMES_PER_REQUEST} pictures", f"{len(frames)}")
    if query.render and len(frames) != 1:
        raise BadRequest("render", "one picture", f"{len(frames)}")
    return frames
