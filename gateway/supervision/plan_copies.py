"""What a killed Triton leaves behind of the files that it was given in load calls.

Triton writes them to ``/tmp/folder<six characters>/`` (the place is built in) and removes them when the model is
unloaded or it ends by itself. After kill -9 they stay: a plan of up to some 100 MB for each TensorRT build, often in
memory.
"""

import contextlib
import os
import shutil
from pathlib import Path

OWNER_PARAMETER = "outpost_engines"
"""Of a build's config: whose plan it is."""
_TEMPORARY = Path("/tmp")  # noqa: S108 - Triton's choice
_PATTERN = "folder??????"


def remove_plan_copies(owner: str, folder: Path = _TEMPORARY) -> int:
    """Remove every copy of our own user whose config has this owner; gives their number.

    Args:
        owner: Value of ``OWNER_PARAMETER``.
        folder: Where Triton puts them.
    """
    removed = 0
    for copy in folder.glob(_PATTERN):
        with contextlib.suppress(OSError):  # somebody else's, or gone meanwhile
            config = (copy / "config.pbtxt").read_text(errors="replace")
            if copy.stat().st_uid == os.geteuid() and OWNER_PARAMETER in config and f'"{owner}"' in config:
                shutil.rmtree(copy)
                removed += 1
    return removed
