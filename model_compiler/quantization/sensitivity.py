"""Mixed precision: the layers that cost too much stay float, found by measuring.

First everything is quantised. Where that misses the target, each layer is quantised alone, and the layers that do the
most harm alone are made float one after the other, until the target is reached or as many are float as may be.
"""

from collections.abc import Callable
from dataclasses import dataclass

import onnx

from contracts.quantization import Scheme
from model_compiler.quantization.calibrate import batches_of
from model_compiler.quantization.calibration_cache import CalibrationCache
from model_compiler.quantization.calibration_frames import CalibrationInputs
from model_compiler.quantization.output_fidelity import OutputFidelity
from model_compiler.quantization.quantizable_graph import picture_input, quantizable_graph
from model_compiler.quantization.settings import QuantizationSettings
from model_compiler.quantization.static_int8 import Task, kept_float, quantizable_layers, quantize_graph

Measure = Callable[[bytes], float]


@dataclass(frozen=True, slots=True)
class SensitivityStep:
    """One measurement: the SQNR in dB that the network reaches with these layers float."""

    float_layers: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class SensitivityResult:
    """Which nodes stay float, and what led there.

    Attributes:
        float_nodes: Those given by hand and those found.
        target: SQNR in dB that was to be reached; None where nothing was measured.
        value: What is reached.
        steps: All measurements of the search, in order.
    """

    float_nodes: tuple[str, ...]
    target: float | None = None
    value: float | None = None
    steps: tuple[SensitivityStep, ...] = ()

    @property
    def reached(self) -> bool:
        """Whether the target is reached; also where there is none."""
        return self.target is None or (self.value is not None and self.value >= self.target)

    def notes(self) -> tuple[str, ...]:
        """What a reader of the build's history is told, a line each."""
        if self.target is None or self.value is None:
            return ()
        reached = "reached" if self.reached else "not reached"
        lines = [f"quantisation fidelity {self.value:.1f}, target {self.target:.1f} {reached}"]
        lines += [f"{step.value:.1f} with {step.float_layers[-1]} float as well" for step in self.steps[1:]]
        if self.float_nodes:
            lines.append(f"kept float: {', '.join(self.float_nodes)}")
        return tuple(lines)


def choose_float_nodes(
    model: bytes,
    cache: CalibrationCache,
    scheme: Scheme,
    frames: CalibrationInputs,
    settings: QuantizationSettings,
    *,
    task: Task = "detection",
) -> SensitivityResult:
    """Find the nodes to keep float; the same arguments give the same nodes.

    Args:
        model: The plain FP32 network that was calibrated.
        cache: Its ranges.
        scheme: Which form is measured.
        frames: Inputs that it is measured on; the first ``settings.sensitivity.frames`` are taken.
        settings: How many nodes at most, the target, and the nodes given by hand.
        task: A detector's head stays float in any case.

    Raises:
        ModelError: The graph cannot be quantised.
    """
    limit, target = settings.sensitivity.max_float_nodes, settings.sensitivity.target_sqnr_db
    if limit == 0:
        return SensitivityResult(settings.float_nodes)
    graph = quantizable_graph(model)
    kept = kept_float(graph, settings.float_nodes, task=task, float_classifier=settings.float_classifier)
    batches = batches_of(frames.first(settings.sensitivity.frames), picture_input(graph))
    measure = OutputFidelity(model, list(batches)).sqnr_db

    def value_of(float_layers: tuple[str, ...]) -> SensitivityStep:
        quantized = quantize_graph(graph, cache, scheme, kept | frozenset(float_layers))
        return SensitivityStep(float_layers, measure(quantized.model))

    steps = [value_of(())]
    if steps[0].value < target:
        layers = quantizable_layers(graph, kept)
        order = _worst_first(graph, cache, scheme, layers, measure)
        for count in range(1, min(limit, len(order) - 1) + 1):
            steps.append(value_of(order[:count]))
            if steps[-1].value >= target:
                break
    best = max(steps, key=lambda step: (step.value >= target, step.value))
    return SensitivityResult((*settings.float_nodes, *best.float_layers), target, best.value, tuple(steps))


def _worst_first(
    graph: onnx.ModelProto, cache: CalibrationCache, scheme: Scheme, layers: tuple[str, ...], measure: Measure
) -> tuple[str, ...]:
    """Layers by what is reached when each is the only one that is quantised; of equals the first in the graph."""
    everything = frozenset(node.name for node in graph.graph.node)
    alone = {layer: measure(quantize_graph(graph, cache, scheme, everything - {layer}).model) for layer in layers}
    return tuple(sorted(layers, key=lambda layer: alone[layer]))
