"""What the tests of `make soak` measured, as Markdown."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

_NOT_MEASURED = "Not measured: no test got that far."
_MIB = 2**20


def report(facts: Mapping[str, Any]) -> str:
    """The page.

    Args:
        facts: The content of ``soak.json``.
    """
    machine = "\n".join(f"- {name}: {value}" for name, value in facts["machine"].items())
    sizes = ", ".join(f"{name} {value}" for name, value in facts["sizes"].items())
    measured = facts["measured"]
    return f"""# Survival, soak, malformed input

`{facts["command"]}`

{machine}
- sizes: {sizes}

{_verdict(facts["tests"], facts["seconds"])}

## Kills under load

Seconds from a kill (`kill -9`; *stopped*: `SIGSTOP`) until all is well again. For Triton below a gateway: until the
last failed answer. For a backend process: until the build has all of its instances again. For the gateway, and the
containers of Triton and the gateway: until callers had 20 to 30 answers again. For what only watches: until it answers.

{_kills(measured.get("kills", []))}

## Soak

{_each(measured, "soak", _soak)}

## Malformed input

*Unreadable*: bytes that are not the message, which gRPC itself refuses (UNKNOWN). *Refused by the runtime*: tensors for
a build that its runtime does not take (INTERNAL, HTTP 500). Everything else is the gateway's answer.

{_each(measured, "fuzz", _fuzz)}

## Frames on a GPU

A model that keeps its tensors where they are, behind the gateway; and our code and NVIDIA's packages alone, before a
driver that is made up and computes nothing.

{_each(measured, "resident model", _resident)}

{_each(measured, "made-up driver", _made_up_driver)}
"""


def _verdict(tests: Sequence[Mapping[str, Any]], seconds: float) -> str:
    count = {outcome: sum(each["outcome"] == outcome for each in tests) for outcome in ("passed", "failed", "skipped")}
    said = f"**{count['passed']} tests passed, {count['failed']} failed, {count['skipped']} skipped**"
    lines = [f"{said} in {seconds / 60:.0f} minutes."]
    lines += [
        f"- {each['outcome']}: `{each['name']}`: {each['message']}" for each in tests if each["outcome"] != "passed"
    ]
    return "\n".join(lines)


def _each(measured: Mapping[str, list[dict[str, Any]]], name: str, write: Any) -> str:
    return "\n\n".join(write(facts) for facts in measured.get(name, [])) or _NOT_MEASURED


def _resident(facts: Mapping[str, Any]) -> str:
    early, late = facts["memory_mib"]
    device_mib = [each["device"] / _MIB for each in facts["device_bytes"]]
    rows = [
        [f"resident model, on the {facts['path']}", "early", "late"],
        *_early_and_late("memory of {}, MiB", early, late),
        ["memory of the GPU, MiB", *(f"{each:.0f}" for each in device_mib)],
    ]
    return f"{facts['frames']:,} frames.\n\n{_table(rows)}"


def _made_up_driver(facts: Mapping[str, Any]) -> str:
    early, late = facts["rss_mib"]
    passed = f"{facts['frames']:,} frames, {facts['launches']:,} launches"
    return f"Made-up driver: {passed}; memory of the process {early} MiB, then {late} MiB."


def _kills(kills: Sequence[Mapping[str, Any]]) -> str:
    if not kills:
        return _NOT_MEASURED
    rows = [["killed", "times", "median s", "longest s", "right answers meanwhile", "wrong", "failed requests"]]
    for each in kills:
        seconds = each["seconds"]
        rows.append(
            [
                each["victim"],
                str(len(seconds)),
                f"{statistics.median(seconds):.1f}",
                f"{max(seconds):.1f}",
                f"{each['answered'] - each['wrong']:,}",
                str(each["wrong"]),
                _counts(each["failures"]),
            ]
        )
    return _table(rows)


def _soak(soak: Mapping[str, Any]) -> str:
    rate = soak["requests"] / soak["seconds"]
    head = f"{soak['requests']:,} requests of seven kinds in {soak['seconds']:.0f} s ({rate:.0f} a second)"
    verdict = f"{head}: **{soak['wrong']} wrong answers**; failed requests: {_counts(soak['failures'])}."
    kinds = [["kind", "what came of it"], *([kind, _counts(each)] for kind, each in soak["outcomes"].items())]
    early, late = soak["shared_memory"]
    held = [
        ["", "early (20 to 40 % of the requests)", "late (last 20 %)"],
        *_early_and_late("memory of {}, MiB", *soak["memory_mib"]),
        *_early_and_late("open descriptors of {}", *soak["descriptors"]),
        ["shared memory objects", str(early["objects"]), str(late["objects"])],
        ["shared memory, MiB", f"{early['bytes'] / _MIB:.1f}", f"{late['bytes'] / _MIB:.1f}"],
    ]
    return "\n\n".join([verdict, _table(kinds), _table(held)])


def _fuzz(fuzz: Mapping[str, Any]) -> str:
    beside = fuzz["beside"]
    others = {code: count for code, count in beside["codes"].items() if code != "OK"}
    clear = f"**{len(fuzz['misbehaviours'])} without a clear answer**"
    verdict = (
        f"{fuzz['cases']:,} cases of seed {fuzz['seed']} in {fuzz['seconds']} s: {clear}. Beside them"
        f" {beside['answered']:,} good frames were answered, {beside['wrong']} wrongly; failed: {_counts(others)}."
    )
    listed = "\n".join(f"- {each}" for each in fuzz["misbehaviours"])
    outcomes = [["target", "cases", "what came of them"]]
    outcomes += [[name, f"{sum(each.values()):,}", _counts(each)] for name, each in fuzz["outcomes"].items()]
    early, late = fuzz["early"], fuzz["late"]
    held = [
        ["", "after a fifth of the time", "at the end"],
        *_early_and_late("memory of {}, MiB", _in_mib(early["rss_bytes"]), _in_mib(late["rss_bytes"])),
        *_early_and_late("open descriptors of {}", early["descriptors"], late["descriptors"]),
    ]
    return "\n\n".join(part for part in (verdict, listed, _table(outcomes), _table(held)) if part)


def _in_mib(sizes: Mapping[str, float]) -> dict[str, float]:
    return {role: size_bytes / _MIB for role, size_bytes in sizes.items()}


def _early_and_late(label: str, early: Mapping[str, float], late: Mapping[str, float]) -> list[list[str]]:
    return [[label.format(role), f"{early[role]:.0f}", f"{late.get(role, 0):.0f}"] for role in early]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *rest])
