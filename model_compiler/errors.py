"""What can go wrong while compiling, as facts; each error writes its own sentence.

::

    CompileError
    +-- InputFileMissing       a file that the recipe or command names is not there
    +-- InvalidRecipe          the recipe is not valid YAML, or a key or value is wrong
    +-- NoSuchTarget           the recipe does not build for this hardware class
    +-- UnknownHardwareClass   there is no hardware class of this name
    +-- InvalidHardwareClass   the file of a hardware class is not valid YAML, or a key or value is wrong
    +-- InvalidAnswer          an answer to a question of the planner cannot be, alone or with another
    +-- InvalidMetrics         the metrics file of the training is not as expected
    +-- ModelError
    |   +-- NotOnnx            the file is something else
    |   +-- UnexpectedTensor   the graph's input or output is not what the recipe says
    |   +-- UnsupportedModel   a valid graph that a stage cannot handle
    |   +-- UnsupportedNode    a node's operator does not exist, or not in this version
    |   +-- InvalidWeights     weights that are NaN or infinite
    |   +-- NotPruned          a network that should be smaller than the whole one is not
    +-- TrainerFailed          the trainer, another program, could not do its job
    +-- NoFrames               a folder has no pictures, or fewer than asked for
    +-- UnusableFrame          a picture cannot be read or decoded
    +-- UniformFrames          pictures of one colour where something has to be seen
    +-- CalibrationMissing     an INT8 variant without frames to calibrate it with
    +-- NoVariantLeft          no way to run the model is inside the gate; nothing was packaged
    +-- BuildExists            builds are immutable: this one is there already
    +-- InvalidBuild           a build directory contradicts its manifest, card or configuration
    +-- NoBuilds               a path that should hold builds has none
    +-- VariantNotRunnable     a class runs nothing that can be made of a build without frames
    +-- OtherFileThere         a file that goes beside the builds is there with another content
"""

import difflib
from collections.abc import Sequence
from pathlib import Path


class CompileError(Exception):
    """A compilation cannot go on; the message says what to change."""


class InputFileMissing(CompileError):
    """A file that a recipe or a command names is not there."""

    def __init__(self, path: Path, role: str) -> None:
        self.path, self.role = path, role
        super().__init__(f"{role} {path} does not exist or is not a file")


class InvalidRecipe(CompileError):
    """A recipe cannot be read; every problem is listed."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.path, self.problems = path, tuple(problems)
        super().__init__(f"recipe {path}: " + "; ".join(self.problems))


class NoSuchTarget(CompileError):
    """A recipe has no backend for the hardware class asked for, or several and none was asked for."""

    def __init__(self, hardware_class: str | None, available: Sequence[str]) -> None:
        self.hardware_class, self.available = hardware_class, tuple(available)
        asked = "no hardware class was chosen" if hardware_class is None else f"hardware class {hardware_class!r}"
        super().__init__(f"{asked}: the recipe builds for {', '.join(self.available)}; choose one with --for")


class UnknownHardwareClass(CompileError):
    """There is no hardware class of this name."""

    def __init__(self, name: str, available: Sequence[str]) -> None:
        self.name, self.available = name, tuple(available)
        near = difflib.get_close_matches(name, self.available, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        super().__init__(f"there is no hardware class {name!r}: {hint}known are {', '.join(self.available)}")


class InvalidHardwareClass(CompileError):
    """The file of a hardware class cannot be read; every problem is listed."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.path, self.problems = path, tuple(problems)
        super().__init__(f"hardware class {path}: " + "; ".join(self.problems))


class InvalidAnswer(CompileError):
    """An answer given to the planner cannot be: of the wrong kind, or against another one."""

    def __init__(self, flag: str, problem: str) -> None:
        self.flag, self.problem = flag, problem
        super().__init__(f"{flag}: {problem}")


