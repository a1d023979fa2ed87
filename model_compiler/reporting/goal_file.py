"""Goals that something else than a build answers, as a file beside the reports of builds."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from model_compiler.reporting.errors import ReportUnreadable
from model_compiler.reporting.goal import Goal

SUFFIX = ".goals.json"
_GOALS = TypeAdapter(tuple[Goal, ...])


def read_goals(path: Path) -> tuple[Goal, ...]:
    """Read a list of goals.

    Raises:
        ReportUnreadable: It is something else.
        OSError: It cannot be read.
    """
    try:
        return _GOALS.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise ReportUnreadable(path, f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}") from error
