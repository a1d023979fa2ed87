import pytest
import torch

from model_training.loss import DetectionLoss, complete_iou
from model_training.network import Detector, cell_centres
from model_training.network_settings import NETWORKS, NetworkSettings

TINY = NetworkSettings("tiny", (16, 16, 16, 16, 16), (1, 1, 1, 1), (16, 16, 16), 16, 1, "relu")


def test_complete_iou_of_equal_boxes_is_one() -> None:
    box = torch.tensor([[3.0, 4.0, 30.0, 44.0]])
    assert complete_iou(box, box).item() == pytest.approx(1.0, abs=1e-5)


def test_complete_iou_of_distant_boxes_is_minus_their_distance_share() -> None:
    first, second = torch.tensor([[0.0, 0.0, 10.0, 10.0]]), torch.tensor([[30.0, 0.0, 40.0, 10.0]])
    assert complete_iou(first, second).item() == pytest.approx(-(30**2) / (40**2 + 10**2), abs=1e-5)


def test_perfect_predictions_cost_almost_nothing() -> None:
    centres, strides = cell_centres((64, 64))
    truth = torch.tensor([[[8.0, 8.0, 40.0, 48.0]]])
    low, high = (centres - truth[0, :, :2]) / strides, (truth[0, :, 2:] - centres) / strides
    distances = torch.cat([low, high], 1)[None]
    loss = DetectionLoss((64, 64), torch.device("cpu"))
    parts = loss(distances, torch.zeros(1, len(centres), 2), truth, torch.tensor([[1]]), torch.tensor([[True]]))
    assert parts.box.item() == pytest.approx(0.0, abs=1e-4)


def test_a_batch_without_boxes_has_a_finite_gradient() -> None:
    detector = Detector(TINY, 6)
    distances, logits = detector(torch.rand(2, 3, 64, 64))
    loss = DetectionLoss((64, 64), torch.device("cpu"))
    empty = torch.zeros(2, 0, dtype=torch.int64)
    parts = loss(distances, logits, torch.zeros(2, 0, 4), empty, empty.bool())
    parts.total.backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in detector.parameters() if parameter.grad is not None]
    assert gradients
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def test_the_loss_falls_on_a_toy_set() -> None:
    torch.manual_seed(0)
    images = torch.zeros(4, 3, 64, 64)
    boxes = torch.tensor([[[8.0, 8, 32, 32]], [[24, 16, 56, 40]], [[4, 30, 30, 60]], [[30, 30, 60, 60]]])
    for image, (x1, y1, x2, y2) in zip(images, boxes[:, 0].int().tolist(), strict=True):
        image[:, y1:y2, x1:x2] = 1.0
    classes, valid = torch.zeros(4, 1, dtype=torch.int64), torch.ones(4, 1, dtype=torch.bool)
    detector = Detector(TINY, 2)
    optimizer = torch.optim.AdamW(detector.parameters(), lr=5e-3)
    loss = DetectionLoss((64, 64), torch.device("cpu"))
    history = []
    for _ in range(30):
        distances, logits = detector(images)
        parts = loss(distances, logits, boxes, classes, valid)
        optimizer.zero_grad()
        parts.total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        history.append(parts.total.item())
    assert history[-1] < 0.5 * history[0]


def test_the_student_is_at_most_a_seventh_of_the_teacher() -> None:
    sizes = {
        name: sum(parameter.numel() for parameter in Detector(settings, 6).parameters())
        for name, settings in NETWORKS.items()
    }
    assert sizes["teacher"] <= 4_000_000
    assert sizes["student"] <= sizes["teacher"] / 7
