"""Graphs of a few nodes, right and wrong ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

Array = NDArray[Any]


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, **attributes)


def graph(
    nodes: Sequence[onnx.NodeProto],
    *,
    weights: Mapping[str, Array] | None = None,
    size: Sequence[int | str] = ("batch", 3, 8, 8),
    output: Sequence[int | str] | None = None,
    datatype: int = TensorProto.FLOAT,
    opsets: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    """Input ``x``, output ``y``, of the same size where none is given."""
    made = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", datatype, size)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, size if output is None else output)],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    entries = [helper.make_opsetid(domain, version) for domain, version in (opsets or {"": 17}).items()]
    return helper.make_model(made, opset_imports=entries, ir_version=8)


def classifier(*, classes: int = 4, seed: int = 0, softmax: bool = False) -> onnx.ModelProto:
    """``x`` FP32 [N,3,8,8] -> two convolutions, mean over the picture -> ``y`` [N,C], logits or probabilities."""
    rng = np.random.default_rng(seed)
    weights = {
        "w1": rng.standard_normal((8, 3, 3, 3)).astype(np.float32) / 3,
        "b1": rng.standard_normal(8).astype(np.float32),
        "w2": rng.standard_normal((classes, 8, 3, 3)).astype(np.float32) / 5,
        "b2": rng.standard_normal(classes).astype(np.float32),
    }
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], name="first", pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"], name="rectify"),
        node("Conv", ["r1", "w2", "b2"], ["c2"], name="second"),
        node("GlobalAveragePool", ["c2"], ["pooled"], name="pool"),
        node("Flatten", ["pooled"], ["logits" if softmax else "y"], name="flatten"),
    ]
    if softmax:
        nodes.append(node("Softmax", ["logits"], ["y"], name="softmax"))
    return graph(nodes, weights=weights, output=["batch", classes])


def frames(count: int = 6, *, height: int = 8, width: int = 8, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


class _Samples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, samples: Array) -> None:
        self._samples = iter([{name: sample[None]} for sample in samples])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._samples, None)


def quantized(model: onnx.ModelProto, samples: Array, *, scheme: str) -> onnx.ModelProto:
    """INT8 with ``u8s8`` (zero points), ``s8s8`` (symmetric) or ``s8`` (signed with zero points) activations."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "quantized.onnx"
        quantize_static(
            model,
            target,
            _Samples(model.graph.input[0].name, samples),
            activation_type=QuantType.QUInt8 if scheme == "u8s8" else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["Conv"],
            extra_options={"ActivationSymmetric": scheme == "s8s8", "WeightSymmetric": True},
        )
        return onnx.load_model(target)
