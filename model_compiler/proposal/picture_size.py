"""Width and height of a network's input."""

from model_compiler.graph.onnx_model import TensorFacts
from model_compiler.proposal.assumption import Assumption
from model_compiler.proposal.errors import NotProposable
from model_compiler.proposal.exporter_notes import ExporterNotes

_FLAG = "--size"
_USUAL = {"detection": 640, "classification": 224}


def choose_size(
    picture: TensorFacts, outputs: tuple[TensorFacts, ...], notes: ExporterNotes, given_wh: tuple[int, int] | None
) -> tuple[tuple[int, int], Assumption]:
    """The size: what the model fixes, else what was given, else what was noted, else what is usual.

    Args:
        picture: The input.
        outputs: Outputs as exported; three axes mean a detector.
        notes: What the exporter noted.
        given_wh: What the user says.

    Raises:
        NotProposable: The model has another size than was given.
    """
    height, width = picture.shape[2:]
    if width is not None and height is not None:
        if given_wh not in {None, (width, height)}:
            raise NotProposable(
                f"input: {picture} has a fixed size of {width}x{height}",
                f"{_FLAG} cannot change it, export it for the size that you want, or with open sizes",
            )
        return (width, height), Assumption("size", f"{width}x{height}", "the model has it fixed")
    if given_wh is not None:
        return given_wh, Assumption("size", _text(given_wh), "as given")
    if notes.size_wh is not None:
        return notes.size_wh, Assumption(
            "size", _text(notes.size_wh), "the model leaves it open, noted is imgsz", _FLAG
        )
    task = "detection" if any(len(output.shape) == 3 for output in outputs) else "classification"
    side = _USUAL[task]
    usual = (width or side, height or side)
    return usual, Assumption("size", _text(usual), f"the model leaves it open, this is usual for {task}", _FLAG)


def _text(size_wh: tuple[int, int]) -> str:
    return f"{size_wh[0]}x{size_wh[1]}"
