import pytest
import torch
from torch import Tensor

from model_training.distillation import DetectorDistillation

CPU = torch.device("cpu")
CELLS = 8 * 4 + 4 * 2 + 2 * 1


def outputs(seed: int, confident: bool = True) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, CELLS, 6, generator=generator) * 2 - (1 if confident else 12)
    return torch.rand(2, CELLS, 4, generator=generator) * 3, logits


def loss(temperature: float = 2.0) -> DetectorDistillation:
    return DetectorDistillation((64, 32), CPU, temperature=temperature)


def test_a_student_equal_to_its_teacher_pays_nothing() -> None:
    distances, logits = outputs(0)
    assert float(loss()(distances, logits, distances, logits)) == pytest.approx(0.0, abs=1e-5)


def test_any_difference_costs() -> None:
    teacher, student = outputs(0), outputs(1)
    assert float(loss()(student[0], teacher[1], *teacher)) > 0.01
    assert float(loss()(teacher[0], student[1], *teacher)) > 0.01


def test_a_step_along_the_gradient_brings_the_student_nearer() -> None:
    teacher, student = outputs(0), outputs(1)
    logits = student[1].clone().requires_grad_()
    before = loss()(teacher[0], logits, *teacher)
    before.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    after = loss()(teacher[0], (logits - 0.5 * logits.grad / logits.grad.norm()).detach(), *teacher)
    assert float(after) < float(before.detach())


def test_the_square_of_the_temperature_keeps_gradients_as_large() -> None:
    teacher, student = outputs(0), outputs(1)
    sizes = []
    for temperature in (1.0, 4.0):
        logits = student[1].clone().requires_grad_()
        loss(temperature)(teacher[0], logits, *teacher).backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        sizes.append(float(logits.grad.norm()))
    assert 0.3 < sizes[1] / sizes[0] < 3.0


def test_a_teacher_that_sees_nothing_teaches_no_boxes() -> None:
    teacher, student = outputs(0, confident=False), outputs(1, confident=False)
    value = loss()(student[0].requires_grad_(), teacher[1], *teacher)
    assert float(value) == pytest.approx(0.0, abs=1e-6)
