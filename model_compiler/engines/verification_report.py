"""What the comparison of a candidate with its reference found."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.quantization import Variant
from model_compiler.engines.agreement import Agreement
from model_compiler.engines.errors import VerificationFailed
from model_compiler.engines.layer_report import LayerReport
from model_compiler.engines.tensor_error import TensorError
from model_compiler.engines.tolerance import TOLERANCES


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch size.

    Attributes:
        frames: How many were compared.
        outputs: Errors of the outputs that both models have in the same form; none between a plain and a grafted one.
        agreement: Of the answers; None where an output was not finite.
    """

    batch_size: int
    frames: int
    outputs: tuple[TensorError, ...]
    agreement: Agreement | None


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """The verdict; ``problems`` is empty where the candidate is inside the tolerance of its variant.

    Attributes:
        runtime: Name and version of what ran the candidate.
        layers: Where the candidate leaves its reference; only looked for where there are problems.
    """

    variant: Variant
    runtime: str
    batches: tuple[BatchReport, ...]
    problems: tuple[str, ...]
    layers: LayerReport | None

    @property
    def passed(self) -> bool:
        """Whether the candidate may go on."""
        return not self.problems

    @property
    def caveat(self) -> str | None:
        """What a comparison without problems left open, a sentence; None where it left nothing open."""
        if self.problems or any(self._decides(batch) for batch in self.batches):
            return None
        first = self.batches[0]
        weak = first.agreement
        if weak is None or not weak.compared:
            return (
                f"not verified against the FP32 reference: on {first.frames} frames neither detects anything, nor comes"
                " near it; give frames that show objects"
            )
        return (
            f"verified against the FP32 reference only below the thresholds: on {first.frames} frames neither detects"
            f" anything, and {weak.agreeing} of {weak.compared} candidates from a score of {weak.score_from:.2g} on"
            " agree; give frames that show objects"
        )

    def _decides(self, batch: BatchReport) -> bool:
        """Whether detections or classes were compared, or outputs value by value."""
        found = batch.agreement
        if found is not None and found.compared and not found.below_thresholds:
            return True
        return bool(batch.outputs) and math.isfinite(TOLERANCES[self.variant].relative_error)

    def text(self) -> str:
        """For people; the first line is the verdict."""
        return "\n".join(self._lines())

    def require(self) -> None:
        """Stop a candidate that deviates.

        Raises:
            VerificationFailed: It may not go on.
        """
        if self.problems:
            raise VerificationFailed(self.problems, self.text())

    def _lines(self) -> Iterator[str]:
        verdict = "agrees with" if self.passed else "deviates from"
        if self.caveat:
            yield f"{self.variant} on {self.runtime}: {self.caveat}"
            return
        first = "; ".join(self.problems) or "; ".join(_summary(batch) for batch in self.batches)
        yield f"{self.variant} on {self.runtime} {verdict} the FP32 reference: {first}"
        if self.passed:
            return
        yield from (f"  {_summary(batch)}" for batch in self.batches)
        if self.layers is not None:
            yield from (f"  {line}" for line in self.layers.lines())


def _summary(batch: BatchReport) -> str:
    parts = [f"batch {batch.batch_size}, {batch.frames} frames"]
    parts += [f"{error.name} largest error {error.largest:.2g} ({error.relative:.2g})" for error in batch.outputs]
    if batch.agreement is not None:
        agreement = batch.agreement
        what = "candidates below the thresholds" if agreement.below_thresholds else "answers"
        parts.append(
            f"{agreement.agreeing} of {agreement.compared} {what} agree, scores differ by"
            f" {agreement.mean_score_difference:.2g} on average and {agreement.largest_score_difference:.2g} at most"
        )
    return ", ".join(parts)
