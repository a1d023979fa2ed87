"""``outpost-compile build --from-onnx``: from packaged builds to those of another hardware class."""

import argparse
import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.hardware_class import HardwareClass
from model_compiler.commands.told_progress import tell_build, told_progress
from model_compiler.errors import BuildExists, InvalidAnswer, OtherFileThere
from model_compiler.frame_folder import frame_paths
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.packaged_source import PackagedSource, read_packaged_source
from model_compiler.packaging.build_directory import write_build, write_file
from model_compiler.pipeline import Workshop
from model_compiler.rebuild import Rebuild, rebuild, variants_of_source
from model_compiler.source_builds import files_beside, source_directories
from model_compiler.stage_cache import StageCache

_STAGES = 3
"""Told of a build as a rule: quantize or nothing, engine, verify."""


def describe(verb: argparse.ArgumentParser) -> None:
    """Options of the verb that only this way of building has."""
    group = verb.add_argument_group("with --from-onnx")
    group.add_argument("--frames", type=Path, metavar="FOLDER", help="pictures to compare on (default: noise)")
    group.add_argument(
        "--with-fallback",
        action="store_true",
        help="also build for the class that stands in without the accelerator",
    )


@dataclass(frozen=True)
class _Job:
    source: PackagedSource
    target: HardwareClass

    @property
    def name(self) -> str:
        return f"{self.source.card.model}-{self.source.card.version}_{self.target.name}"


def run(options: argparse.Namespace) -> None:
    """Make all builds, then write them: a source that is refused leaves the folder as it was.

    Raises:
        CompileError: A source cannot be read, the class does not run it, or a build exists.
        OSError: The disk is full or not writable; no build is half-written.
    """
    built_at = source_date(os.environ)
    jobs = _jobs(options)
    beside = _to_copy(options.from_onnx, options.output, skip_existing=options.skip_existing)
    workshop = Workshop(StageCache(options.cache))
    made = []
    with told_progress(len(jobs) * _STAGES) as report:
        for job in jobs:
            named = replace(workshop, report=_of(job.name, report))
            made.append(rebuild(job.source, job.target, named, frames=options.frames, built_at=built_at))
    _write(made, beside, options.output)


def _of(name: str, report: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: report(f"{name}: {text}")


def source_date(environment: Mapping[str, str]) -> dt.datetime | None:
    """The time that cards state, from ``SOURCE_DATE_EPOCH`` (reproducible-builds.org); None where it is not set.

    Raises:
        InvalidAnswer: It is not a number of seconds since 1970.
    """
    text = environment.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    try:
        return dt.datetime.fromtimestamp(int(text), dt.UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidAnswer("SOURCE_DATE_EPOCH", f"{text!r} is not a number of seconds since 1970") from error


def _jobs(options: argparse.Namespace) -> list[_Job]:
    """What is to be made, everything read and checked before anything is."""
    targets = _targets(options)
    if options.frames is not None:
        frame_paths(options.frames)
    jobs = []
    for target in targets:
        for directory in source_directories(options.from_onnx, target.name):
            job = _Job(read_packaged_source(directory), target)
            there = options.output / job.name
            if there.exists() and options.skip_existing:
                print(f"{there} is there already")
                continue
            if there.exists():
                raise BuildExists(there)
            variants_of_source(job.source, target)
            jobs.append(job)
    return jobs


def _targets(options: argparse.Namespace) -> list[HardwareClass]:
    target = find_hardware_class(options.hardware_class)
    if not options.with_fallback:
        return [target]
    name = target.fallback.hardware_class
    if name is None:
        print(f"{target.name} names no class that stands in for it: there is no fallback to build")
        return [target]
    return [target, find_hardware_class(name)]


def _to_copy(source: Path, output: Path, *, skip_existing: bool) -> dict[Path, bytes]:
    """Files beside the builds by the place where they go; those that are there already are left out."""
    found: dict[Path, bytes] = {}
    for path in files_beside(source):
        place, content = output / path.name, path.read_bytes()
        if not place.exists():
            found[place] = content
        elif not skip_existing and place.read_bytes() != content:
            raise OtherFileThere(place, path)
    return found


def _write(made: Sequence[Rebuild], beside: Mapping[Path, bytes], output: Path) -> None:
    for each in made:
        directory = write_build(each.name, each.artifact.build, output)
        tell_build(directory, str(each.variant), each.reason, each.artifact.facts.caveats)
    for place, content in beside.items():
        write_file(place, content)
        print(f"{place}: copied")
