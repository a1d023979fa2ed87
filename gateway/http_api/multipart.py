"""Pictures out of a multipart/form-data body, in memory. Pure."""

from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.errors import BadRequest

MAX_PARTS = 80
_MAX_HEADER_BYTES = 8 * 1024


def read_form(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """Name and content of every part, in their order.

    Args:
        body: The whole body.
        content_type: Value of the header, with the boundary.

    Raises:
        BadRequest: The form is damaged or cut short, or has too many parts.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise BadRequest("Content-Type", "multipart/form-data with a boundary", repr(content_type)[:80])
    collector = _PartCollector()
    try:
        parser = MultipartParser(boundary, collector.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise BadRequest("body", "a multipart form", str(error)) from error
    if not collector.complete:
        raise BadRequest("body", "a multipart form", "one that ends early")
    return collector.parts


def parts_named(name: str, form: list[tuple[str, bytes]]) -> list[bytes]:
    """The contents of all parts that have a name.

    Raises:
        BadRequest: There is none.
    """
    found = [content for part, content in form if part == name]
    if not found:
        names = sorted({part for part, _ in form})
        raise BadRequest("body", f"a form with a part named '{name}'", f"parts named {names}"[:200])
    return found


class _PartCollector:
    """Gathers what the parser calls back with."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, bytes]] = []
        self.complete = False
        self._field = b""
        self._value = b""
        self._name = ""
        self._content: list[bytes] = []
        self._header_bytes = 0

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._end_header,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        if len(self.parts) == MAX_PARTS:
            raise BadRequest("body", f"at most {MAX_PARTS} parts", "more")
        self._name = ""
        self._content = []
        self._header_bytes = 0

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > _MAX_HEADER_BYTES:
            raise BadRequest("body", f"part headers of at most {_MAX_HEADER_BYTES} bytes", "longer ones")

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            name = parse_options_header(self._value)[1].get(b"name", b"")
            self._name = name.decode(errors="replace")
        self._field = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def _end_part(self) -> None:
        self.parts.append((self._name, b"".join(self._content)))

    def _end(self) -> None:
        self.complete = True
