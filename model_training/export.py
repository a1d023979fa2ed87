"""PyTorch to ONNX: the plain form, with a check that both give the same numbers."""

import copy
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn.utils import fusion

from model_training.blocks import ConvBlock
from model_training.network import DecodedDetector, Detector
from model_training.network_settings import INPUT_HEIGHT, INPUT_WIDTH

OPSET = 17
SCORE_TOLERANCE = 1e-4
BOX_TOLERANCE_SHARE = 1e-4


@dataclass(frozen=True)
class ExportParity:
    """Largest differences between PyTorch and ONNX Runtime.

    Attributes:
        batch: number of pictures compared.
        boxes_px: largest difference of a box value, in input pixels.
        boxes_share: the same, as a share of the input's width.
        scores: largest difference of a score.
    """

    batch: int
    boxes_px: float
    boxes_share: float
    scores: float


class ExportMismatch(Exception):
    """The exported graph computes something else than the net."""

    def __init__(self, parity: ExportParity) -> None:
        """Keep the measured differences."""
        super().__init__(
            f"ONNX and PyTorch differ at batch {parity.batch}: boxes by {parity.boxes_px:.2e} px, scores by "
            f"{parity.scores:.2e} (allowed {BOX_TOLERANCE_SHARE:.0e} of the width and {SCORE_TOLERANCE:.0e})"
        )
        self.parity = parity


def export_detector(detector: Detector, path: Path) -> list[ExportParity]:
    """Write the plain ONNX form of a detector: `images` FP32 [N,3,H,W] to `predictions` FP32 [N,4+C,A].

    Args:
        detector: trained net; it is not changed.
        path: file to write; replaced when the check has passed.

    Returns:
        Measured differences at batch 1 and 8.

    Raises:
        ExportMismatch: a difference is larger than 1e-4 (scores, and boxes as a share of the width).
    """
    decoded = DecodedDetector(fused(detector), (INPUT_WIDTH, INPUT_HEIGHT)).eval()
    decoded = decoded.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    example = torch.rand(2, 3, INPUT_HEIGHT, INPUT_WIDTH)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".onnx.tmp")
    with warnings.catch_warnings(), torch.no_grad():
        # The TorchScript exporter is deprecated in favour of one that needs a package more.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            decoded,
            (example,),
            str(temporary),
            input_names=["images"],
            output_names=["predictions"],
            dynamic_axes={"images": {0: "batch"}, "predictions": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    _state_output_sizes(temporary, 4 + detector.class_count, int(decoded.centres.shape[0]))
    parities = [measure_parity(decoded, temporary, batch) for batch in (1, 8)]
    for parity in parities:
        if parity.scores > SCORE_TOLERANCE or parity.boxes_share > BOX_TOLERANCE_SHARE:
            raise ExportMismatch(parity)
    temporary.replace(path)
    return parities


def _state_output_sizes(path: Path, rows: int, cells: int) -> None:
    """The exporter leaves the sizes of the output open; clients read them from the file."""
    model = onnx.load(str(path))
    dimensions = model.graph.output[0].type.tensor_type.shape.dim
    dimensions[1].dim_value, dimensions[2].dim_value = rows, cells
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def measure_parity(decoded: DecodedDetector, path: Path, batch: int) -> ExportParity:
    """Run net and file on the same seeded noise pictures."""
    images = np.random.default_rng(batch).random((batch, 3, INPUT_HEIGHT, INPUT_WIDTH), dtype=np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    actual = np.asarray(session.run(["predictions"], {"images": images})[0])
    with torch.no_grad():
        expected = decoded(torch.from_numpy(images)).numpy()
    difference = np.abs(actual - expected)
    boxes_px = float(difference[:, :4].max())
    return ExportParity(batch, boxes_px, boxes_px / INPUT_WIDTH, float(difference[:, 4:].max()))


def fused(detector: Detector) -> Detector:
    """A copy in evaluation mode, on the CPU, whose batch normalisations are folded into the convolutions."""
    copied = copy.deepcopy(detector).cpu().float().eval()
    for block in copied.modules():
        if isinstance(block, ConvBlock):
            block.conv = fusion.fuse_conv_bn_eval(block.conv, block.norm)
            block.norm = nn.Identity()  # type: ignore[assignment]
    return copied
