"""The stages in order, and how they are run."""

from collections.abc import Callable, Mapping
from pathlib import Path

from model_compiler.artifact import Artifact
from model_compiler.errors import BuildExists
from model_compiler.packaging.build_directory import write_build
from model_compiler.recipe import Recipe, StageName
from model_compiler.source import read_source
from model_compiler.stages import graft, package

Stage = Callable[[Artifact, Recipe], Artifact]

STAGES: Mapping[StageName, Stage] = {"graft": graft.run, "package": package.run}
"""Every stage, in the only order in which they make sense; a recipe leaves some out."""


def compile_artifact(start: Artifact, recipe: Recipe, report: Callable[[str], None] = lambda _: None) -> Artifact:
    """Run the recipe's stages.

    Args:
        start: The artifact to begin with.
        recipe: Names the stages.
        report: Told the name of each stage before it runs.

    Raises:
        CompileError: A stage cannot go on.
    """
    artifact = start
    for name, stage in STAGES.items():
        if name in recipe.stages:
            report(name)
            artifact = stage(artifact, recipe).recorded(name)
    return artifact


def build(recipe: Recipe, hardware_class: str, output: Path, report: Callable[[str], None] = lambda _: None) -> Path:
    """Compile a recipe and write the build.

    Args:
        recipe: As read.
        hardware_class: One of its targets.
        output: Folder of builds.
        report: Told what is being done.

    Returns:
        The new build directory.

    Raises:
        CompileError: A stage cannot go on, or the build exists.
    """
    name = f"{recipe.model}-{recipe.version}_{hardware_class}"
    if (output / name).exists():
        raise BuildExists(output / name)
    artifact = compile_artifact(read_source(recipe, hardware_class), recipe, report)
    return write_build(name, artifact.build, output)
