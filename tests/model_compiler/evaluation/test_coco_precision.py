import numpy as np
import pytest

from model_compiler.evaluation.coco_precision import coco_precision
from tests.vision.noisy_detections import noisy_set
from vision.matching import average_precisions, match_class

LABELS = ("a", "b", "c", "d", "e", "f")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_our_matching_agrees_with_the_coco_library(seed: int) -> None:
    rows, truths, classes = noisy_set(seed, 300)
    library = coco_precision(rows, truths, classes, LABELS)
    own = np.array(
        [
            average_precisions(match_class(rows, truths, classes, index), np.ones(len(rows)))
            for index in range(len(LABELS))
        ]
    )
    assert library.shape == own.shape == (6, 10)
    assert np.nanmean(own[:, 0]) == pytest.approx(np.nanmean(library[:, 0]), abs=1e-3)
    assert np.nanmean(own) == pytest.approx(np.nanmean(library), abs=1e-3)


def test_a_class_without_true_boxes_is_unknown() -> None:
    truths, classes = [np.array([[0, 0, 9, 9]], np.float32)], [np.array([2])]
    nothing = coco_precision([np.zeros((0, 6), np.float32)], truths, classes, LABELS)
    wrong = coco_precision([np.array([[0, 0, 9, 9, 0.9, 1]], np.float32)], truths, classes, LABELS)
    for table in (nothing, wrong):
        assert np.isnan(table[[0, 1, 3, 4, 5]]).all()
        assert (table[2] == 0).all()
