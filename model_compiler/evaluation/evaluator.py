"""What measures builds: the port between a compilation and the gateway that its builds are served through."""

from collections.abc import Callable, Sequence
from typing import Protocol

from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.settings import EvaluationSettings


class Evaluator(Protocol):
    """Measures builds side by side."""

    def __call__(
        self,
        candidates: Sequence[Candidate],
        frames: LabelledFrames,
        settings: EvaluationSettings,
        *,
        hardware_class: str,
        report: Callable[[str], None],
    ) -> Evaluation:
        """See `evaluate.evaluate_candidates`."""
        ...
