"""What a run of pytest left: how its tests ended, and what they measured."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_ENDS = {"failure": "failed", "error": "failed", "skipped": "skipped"}


@dataclass(frozen=True, slots=True)
class JunitResults:
    """From pytest's report.

    Attributes:
        tests: Of each test its ``name``, ``outcome`` (passed, failed, skipped), ``seconds`` and, unless it passed, a
            ``message``.
        measured: What tests recorded, in the order of the tests, by the name that they gave it.
    """

    tests: tuple[dict[str, Any], ...]
    measured: dict[str, list[dict[str, Any]]]

    @classmethod
    def from_junit(cls, text: str) -> "JunitResults":
        """Read a report that ``--junitxml`` wrote."""
        cases = list(ET.fromstring(text).iter("testcase"))
        return cls(_merged(map(_read_case, cases)), _measured(cases))


def _read_case(case: ET.Element) -> dict[str, Any]:
    test = {"name": _name_of(case), "outcome": "passed", "seconds": float(case.get("time", "0"))}
    for child in case:
        if child.tag in _ENDS:
            test |= {"outcome": _ENDS[child.tag], "message": (child.get("message") or "").partition("\n")[0]}
    return test


def _merged(cases: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """One entry for a test; one that passed and then failed to clean up is there twice, and failed."""
    tests: dict[str, dict[str, Any]] = {}
    for case in cases:
        if tests.get(case["name"], {}).get("outcome") != "failed":
            tests[case["name"]] = case
    return tuple(tests.values())


def _name_of(case: ET.Element) -> str:
    return f"{case.get('classname', '')}.{case.get('name', '')}"


def _measured(cases: Iterable[ET.Element]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for case in cases:
        for entry in case.iter("property"):
            found.setdefault(entry.get("name", ""), []).append(json.loads(entry.get("value", "null")))
    return found
