"""A frame whose tensor is in its slot."""

from dataclasses import dataclass

from vision.letterbox import Placement


@dataclass(frozen=True, slots=True)
class PreparedInput:
    """Since when it was worked on, and how it was placed.

    Attributes:
        placement: How boxes get back to the frame.
        decode_seconds: From bytes to pixels; what is left until ``done_at`` counts as letterbox.
        began_at: When its preparation began, by the clock of the pipeline.
        done_at: When its tensor was whole.
    """

    placement: Placement
    decode_seconds: float
    began_at: float
    done_at: float
