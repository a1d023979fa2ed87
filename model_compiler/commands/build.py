"""``outpost-compile build``: from a recipe to the fastest build inside its gate, or from a build to another class's."""

import argparse
from dataclasses import replace
from pathlib import Path

from contracts.machine_class import UNKNOWN
from model_compiler.commands import build_from_onnx
from model_compiler.commands.told_progress import tell_build, told_progress
from model_compiler.errors import InvalidAnswer
from model_compiler.expected_steps import expected_steps
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.machine_profile import read_machine_profile
from model_compiler.pipeline import Workshop
from model_compiler.recipe import Recipe
from model_compiler.recipe_file import read_recipe
from model_compiler.release import build, variants_of
from model_compiler.stage_cache import StageCache

DEFAULT_CACHE = Path("var/compiler")


def describe(verb: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    verb.description = (
        "Run the stages of a recipe for one hardware class: make every variant, measure each, and write the fastest"
        " one inside the gate into a folder of builds, whole or not at all. Finished stages are kept: run it again"
        " after an interruption and it goes on. With --from-onnx, builds are made from packaged ones instead, for"
        " another hardware class: graft, prepare, verify, package, without training, calibration or a GPU."
    )
    source = verb.add_mutually_exclusive_group(required=True)
    source.add_argument("recipe", type=Path, nargs="?", help="YAML file; its paths are relative to its own folder")
    source.add_argument(
        "--from-onnx",
        type=Path,
        metavar="SOURCE",
        help="build directory, or folder of them of which each model's newest is taken",
    )
    verb.add_argument(
        "--for",
        dest="hardware_class",
        metavar="CLASS",
        help="hardware class, where the recipe has several; needed with --from-onnx",
    )
    verb.add_argument(
        "--output", type=Path, default=Path("model_repository"), help="folder of builds (default: %(default)s)"
    )
    verb.add_argument(
        "--cache", type=Path, default=DEFAULT_CACHE, help="folder of finished stages (default: %(default)s)"
    )
    verb.add_argument(
        "--skip-existing", action="store_true", help="do nothing where the folder of builds has this build already"
    )
    describe_declared(verb)
    verb.add_argument("--reports", type=Path, help="folder for <build>.json, what was measured of every variant")
    build_from_onnx.describe(verb)
    verb.set_defaults(run=run, refuse=verb.error)


def describe_declared(verb: argparse.ArgumentParser) -> None:
    """The option of a class that a machine cannot say of itself."""
    verb.add_argument(
        "--declared",
        metavar="CLASS",
        help="the class that the operator declared for this machine, which what is measured here is of (default: what"
        " the machine says)",
    )


def declared_class(options: argparse.Namespace) -> str | None:
    """The class that was declared, or None.

    Raises:
        CompileError: There is no such class, or it is of another architecture than this machine.
    """
    if options.declared is None:
        return None
    declared, detected = find_hardware_class(options.declared), read_machine_profile().hardware_class()
    here = None if detected == UNKNOWN else find_hardware_class(detected).cpu_architecture
    if here not in {None, declared.cpu_architecture}:
        raise InvalidAnswer(
            "--declared",
            f"{declared.name} is {declared.cpu_architecture}, this machine is {here}: what is measured here says"
            " nothing of that class",
        )
    return declared.name


def run(options: argparse.Namespace) -> None:
    """Build.

    Raises:
        CompileError: A stage cannot go on, every variant was refused, or the build exists.
    """
    _refuse_mixed(options)
    if options.from_onnx is not None:
        build_from_onnx.run(options)
        return
    declared = declared_class(options)
    recipe = read_recipe(options.recipe)
    hardware_class = recipe.target(options.hardware_class)
    directory = options.output / recipe.build_name(hardware_class)
    if options.skip_existing and directory.exists():
        print(f"{directory} is there already")
        return
    workshop = Workshop(StageCache(options.cache), declared=declared)
    build_and_tell(recipe, hardware_class, workshop, output=options.output, reports=options.reports)


def _refuse_mixed(options: argparse.Namespace) -> None:
    """End with a sentence on the usage where an option belongs to the other way of building."""
    from_onnx = options.from_onnx is not None
    if from_onnx and options.hardware_class is None:
        options.refuse("--from-onnx needs --for CLASS")
    wrong = (
        {"--declared": options.declared, "--reports": options.reports}
        if from_onnx
        else {"--frames": options.frames, "--with-fallback": options.with_fallback or None}
    )
    for option, value in wrong.items():
        if value is not None:
            options.refuse(f"{option} is {'not for' if from_onnx else 'only for'} --from-onnx")


def build_and_tell(
    recipe: Recipe, hardware_class: str, workshop: Workshop, *, output: Path, reports: Path | None = None
) -> None:
    """Build with a progress bar and a line for each step on standard error, and the result on standard output.

    Args:
        recipe: As read.
        hardware_class: One of its targets.
        workshop: Where and with what; it is told here.
        output: Folder of builds.
        reports: Folder for ``<build>.json``.

    Raises:
        CompileError: A stage cannot go on, every variant was refused, or the build exists.
    """
    steps = expected_steps(recipe, variants_of(recipe, find_hardware_class(hardware_class)))
    with told_progress(steps) as report:
        release = build(recipe, hardware_class, output, replace(workshop, report=report), reports=reports)
    tell_build(release.directory, release.chosen, release.reason, release.caveats)
