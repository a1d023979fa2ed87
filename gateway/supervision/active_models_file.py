"""Reads ``active.json`` and keeps the last good content."""

import logging
from pathlib import Path

from pydantic import ValidationError

from contracts.active_models import ActiveModels
from gateway.file_stamp import FileStamp, stamp_of

_LOG = logging.getLogger(__name__)


class ActiveModelsFile:
    """Watches the file; a malformed one changes nothing but ``problem``.

    Args:
        path: Of ``active.json``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: FileStamp | None = None
        self.current = ActiveModels()
        self.problem = ""

    def refresh(self) -> bool:
        """Read the file if it changed; tells whether ``current`` or ``problem`` did."""
        stamp = stamp_of(self._path)
        if stamp == self._seen:
            return False
        self._seen = stamp
        before = (self.current, self.problem)
        self._read()
        return before != (self.current, self.problem)

    def _read(self) -> None:
        try:
            self.current = ActiveModels.model_validate_json(self._path.read_bytes())
            self.problem = ""
        except OSError as error:
            self._keep(f"cannot be read: {error.strerror}")
        except ValidationError as error:
            self._keep(_explain(error))

    def _keep(self, reason: str) -> None:
        self.problem = f"{self._path.name}: {reason}; the last good content stays in force"
        _LOG.error("active.json is not usable", extra={"reason": reason, "path": str(self._path)})


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the file"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg']}, got {str(first['input'])[:80]!r}{more}"
