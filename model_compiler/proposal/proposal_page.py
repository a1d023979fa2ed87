"""What a model is taken for and what it said, for people."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from model_compiler.proposal.assumption import Assumption
from model_compiler.proposal.proposal import Proposal
from model_compiler.proposal.tryout import Tryout

_WIDTH = 110


def proposal_page(model: Path, proposal: Proposal, tried: Tryout, picture: Path | None) -> str:
    """The assumptions with their reasons, what the model found, and what is doubtful.

    Args:
        model: The export.
        proposal: What it is taken for.
        tried: What it said.
        picture: Of what; None for a synthetic picture.
    """
    return "\n".join(_lines(model, proposal, tried, picture))


def _lines(model: Path, proposal: Proposal, tried: Tryout, picture: Path | None) -> Iterator[str]:
    yield f"{model} is taken for"
    for assumption in proposal.assumptions:
        yield from _entry(assumption)
    yield f"tried on {picture or 'a synthetic picture'}: best score {tried.best_score:.3f}"
    yield from (f"  {finding}" for finding in tried.findings)
    if not tried.findings:
        yield "  nothing above 0.25" + ("" if picture else "; give a picture of yours with --image")
    yield from (f"  doubt: {doubt}" for doubt in tried.doubts)


def _entry(assumption: Assumption) -> Iterator[str]:
    yield f"  {assumption.subject:<12}{assumption.value}"
    otherwise = f"; otherwise {assumption.flag}" if assumption.flag else ""
    indent = " " * 14
    yield from textwrap.wrap(
        assumption.reason + otherwise, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
