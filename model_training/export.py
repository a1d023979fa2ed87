"""PyTorch to ONNX: the plain form, with a check that both give the same numbers."""

import copy
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import fusion

from model_training.blocks import ConvBlock
from model_training.dataset import render_prepared
from model_training.frame_distribution import SPLIT_SEEDS
from model_training.network import DecodedDetector, Detector, cell_centres
from model_training.network_settings import INPUT_HEIGHT, INPUT_WIDTH
from model_training.part_labels import PART_LABELS

OPSET = 17
TOLERANCE = 1e-4
PARITY_BATCHES = (1, 8)


@dataclass(frozen=True)
class ExportParity:
    """Largest difference between PyTorch and ONNX Runtime on frames.

    Attributes:
        batch: number of frames compared.
        boxes_px: largest difference of a box value, in input pixels; 0 for a classifier.
        scores: largest difference of a score or logit.
    """

    batch: int
    boxes_px: float
    scores: float

    @property
    def largest(self) -> float:
        """The larger of both, boxes as a share of the input's width."""
        return max(self.boxes_px / INPUT_WIDTH, self.scores)


class ExportMismatch(Exception):
    """The exported graph computes something else than the net."""

    def __init__(self, parity: ExportParity) -> None:
        """Keep the measured differences."""
        super().__init__(
            f"ONNX and PyTorch differ at batch {parity.batch}: boxes by {parity.boxes_px:.2e} px, scores by "
            f"{parity.scores:.2e} (allowed {TOLERANCE:.0e} of the width and {TOLERANCE:.0e})"
        )
        self.parity = parity


def export_network(network: nn.Module, path: Path) -> list[ExportParity]:
    """Write the plain ONNX form of a net: `images` FP32 [N,3,H,W] to its output, with an open batch axis.

    A detector gives `predictions` FP32 [N,4+C,A], a classifier `logits` FP32 [N,C].

    Args:
        network: trained net; it is not changed.
        path: file to write; replaced when the check has passed.

    Returns:
        Measured differences at batch 1 and 8, on frames of the validation split.

    Raises:
        ExportMismatch: a difference is larger than 1e-4 (scores, and boxes as a share of the width).
    """
    plain, output, shape = _exported_form(network)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".onnx.tmp")
    example = torch.rand(2, 3, INPUT_HEIGHT, INPUT_WIDTH)
    with warnings.catch_warnings(), torch.no_grad():
        # The TorchScript exporter is deprecated in favour of one that needs a package more.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            plain,
            (example,),
            str(temporary),
            input_names=["images"],
            output_names=[output],
            dynamic_axes={"images": {0: "batch"}, output: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    _state_output_sizes(temporary, shape)
    parities = [measure_parity(plain, temporary, output, batch) for batch in PARITY_BATCHES]
    for parity in parities:
        if parity.largest > TOLERANCE:
            raise ExportMismatch(parity)
    temporary.replace(path)
    return parities


def _exported_form(network: nn.Module) -> tuple[nn.Module, str, tuple[int, ...]]:
    """The module to export, the name of its output and the sizes of its output after the batch."""
    folded = fused(network)
    if isinstance(folded, Detector):
        decoded = DecodedDetector(folded, (INPUT_WIDTH, INPUT_HEIGHT)).eval()
        plain = decoded.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return plain, "predictions", (4 + folded.class_count, len(cell_centres((INPUT_WIDTH, INPUT_HEIGHT))[0]))
    plain = folded.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return plain, "logits", (len(PART_LABELS),)


def _state_output_sizes(path: Path, sizes: tuple[int, ...]) -> None:
    """The exporter leaves the sizes of the output open; clients read them from the file."""
    model = onnx.load(str(path))
    for dimension, size in zip(model.graph.output[0].type.tensor_type.shape.dim[1:], sizes, strict=True):
        dimension.dim_value = size
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def measure_parity(plain: nn.Module, path: Path, output: str, batch: int) -> ExportParity:
    """Run net and file on the same frames."""
    images = _frames(batch)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    actual = np.asarray(session.run([output], {"images": images})[0])
    with torch.no_grad():
        expected = plain(torch.from_numpy(images)).numpy()
    difference = np.abs(actual - expected)
    if difference.ndim == 2:
        return ExportParity(batch, 0.0, float(difference.max()))
    return ExportParity(batch, float(difference[:, :4].max()), float(difference[:, 4:].max()))


def _frames(count: int) -> NDArray[np.float32]:
    """The first frames of the validation split as network input, (N, 3, H, W)."""
    pixels = np.empty((count, INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    for index in range(count):
        render_prepared(SPLIT_SEEDS["val"], index, pixels[index])
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32) / np.float32(255.0)


def fused(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode, on the CPU, whose batch normalisations are folded into the convolutions."""
    copied = copy.deepcopy(network).cpu().float().eval()
    for block in copied.modules():
        if isinstance(block, ConvBlock):
            block.conv = fusion.fuse_conv_bn_eval(block.conv, block.norm)
            block.norm = nn.Identity()  # type: ignore[assignment]
    return copied
