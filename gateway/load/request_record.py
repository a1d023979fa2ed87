"""What is kept of each request of a load."""

from dataclasses import dataclass

from gateway.load.frame_sender import OK


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request; times are readings of one clock, in seconds.

    Attributes:
        intended_at: When the schedule wanted it sent; the same as ``sent_at`` in a closed loop.
        sent_at: When it was sent.
        finished_at: When the answer was there.
        code: See ``SendOutcome.code``.
        stages: See ``SendOutcome.stages``.
    """

    intended_at: float
    sent_at: float
    finished_at: float
    code: str
    stages: str

    @property
    def answered(self) -> bool:
        """Whether it brought a result."""
        return self.code == OK

    @property
    def latency_seconds(self) -> float:
        """From the intended moment: a late sender does not make the server look faster."""
        return self.finished_at - self.intended_at
