"""Protocol buffer text format, as far as a ``config.pbtxt`` needs it: written from plain values, and read back.

A message is a mapping from field names to values; a list is a repeated field; an ``EnumName`` is an enum value.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, Union

from model_compiler.errors import CompileError


class EnumName(str):
    """An enum value: a bare word, while other text is quoted."""

    __slots__ = ()


Value: TypeAlias = Union[bool, int, float, str, "Message", Sequence["Value"]]
Message: TypeAlias = Mapping[str, Value]
ParsedValue: TypeAlias = Union[str, "ParsedMessage"]
ParsedMessage: TypeAlias = dict[str, list[ParsedValue]]
"""What is read: each field with all its values. There is no schema: numbers and booleans stay words (`EnumName`)."""


class InvalidText(CompileError):
    """A text is not in protocol buffer text format."""

    def __init__(self, line: int, problem: str) -> None:
        self.line, self.problem = line, problem
        super().__init__(f"line {line}: {problem}")


def write_text(message: Message) -> str:
    """The message as text; equal messages give equal text."""
    return "".join(_lines(message, ""))


def _lines(message: Message, indent: str) -> Iterator[str]:
    for field, value in message.items():
        items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        messages = [item for item in items if isinstance(item, Mapping)]
        for item in messages:
            yield f"{indent}{field} {{\n"
            yield from _lines(item, indent + "  ")
            yield f"{indent}}}\n"
        if items is value and items and not messages:
            yield f"{indent}{field}: [{', '.join(map(_scalar, items))}]\n"
        elif items is not value and not messages:
            yield f"{indent}{field}: {_scalar(value)}\n"


def _scalar(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, EnumName):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int | float):
        return repr(value)
    raise TypeError(f"a list inside a list has no text form: {value!r}")


def quoted(text: str) -> str:
    """A string literal; bytes outside printable ASCII become octal escapes."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    characters = (chr(byte) for byte in text.encode())
    body = "".join(escapes.get(c, c if " " <= c <= "~" else f"\\{ord(c):03o}") for c in characters)
    return f'"{body}"'


_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<word>[-+.\w]+)|(?P<mark>[{}<>\[\]:,;])"""
)
_CLOSING = {"{": "}", "<": ">"}
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def read_text(text: str) -> ParsedMessage:
    """The message that a text holds.

    Raises:
        InvalidText: It is not in text format; the line is named.
    """
    reader = _Reader(text)
    return reader.message(end=None)


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0

    def _peek(self) -> str | None:
        return self._tokens[self._next][1] if self._next < len(self._tokens) else None

    def _take(self) -> str:
        if self._next == len(self._tokens):
            raise InvalidText(self._tokens[-1][0] if self._tokens else 1, "the text ends too early")
        self._next += 1
        return self._tokens[self._next - 1][1]

    def _fail(self, problem: str) -> InvalidText:
        return InvalidText(self._tokens[self._next - 1][0], problem)

    def message(self, end: str | None) -> ParsedMessage:
        fields: ParsedMessage = {}
        while (token := self._peek()) != end:
            name = self._take()
            if token is None or not re.fullmatch(r"[A-Za-z_]\w*", name):
                raise self._fail(f"expected the name of a field, got {name!r}")
            fields.setdefault(name, []).extend(self._values(name))
            while self._peek() in {",", ";"}:
                self._take()
        if end is not None:
            self._take()
        return fields

    def _values(self, field: str) -> list[ParsedValue]:
        colon = self._peek() == ":"
        if colon:
            self._take()
        if self._peek() != "[":
            return [self._value(field, colon=colon)]
        self._take()
        values: list[ParsedValue] = []
        while self._peek() != "]":
            values.append(self._value(field, colon=colon))
            if self._peek() == ",":
                self._take()
        self._take()
        return values

    def _value(self, field: str, *, colon: bool) -> ParsedValue:
        token = self._take()
        if token in _CLOSING:
            return self.message(end=_CLOSING[token])
        if not colon or token in {"}", ">", ":", ",", ";", "]", "["}:
            raise self._fail(f"expected a value of {field!r}, got {token!r}")
        if token[0] not in "\"'":
            return EnumName(token)
        parts = [token]
        while (following := self._peek()) is not None and following[0] in "\"'":
            parts.append(self._take())
        return b"".join(_unescaped(part) for part in parts).decode(errors="replace")


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise InvalidText(line, f"unexpected {text[position : position + 10]!r}")
        if match.lastgroup != "space":
            yield line, match.group()
        line += match.group().count("\n")
        position = match.end()


def _unescaped(literal: str) -> bytes:
    def one(match: re.Match[bytes]) -> bytes:
        octal, hexadecimal, letter = match.groups()
        if octal or hexadecimal:
            return bytes([int(octal, 8) & 255 if octal else int(hexadecimal, 16)])
        return _LETTERS.get(letter, letter)

    return _ESCAPE.sub(one, literal[1:-1].encode())
