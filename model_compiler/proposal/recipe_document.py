"""A proposed recipe as the text of its file."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from model_compiler.proposal.assumption import Assumption


def recipe_document(recipe: Mapping[str, Any], assumptions: Sequence[Assumption]) -> str:
    """YAML that begins with what was assumed.

    Args:
        recipe: Its content.
        assumptions: Each becomes a line of comment.
    """
    head = ["# Proposed by `outpost-compile add`. Check what it assumed:"]
    lines = [" ".join(f"{each.subject}: {each.value} ({each.reason})".split()) for each in assumptions]
    body = yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return "\n".join([*head, *(f"#   {line}" for line in lines), body])
