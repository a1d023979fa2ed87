"""``outpost-compile classes``: the hardware classes, and which one this machine is."""

import argparse
import dataclasses
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

from contracts.hardware_class import HardwareClass
from contracts.machine_class import MachineClass, detect_class
from model_compiler.hardware_catalogue import HARDWARE_CLASSES, find_hardware_class, read_hardware_classes
from model_compiler.machine_profile import MachineProfile, read_machine_profile
from model_compiler.planning.quantities import in_bytes


def describe(verb: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    verb.description = "List the hardware classes and say which one this machine is; or show one class."
    verb.add_argument("name", nargs="?", help="show this class in full")
    verb.add_argument("--folder", type=Path, default=HARDWARE_CLASSES, help="folder of classes (default: %(default)s)")
    verb.add_argument("--declared", metavar="CLASS", help="the class that the operator declared for this machine")
    verb.add_argument("--json", action="store_true", help="print JSON")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print.

    Raises:
        CompileError: There is no such class, or a file is wrong.
    """
    if options.name is not None:
        chosen = find_hardware_class(options.name, options.folder)
        print(chosen.model_dump_json(indent=2) if options.json else "\n".join(_within_width(_full(chosen))))
        return
    classes = read_hardware_classes(options.folder)
    if options.declared is not None:
        find_hardware_class(options.declared, options.folder)
    profile = read_machine_profile()
    here = detect_class(profile.facts, options.declared)
    if options.json:
        content = [chosen.model_dump(mode="json") for chosen in classes.values()]
        machine = dataclasses.asdict(here) | {"profile": dataclasses.asdict(profile)}
        print(json.dumps({"classes": content, "this_machine": machine}, indent=2))
        return
    print("\n".join([*_table(classes), "", *machine_lines(here, profile)]))


def _table(classes: dict[str, HardwareClass]) -> Iterator[str]:
    yield f"{'class':<24} {'runtime':<12} {'for models':>10}  {'power':<11} {'p99 up to':>9}"
    for name, chosen in classes.items():
        watts = [mode.watts for mode in chosen.power_modes]
        power = f"{min(watts):g}-{max(watts):g} W"
        ceiling = in_bytes(chosen.memory.models_ceiling_bytes)
        yield f"{name:<24} {chosen.runtime:<12} {ceiling:>10}  {power:<11} {chosen.latency.ceiling_p99_ms:>6g} ms"


def machine_lines(here: MachineClass, profile: MachineProfile) -> Iterator[str]:
    """What a machine is and has, for people."""
    yield f"This machine: {here.name}"
    yield f"  why      {here.reason}"
    yield f"  accepts  builds for {', '.join((here.name, *here.accepts_builds_of))}"
    cores = "unknown" if profile.cpu_count is None else f"{profile.cpu_count:g}"
    heat = "unknown" if profile.hottest_celsius is None else f"{profile.hottest_celsius:.1f} C where it is hottest"
    yield f"  CPU      {profile.cpu_model or 'unknown'}, {cores} usable"
    yield f"           {' '.join(profile.cpu_flags) or 'no instructions for networks found'}"
    yield f"  GPU      {', '.join(profile.gpus) or 'none found'}"
    yield f"  memory   {_size(profile.memory_bytes)}"
    yield f"  storage  {_size(profile.storage_bytes)}"
    yield f"  power    {profile.power_source or 'unknown'}"
    yield f"  heat     {heat}"


def _size(size_bytes: int | None) -> str:
    return "unknown" if size_bytes is None else in_bytes(size_bytes)


def _full(chosen: HardwareClass) -> Iterator[str]:
    memory, latency, thermal = chosen.memory, chosen.latency, chosen.thermal
    yield f"{chosen.name} ({chosen.tier})"
    yield f"  description    {chosen.description}"
    yield f"  processor      {chosen.cpu_architecture}, accelerator {chosen.accelerator}"
    yield f"  runtime        {chosen.runtime}; in Triton {', '.join(chosen.backends)}"
    yield f"  variants       {', '.join(f'{v.variant} on {v.backend}' for v in chosen.variants)}"
    yield f"  memory         {in_bytes(memory.total_bytes)}, models up to {in_bytes(memory.models_ceiling_bytes)}"
    yield f"  latency        for needs from {latency.shortest_budget_ms:g} ms; p99 up to {latency.ceiling_p99_ms:g} ms"
    yield f"  load           within {latency.ceiling_load_seconds:g} s"
    yield f"  power modes    {', '.join(f'{mode.name} ({mode.watts:g} W)' for mode in chosen.power_modes)}"
    yield (
        f"  heat           {thermal.cooling} cooling, {thermal.sustained_share:.0%} of the speed"
        f" at {thermal.ambient_max_celsius:g} C"
    )
    waves = (f"{wave.name} {wave.percent:g} % for {wave.soak_hours:g} h" for wave in chosen.rollout.waves)
    yield f"  rollout        {', '.join(waves)}"
    yield f"  on failure     {chosen.fallback.build_does_not_load}, without accelerator: {_without(chosen)}"
    yield f"  accepts        {', '.join((chosen.name, *chosen.accepts_builds_of))}"
    for point in chosen.operating_points:
        yield (
            f"  reported       {point.model}: {point.latency_ms:g} ms at {point.watts:g} W,"
            f" {point.frames_per_second:.0f} frames/s"
        )
    for fact in chosen.facts:
        yield f"  fact           {fact.name} {fact.value:g} {fact.unit} ({fact.source}, {fact.date})"


def _within_width(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield from textwrap.wrap(line, 80, subsequent_indent=" " * 17, break_long_words=False, break_on_hyphens=False)


def _without(chosen: HardwareClass) -> str:
    fallback = chosen.fallback
    return fallback.hardware_class or "stop" if fallback.accelerator_is_gone else "it has none"
