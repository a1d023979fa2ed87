import pytest
import torch
from torch import nn
from torch.nn import functional

from model_training.batches import Batch
from model_training.network import Detector
from model_training.network_settings import STUDENT
from model_training.part_classifier import PartClassifier, cell_targets, frame_logits, part_classes
from model_training.training_task import ClassificationTask, ClassifierDistillationTask, softened_divergence

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]])
TEACHER = torch.tensor([[1.0, 1.0, -2.0], [4.0, 0.0, 0.0]])


@pytest.fixture(scope="module")
def batch() -> Batch:
    torch.manual_seed(0)
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 30, 5]], [[0, 0, 0, 0], [0, 0, 0, 0]]])
    valid = torch.tensor([[True, True], [False, False]])
    return Batch(torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8), boxes, torch.tensor([[4, 2], [0, 0]]), valid)


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return PartClassifier((16, 16, 16, 16)).eval()


def test_the_largest_defect_names_the_frame(batch: Batch) -> None:
    assert part_classes(batch).tolist() == [3, 0]


def test_cells_in_a_box_and_the_cell_of_its_centre_are_targets(batch: Batch) -> None:
    targets = cell_targets(batch, (4, 4))
    assert targets[0, 4].nonzero().tolist() == [[0, 0]]
    # 30 x 5 pixels hold no centre of a cell: the cell of their own centre stands for them.
    assert targets[0, 2].nonzero().tolist() == [[0, 0]]
    assert float(targets.sum()) == 2.0


def test_pass_wins_where_no_cell_sees_anything() -> None:
    cells = torch.full((1, 6, 4, 4), -3.0)
    assert frame_logits(cells).argmax(1).tolist() == [0]
    cells[0, 2, 3, 1] = 1.5
    assert frame_logits(cells)[0].tolist() == [0.0, -3.0, -3.0, 1.5, -3.0, -3.0, -3.0]


def test_a_classifier_learns_where_defects_are(batch: Batch) -> None:
    model = network(3).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(12):
        loss = ClassificationTask().loss(model, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_a_classifier_begins_with_the_stages_of_a_detector() -> None:
    detector = Detector(STUDENT, 6)
    classifier = PartClassifier()
    classifier.begin_with(detector.state_dict())
    name = "stage16.1.join.conv.weight"
    assert torch.equal(classifier.state_dict()[name], detector.state_dict()[name])


def test_the_divergence_is_that_of_the_formula() -> None:
    soft, hard = functional.softmax(TEACHER / 4, 1), functional.softmax(LOGITS / 4, 1)
    expected = 16 * float((soft * (soft.log() - hard.log())).sum(1).mean())
    assert float(softened_divergence(LOGITS, TEACHER, 4.0)) == pytest.approx(expected, rel=1e-5)
    assert float(softened_divergence(TEACHER, TEACHER, 4.0)) == pytest.approx(0.0, abs=1e-6)


def test_without_its_square_a_temperature_would_weaken_the_teacher() -> None:
    sizes = []
    for temperature in (1.0, 4.0):
        logits = LOGITS.clone().requires_grad_()
        softened_divergence(logits, TEACHER, temperature).backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        sizes.append(float(logits.grad.norm()))
    assert 0.3 < sizes[1] / sizes[0] < 3.0


@torch.no_grad()
def test_alpha_weighs_the_task_against_the_teacher(batch: Batch) -> None:
    # Untrained, only batch statistics make them differ.
    student, teacher = network(1).train(), network(2).train()

    def loss(alpha: float, taught_by: nn.Module = teacher) -> float:
        return float(ClassifierDistillationTask(taught_by, temperature=2.0, alpha=alpha).loss(student, batch))

    task = loss(0.0)
    assert task > 0.1
    assert loss(1.0, student) == pytest.approx(0.0, abs=1e-6)
    assert loss(1.0) > 1e-6
    assert loss(0.25) == pytest.approx(0.75 * task + 0.25 * loss(1.0), rel=1e-5)
