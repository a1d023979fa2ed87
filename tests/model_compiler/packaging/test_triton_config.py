"""Configurations as Triton reads them, for every kind of build."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from pydantic import ValidationError
from tritonclient.grpc import model_config_pb2

from contracts.model_card import CARD_PARAMETER, InputSpec, ModelCard, OutputSpec
from model_compiler.graph.onnx_model import GraphInterface, TensorFacts
from model_compiler.packaging.pbtxt import write_text
from model_compiler.packaging.serving_settings import ServingSettings
from model_compiler.packaging.triton_config import triton_config
from model_compiler.variant import Backend, Precision

GOLDEN = Path(__file__).parent / "golden"
PIXELS = TensorFacts("images", "UINT8", (None, 320, 416, 3))
PLAIN = TensorFacts("images", "FP32", (None, 3, 320, 416))
CANDIDATES = TensorFacts("candidates", "FP32", (None, 300, 6))
PROBABILITIES = TensorFacts("probabilities", "FP32", (None, 5))
RAW = TensorFacts("output0", "FP32", (None, 10, 2730))
DETECTOR = GraphInterface((PIXELS,), (CANDIDATES,))
CLASSIFIER = GraphInterface((PIXELS,), (PROBABILITIES,))
UNGRAFTED = GraphInterface((PLAIN,), (RAW,))
FIXED = GraphInterface(
    (TensorFacts("images", "UINT8", (1, 320, 416, 3)),), (TensorFacts("candidates", "FP32", (1, 300, 6)),)
)


def card(interface: GraphInterface) -> ModelCard:
    output = interface.outputs[0].name
    classifies = output == "probabilities"
    decoder = {"candidates": "candidates", "probabilities": "probabilities"}.get(output, "yolov8")
    return ModelCard(
        model="parts",
        version="1.0.0",
        hardware_class="any-class",
        task="classification" if classifies else "detection",
        labels=("a", "b", "c", "d", "e"),
        input=InputSpec(width=416, height=320),
        output=OutputSpec.model_validate({"name": output, "decoder": decoder}),
    )


def text(
    interface: GraphInterface,
    backend: Backend = "openvino",
    *,
    serving: ServingSettings | None = None,
    precision: Precision = "auto",
) -> str:
    settings = ServingSettings() if serving is None else serving
    return write_text(triton_config(card(interface), interface, settings, backend=backend, precision=precision))


def read(configuration: str) -> model_config_pb2.ModelConfig:
    return text_format.Parse(configuration, model_config_pb2.ModelConfig())


def without_card(configuration: str) -> list[str]:
    return [line for line in configuration.splitlines() if '"{\\"schema_version' not in line]


@pytest.mark.parametrize(
    ("name", "interface", "backend", "precision"),
    [
        ("openvino_detector", DETECTOR, "openvino", "auto"),
        ("onnxruntime_classifier", CLASSIFIER, "onnxruntime", "f32"),
        ("openvino_ungrafted", UNGRAFTED, "openvino", "f32"),
        ("tensorrt_detector", DETECTOR, "tensorrt", "f32"),
        ("tensorrt_fixed_batch", FIXED, "tensorrt", "auto"),
    ],
)
def test_it_is_the_golden_one(name: str, interface: GraphInterface, backend: Backend, precision: Precision) -> None:
    configuration = text(interface, backend, precision=precision)
    assert without_card(configuration) == (GOLDEN / f"{name}.pbtxt").read_text().splitlines()
    parameter = read(configuration).parameters[CARD_PARAMETER].string_value
    assert ModelCard.model_validate_json(parameter) == card(interface)


def test_a_tensorrt_plan_has_a_profile_and_a_cuda_graph_for_each_optimum() -> None:
    config = read(text(DETECTOR, "tensorrt", serving=ServingSettings(max_batch_size=8, warmup_batch_sizes=(2,))))
    assert (config.platform, config.backend, config.default_model_filename) == (
        "tensorrt_plan",
        "tensorrt",
        "model.onnx",
    )
    (group,) = config.instance_group
    assert (group.kind, list(group.profile), group.count, list(group.gpus)) == (group.KIND_GPU, ["0", "1"], 0, [])
    assert config.optimization.cuda.graphs
    assert [spec.batch_size for spec in config.optimization.cuda.graph_spec] == [1, 8]
    assert list(config.optimization.cuda.graph_spec[1].input["images"].dim) == [320, 416, 3]
    assert [sample.batch_size for sample in config.model_warmup] == [1, 2, 8]
    assert not config.optimization.HasField("execution_accelerators")
    assert "precision" not in config.parameters


def test_a_single_optimum_has_a_single_profile() -> None:
    config = read(text(DETECTOR, "tensorrt", serving=ServingSettings(max_batch_size=1)))
    assert list(config.instance_group[0].profile) == ["0"]
    assert [spec.batch_size for spec in config.optimization.cuda.graph_spec] == [1]


def test_every_kind_is_warmed_up_with_its_own_tensor() -> None:
    for interface, datatype, dims in (
        (CLASSIFIER, model_config_pb2.TYPE_UINT8, [320, 416, 3]),
        (UNGRAFTED, model_config_pb2.TYPE_FP32, [3, 320, 416]),
    ):
        config = read(text(interface))
        assert [sample.batch_size for sample in config.model_warmup] == [1, 4]
        sample = config.model_warmup[1].inputs["images"]
        assert (sample.data_type, list(sample.dims), sample.zero_data) == (datatype, dims, True)


def test_requests_wait_for_others_only_when_asked_to() -> None:
    assert read(text(DETECTOR)).dynamic_batching.max_queue_delay_microseconds == 0
    waiting = read(text(DETECTOR, serving=ServingSettings(batching_delay_seconds=0.002)))
    assert waiting.dynamic_batching.max_queue_delay_microseconds == 2000
    assert not waiting.dynamic_batching.preferred_batch_size


def test_a_full_queue_rejects_and_a_timeout_can_be_shortened() -> None:
    config = read(text(DETECTOR, serving=ServingSettings(queue_size=8, queue_timeout_seconds=0.25)))
    policy = config.dynamic_batching.default_queue_policy
    assert (policy.timeout_action, policy.max_queue_size) == (policy.REJECT, 8)
    assert (policy.default_timeout_microseconds, policy.allow_timeout_override) == (250_000, True)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_batch_size": 2, "warmup_batch_sizes": (4,)}, "must not exceed max_batch_size 2"),
        ({"max_batch_size": 0}, "greater than or equal to 1"),
        ({"batching_delay_seconds": 2.0}, "less than or equal to 1"),
        ({"max_batch": 2}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ServingSettings.model_validate(settings)