class InvalidMetrics(CompileError):
    """A metrics file does not have the keys that a card needs."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"metrics file {path}: {problem}")


class ModelError(CompileError):
    """Something is wrong with the ONNX model."""


class NotOnnx(ModelError):
    """A file is not an ONNX model."""

    def __init__(self, source: str, reason: str) -> None:
        self.source, self.reason = source, reason
        super().__init__(f"{source} is not an ONNX model: {reason}")


class UnexpectedTensor(ModelError):
    """An input or output of the graph is not what was expected."""

    def __init__(self, tensor: str, expected: str, actual: str) -> None:
        self.tensor, self.expected, self.actual = tensor, expected, actual
        super().__init__(f"{tensor}: expected {expected}, the model has {actual}")


class UnsupportedModel(ModelError):
    """A valid graph that a stage cannot handle; the message says why."""


class UnsupportedNode(ModelError):
    """A node cannot be computed by anything that reads standard ONNX."""

    def __init__(self, node: str, op: str, domain: str, reason: str) -> None:
        self.node, self.op, self.domain, self.reason = node, op, domain, reason
        super().__init__(f"{node}: operator {op} of domain {domain}: {reason}")


class InvalidWeights(ModelError):
    """A constant of the graph has values that are not finite: the training went wrong, or the file is damaged."""

    def __init__(self, tensor: str, reader: str, *, nan_count: int, infinite_count: int, size: int) -> None:
        self.tensor, self.reader = tensor, reader
        self.nan_count, self.infinite_count, self.size = nan_count, infinite_count, size
        found = ", ".join(
            f"{count} {kind}" for count, kind in ((nan_count, "NaN"), (infinite_count, "infinite")) if count
        )
        super().__init__(
            f"weights {tensor!r}, read by {reader}: {found} of {size} values; export the model again from a checkpoint"
            " whose weights are finite"
        )


class NotPruned(ModelError):
    """A network is called pruned, but nothing was taken out of it."""

    def __init__(self, pruned_count: int, whole_count: int) -> None:
        self.pruned_count, self.whole_count = pruned_count, whole_count
        super().__init__(
            f"the pruned network has {pruned_count:,} parameters, the whole one {whole_count:,}: it is not smaller, and"
            " weights that are only set to 0 cost as much as others; remove channels (trainer.prune), or take the"
            " weights of a network that has fewer (trainer.prune.weights)"
        )


class TrainerFailed(CompileError):
    """The trainer of a recipe could not do what it was asked for."""

    def __init__(self, command: Sequence[str], action: str, problem: str) -> None:
        self.command, self.action, self.problem = tuple(command), action, problem
        super().__init__(f"trainer {' '.join(self.command)!r}, {action}: {problem}")


class NoFrames(CompileError):
    """A folder of frames has too few pictures."""

    def __init__(self, folder: Path, found: int, wanted: int) -> None:
        self.folder, self.found, self.wanted = folder, found, wanted
        super().__init__(f"{folder} has {found} pictures (JPEG, PNG, WebP, BMP) where at least {wanted} are needed")


class UnusableFrame(CompileError):
    """A picture of a folder cannot be read or decoded."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"frame {path}: {problem}; repair it or take it out of the folder")


class UniformFrames(CompileError):
    """Pictures of a folder that show nothing."""

    def __init__(self, folder: Path, uniform: Sequence[Path], looked_at: int) -> None:
        self.folder, self.uniform, self.looked_at = folder, tuple(uniform), looked_at
        super().__init__(
            f"frames {folder}: {len(uniform)} of {looked_at} are of one colour, {uniform[0]} is the first: remove them"
        )


class CalibrationMissing(CompileError):
    """A recipe names an INT8 variant, but no frames to calibrate it with."""

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(
            f"INT8 of {model} needs calibration frames: add `calibration: {{frames: <folder>}}` to its recipe"
        )


class NoVariantLeft(CompileError):
    """Every variant was refused or misses the gate; the reasons are listed and nothing was packaged."""

    def __init__(self, build: str, reasons: Sequence[str]) -> None:
        self.build, self.reasons = build, tuple(reasons)
        super().__init__(f"{build} was not packaged: " + "; ".join(self.reasons))


class BuildExists(CompileError):
    """A build of this name is there already, and builds never change."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(
            f"{directory} exists and builds never change: raise the version in the recipe, or remove it if it was never"
            " delivered"
        )


class InvalidBuild(CompileError):
    """A build directory is damaged or contradicts itself; every problem is listed."""

    def __init__(self, directory: Path, problems: Sequence[str]) -> None:
        self.directory, self.problems = directory, tuple(problems)
        super().__init__(f"{directory} is not a valid build: " + "; ".join(self.problems))


class NoBuilds(CompileError):
    """A path holds no build to begin with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} is no build and holds none: name a directory <model>-<version>_<class> with card.json, or a"
            " folder of them; a model file alone becomes one with `outpost-compile add`"
        )


class VariantNotRunnable(CompileError):
    """What a build holds cannot become anything that a hardware class runs, without frames to calibrate with."""

    def __init__(self, build: str, variant: str, hardware_class: str, runs: Sequence[str]) -> None:
        self.build, self.variant, self.hardware_class, self.runs = build, variant, hardware_class, tuple(runs)
        super().__init__(
            f"{build} holds {variant} numbers, {hardware_class} runs {', '.join(self.runs)}: begin with a build that"
            " holds one of them, or f32 or bf16; or build the recipe, which makes each from the trained model"
        )


class OtherFileThere(CompileError):
    """A file that is copied beside builds would replace another."""

    def __init__(self, path: Path, source: Path) -> None:
        self.path, self.source = path, source
        super().__init__(f"{path} is there and differs from {source}: remove one of them, or choose another --output")
