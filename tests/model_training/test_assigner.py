import pytest
import torch

from model_training.assigner import AssignmentSettings, assign_cells, pairwise_iou
from model_training.network import cell_centres

CENTRES = torch.tensor([[4.0, 4.0], [12.0, 4.0], [20.0, 4.0], [28.0, 4.0]])
STRIDES = torch.full((4, 1), 8.0)


def test_pairwise_iou() -> None:
    first = torch.tensor([[[0.0, 0, 10, 10]]])
    second = torch.tensor([[[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]]])
    assert pairwise_iou(first, second)[0, 0].tolist() == pytest.approx([1.0, 1 / 3, 0.0], abs=1e-6)


def test_a_box_takes_the_best_predicting_cells_near_it() -> None:
    truth = torch.tensor([[[0.0, 0, 16, 8]]])
    predicted = torch.tensor([[[0.0, 0, 16, 8], [0, 0, 8, 8], [0, 0, 16, 8], [0, 0, 16, 8]]])
    scores = torch.full((1, 4, 2), 0.5)
    found = assign_cells(predicted, scores, CENTRES, STRIDES, truth, torch.tensor([[1]]), torch.tensor([[True]]))
    # The third and fourth cell predict perfectly but lie outside of the box.
    assert found.weight[0].tolist() == pytest.approx([1.0, 0.5**6 * 1.0, 0.0, 0.0], abs=1e-4)


def test_a_contested_cell_learns_the_box_that_it_overlaps_most() -> None:
    truth = torch.tensor([[[0.0, 0, 16, 8], [8, 0, 24, 8]]])
    predicted = torch.tensor([[[0.0, 0, 16, 8], [8, 0, 24, 8], [8, 0, 24, 8], [0, 0, 1, 1]]])
    scores = torch.full((1, 4, 1), 0.9)
    found = assign_cells(
        predicted,
        scores,
        CENTRES,
        STRIDES,
        truth,
        torch.zeros(1, 2, dtype=torch.int64),
        torch.ones(1, 2, dtype=torch.bool),
    )
    assert found.box_index[0, :3].tolist() == [0, 1, 1]
    assert found.weight[0, :3].tolist() == pytest.approx([1.0, 1.0, 1.0], abs=1e-4)


def test_padding_is_never_assigned() -> None:
    truth = torch.tensor([[[0.0, 0, 16, 8]]])
    found = assign_cells(
        truth.expand(1, 4, 4).clone(), torch.ones(1, 4, 1), CENTRES, STRIDES, truth,
        torch.tensor([[0]]), torch.tensor([[False]]),
    )  # fmt: skip
    assert found.weight.sum() == 0


def test_frames_without_boxes_are_background() -> None:
    found = assign_cells(
        torch.zeros(2, 4, 4), torch.ones(2, 4, 3), CENTRES, STRIDES, torch.zeros(2, 0, 4),
        torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.bool),
    )  # fmt: skip
    assert found.weight.shape == (2, 4)
    assert found.weight.sum() == 0


def test_no_more_cells_than_the_limit() -> None:
    centres, strides = cell_centres((64, 64))
    truth = torch.tensor([[[0.0, 0, 64, 64]]])
    predicted = truth.expand(1, len(centres), 4).clone()
    found = assign_cells(
        predicted, torch.full((1, len(centres), 1), 0.5), centres, strides, truth,
        torch.tensor([[0]]), torch.tensor([[True]]), AssignmentSettings(top_cells=3),
    )  # fmt: skip
    assert int((found.weight > 0).sum()) == 3
