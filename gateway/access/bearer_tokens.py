"""Bearer tokens (RFC 6750) from a file."""

import hashlib
import hmac
import logging
from pathlib import Path

from gateway.errors import Unauthenticated
from gateway.file_stamp import stamp_of
from gateway.start_errors import SecretUnusable

SHORTEST_TOKEN = 16
"""Characters; what `openssl rand -hex 32` prints has 64."""
_LOG = logging.getLogger(__name__)


class BearerTokens:
    """The tokens of a file, one a line; empty lines and those that begin with ``#`` do not count.

    Several tokens are good at once, so that one can be replaced without an interruption. A changed file is read again
    with the next request; while it is unusable, the tokens before it stay good.

    Args:
        path: The file.

    Raises:
        SecretUnusable: It cannot be read, has no token, or one that is too short or has other characters than
            printable ASCII.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = stamp_of(path)
        self._digests = _read(path)

    def count(self) -> int:
        """How many tokens are good."""
        self._refresh()
        return len(self._digests)

    def require(self, authorization: str | None) -> None:
        """Let a request pass that brings one of the tokens.

        Args:
            authorization: Value of the header, ``Bearer <token>``; None where there is none.

        Raises:
            Unauthenticated: It brings none, or another one.
        """
        self._refresh()
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("it has no bearer token")
        digest = hashlib.sha256(token.strip().encode("latin-1", "replace")).digest()
        # every token is compared, in constant time, so that the time of a refusal tells nothing
        if not sum(hmac.compare_digest(digest, known) for known in self._digests):
            raise Unauthenticated("its bearer token is not one of this gateway's")

    def _refresh(self) -> None:
        stamp = stamp_of(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._digests = _read(self._path)
        except SecretUnusable as error:
            _LOG.warning("the changed token file is unusable, the old tokens stay good", extra={"reason": str(error)})
        else:
            _LOG.info("tokens read again", extra={"tokens": len(self._digests)})


def _read(path: Path) -> tuple[bytes, ...]:
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError as error:
        raise SecretUnusable("token_file", path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise SecretUnusable("token_file", path, "tokens are printable ASCII without spaces") from error
    digests = []
    for number, line in enumerate(lines, start=1):
        token = line.strip()
        if not token or token.startswith("#"):
            continue
        if not token.isprintable() or " " in token:
            raise SecretUnusable("token_file", path, f"line {number}: a token is printable ASCII without spaces")
        if len(token) < SHORTEST_TOKEN:
            problem = f"line {number}: a token has at least {SHORTEST_TOKEN} characters, this one has {len(token)}"
            raise SecretUnusable("token_file", path, problem)
        digests.append(hashlib.sha256(token.encode("ascii")).digest())
    if not digests:
        raise SecretUnusable("token_file", path, "it has no token")
    return tuple(digests)
