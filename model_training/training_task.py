"""What a network learns from a batch: one scalar for each way of training."""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_training.batches import Batch
from model_training.distillation import DetectorDistillation
from model_training.loss import DetectionLoss
from model_training.part_classifier import cell_targets, frame_logits, part_classes

LABEL_SMOOTHING = 0.05


class TrainingTask(Protocol):
    """Gives the loss of a model on a batch."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Scalar to differentiate; the batch lies on the device of the model."""
        ...


def normalised(batch: Batch) -> Tensor:
    """(N, 3, H, W) float in 0..1, channels last in memory."""
    return batch.images.to(memory_format=torch.channels_last).float() / 255.0


class DetectionTask:
    """A detector learns boxes and classes.

    Args:
        loss: Against the true boxes.
    """

    def __init__(self, loss: DetectionLoss) -> None:
        self._loss = loss

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """See `TrainingTask.loss`."""
        images = normalised(batch)
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            distances, logits = model(images)
        return self._loss(distances, logits, batch.boxes_xyxy, batch.classes, batch.valid).total


class DistillationTask:
    """A detector learns from the true boxes and from a larger detector (Hinton et al. 2015).

    The loss is ``(1 - alpha) * task + alpha * teacher``.

    Args:
        teacher: In evaluation mode, on the device of the student.
        loss: Against the true boxes.
        distillation: Against the teacher's output.
        alpha: The teacher's share.
    """

    def __init__(
        self, teacher: nn.Module, loss: DetectionLoss, distillation: DetectorDistillation, *, alpha: float
    ) -> None:
        self._teacher, self._loss, self._distillation, self._alpha = teacher, loss, distillation, alpha

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """See `TrainingTask.loss`."""
        images = normalised(batch)
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            with torch.no_grad():
                teacher = self._teacher(images)
            distances, logits = model(images)
        task = self._loss(distances, logits, batch.boxes_xyxy, batch.classes, batch.valid).total
        return (1 - self._alpha) * task + self._alpha * self._distillation(distances, logits, *teacher)


class ClassifierDistillationTask:
    """A classifier learns from the true class and from another classifier's probabilities (Hinton et al. 2015).

    The loss is ``(1 - alpha) * task + alpha * T**2 * KL(teacher || student)``, both softened by the temperature T; its
    square keeps the teacher's gradients as large as the task's.

    Args:
        teacher: In evaluation mode, on the device of the student.
        temperature: Softens both.
        alpha: The teacher's share.
    """

    def __init__(self, teacher: nn.Module, *, temperature: float, alpha: float) -> None:
        self._teacher, self._temperature, self._alpha = teacher, temperature, alpha

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """See `TrainingTask.loss`."""
        images = normalised(batch)
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            with torch.no_grad():
                teacher = self._teacher(images).float()
            logits = model(images).float()
        task = functional.cross_entropy(logits, part_classes(batch), label_smoothing=LABEL_SMOOTHING)
        return (1 - self._alpha) * task + self._alpha * softened_divergence(logits, teacher, self._temperature)


def softened_divergence(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """``T**2 * KL(teacher || student)`` of the softened softmax of (N, C) logits, mean over the N."""
    student = functional.log_softmax(logits / temperature, 1)
    teacher = functional.log_softmax(teacher_logits / temperature, 1)
    return temperature**2 * functional.kl_div(student, teacher, reduction="batchmean", log_target=True)


class ClassificationTask:
    """A part classifier learns the class of a frame, and where in it the defects are."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """See `TrainingTask.loss`; cells count by the number of those that lie in a defect."""
        images = normalised(batch)
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            cells = model.cell_logits(images).float()  # type: ignore[operator]
        frames = functional.cross_entropy(frame_logits(cells), part_classes(batch), label_smoothing=LABEL_SMOOTHING)
        targets = cell_targets(batch, (cells.shape[2], cells.shape[3]))
        entropy = functional.binary_cross_entropy_with_logits(cells, targets, reduction="sum")
        return frames + entropy / targets.sum().clamp(min=1.0)
