"""What was measured of several variants of a release, and how they compare."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from contracts.model_card import Metric
from model_compiler.evaluation import classification_accuracy as classification
from model_compiler.evaluation import detection_accuracy as detection
from model_compiler.evaluation.errors import NotMeasured
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.predictions import Classifications, Detections, Predictions
from model_compiler.evaluation.variant_result import AccuracyDifference, Speedup, VariantResult
from vision.bootstrap import Interval


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All variants on the same frames, in the same rounds.

    Attributes:
        results: Of each variant by itself, by name; also of those that cannot be measured here and say so.
        predictions: Its answers to the frames; of those that were measured.
        frames: Those.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        failed: Variants that did not load or did not answer, with the reason; they have no result.
    """

    results: Mapping[str, VariantResult]
    predictions: Mapping[str, Predictions]
    frames: LabelledFrames
    resamples: int
    seed: int
    failed: Mapping[str, str] = field(default_factory=dict)

    def require_all(self) -> "Evaluation":
        """This one, where every variant was measured.

        Raises:
            NotMeasured: One was not.
        """
        unmeasured = {name: result.not_measured for name, result in self.results.items() if result.not_measured}
        if unmeasured or self.failed:
            raise NotMeasured(unmeasured | dict(self.failed))
        return self

    def compared(self, name: str, baseline: str) -> VariantResult:
        """One of the results with its difference in accuracy (without labels: agreement) and speed-up against another.

        The baseline itself is returned as it is, and so is one of which nothing was measured.

        Raises:
            KeyError: There is no variant of one of these names.
        """
        result, base = self.results[name], self.results[baseline]
        if name == baseline or result.not_measured:
            return result
        mine, theirs = self.predictions[result.name], self.predictions[base.name]
        update: dict[str, object] = {"speedup": speedup(result, base)}
        update["deciding_frames"] = self._deciding_frames(mine, theirs)
        if self.frames.labelled:
            update["difference"] = self._difference(mine, theirs, base.name)
        else:
            update["agreement"] = self._agreement(mine, theirs)
        return result.model_copy(update=update)

    def _difference(self, mine: Predictions, theirs: Predictions, baseline: str) -> AccuracyDifference:
        again = {"resamples": self.resamples, "seed": self.seed}
        match mine, theirs:
            case Detections(), Detections():
                metric, found = "mAP50", detection.map50_difference(mine, theirs, self.frames, **again)
            case Classifications(), Classifications():
                metric, found = "top1", classification.top1_difference(mine, theirs, self.frames, **again)
            case _:
                raise TypeError("a detector cannot be compared with a classifier")
        return AccuracyDifference(
            metric=metric,
            baseline=baseline,
            points=100 * found.value,
            low=100 * found.low,
            high=100 * found.high,
            frames=len(self.frames),
        )

    def _deciding_frames(self, mine: Predictions, theirs: Predictions) -> int | None:
        """A frame without a box, true or shown, says nothing of a detector."""
        if not isinstance(mine, Detections) or not isinstance(theirs, Detections):
            return None
        if self.frames.labelled:
            return sum(len(truth) > 0 for truth in self.frames.truths_xyxy)
        return sum(len(one) + len(other) > 0 for one, other in zip(mine.shown(), theirs.shown(), strict=True))

    def _agreement(self, mine: Predictions, theirs: Predictions) -> Metric:
        again = {"resamples": self.resamples, "seed": self.seed}
        found: Interval
        match mine, theirs:
            case Detections(), Detections():
                name, found = "agreement_f1", detection.detector_agreement(mine, theirs, **again)
            case Classifications(), Classifications():
                name, found = "agreement_top1", classification.classifier_agreement(mine, theirs, **again)
            case _:
                raise TypeError("a detector cannot be compared with a classifier")
        return detection.metric(name, found, self.frames)


def speedup(result: VariantResult, base: VariantResult) -> Speedup | None:
    """Images per second over the baseline's, round by round; None where one of them was not measured."""
    if not result.images_per_second_rounds or not base.images_per_second_rounds:
        return None
    ratios = np.array(result.images_per_second_rounds) / np.array(base.images_per_second_rounds)
    return Speedup(
        baseline=base.name, ratio=float(np.median(ratios)), low=float(ratios.min()), high=float(ratios.max())
    )
