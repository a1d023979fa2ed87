"""What can go wrong while quantising, as facts; each error writes its own sentence.

::

    CompileError
    +-- CalibrationFramesRefused   a folder of frames that ranges cannot be measured on
    +-- InvalidCalibrationCache    the bytes are not a calibration cache
    +-- ModelError
    |   +-- ActivationNotFinite    the float model itself gives NaN or infinity
    |   +-- CalibrationOfAnotherModel  the ranges were measured on another model
    |   +-- NoSuchNode             a node to keep float is not in the graph
    |   +-- WeightOnlyRefused      weight-only quantisation would not help this network
"""

import difflib
from collections.abc import Sequence
from pathlib import Path

from model_compiler.errors import CompileError, ModelError


class CalibrationFramesRefused(CompileError):
    """Frames that are too few, copies of one another, or not what the network takes."""

    def __init__(self, source: Path | str, problem: str) -> None:
        self.source, self.problem = source, problem
        super().__init__(f"calibration frames {source}: {problem}")


class InvalidCalibrationCache(CompileError):
    """Bytes that are not a calibration cache of this version."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the calibration cache cannot be read: {reason}; calibrate again")


class ActivationNotFinite(ModelError):
    """The float model gives values without a range."""

    def __init__(self, tensor: str) -> None:
        self.tensor = tensor
        super().__init__(
            f"tensor {tensor!r} takes NaN or infinite values on the calibration frames: the float model itself is"
            " broken, or its inputs are normalised wrongly"
        )


class CalibrationOfAnotherModel(ModelError):
    """Ranges were measured on one model and used for another."""

    def __init__(self, calibrated_sha256: str, actual_sha256: str) -> None:
        self.calibrated_sha256, self.actual_sha256 = calibrated_sha256, actual_sha256
        super().__init__(
            f"the calibration cache belongs to model {calibrated_sha256[:12]}, this is {actual_sha256[:12]}: calibrate"
            " again"
        )


class NoSuchNode(ModelError):
    """A node that is to be kept float does not exist."""

    def __init__(self, node: str, known: Sequence[str]) -> None:
        self.node, self.near = node, tuple(difflib.get_close_matches(node, known, n=3))
        hint = f"; did you mean {' or '.join(map(repr, self.near))}?" if self.near else ""
        super().__init__(f"float_nodes: the model has no node {node!r}{hint}")


class WeightOnlyRefused(ModelError):
    """Quantising weights alone would leave most of the network's work as it is."""

    def __init__(self, kind: str, share: float, reason: str) -> None:
        self.kind, self.share, self.reason = kind, share, reason
        super().__init__(f"{kind} is refused: it would touch {share:.1%} of the multiply-adds; {reason}")
