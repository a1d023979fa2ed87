import pytest

from contracts.model_card import InputSpec, ModelCard
from model_compiler.graph.onnx_model import GraphInterface, TensorFacts
from model_compiler.packaging.packaged_serving import packaged_serving
from model_compiler.packaging.pbtxt import read_text, write_text
from model_compiler.packaging.serving_settings import ServingSettings
from model_compiler.packaging.triton_config import triton_config
from model_compiler.variant import Backend

CARD = ModelCard(
    model="m", version="1.0.0", hardware_class="x86-cpu", labels=("a",), input=InputSpec(width=8, height=8)
)
SETTINGS = [
    ServingSettings(),
    ServingSettings(max_batch_size=16, warmup_batch_sizes=(2, 16), queue_size=7, queue_timeout_seconds=0.25),
    ServingSettings(max_batch_size=1, batching_delay_seconds=0.002),
]


def config_of(serving: ServingSettings, backend: Backend, *, batch: int | None = None) -> str:
    interface = GraphInterface(
        (TensorFacts("images", "UINT8", (batch, 8, 8, 3)),), (TensorFacts("candidates", "FP32", (batch, 300, 6)),)
    )
    return write_text(triton_config(CARD, interface, serving, backend=backend))


@pytest.mark.parametrize("backend", ["openvino", "tensorrt"])
@pytest.mark.parametrize("serving", SETTINGS)
def test_what_was_written_comes_back(serving: ServingSettings, backend: Backend) -> None:
    written = config_of(serving, backend)
    read = packaged_serving(read_text(written))
    assert config_of(read, backend) == written
    assert (read.max_batch_size, read.queue_size) == (serving.max_batch_size, serving.queue_size)
    assert read.queue_timeout_seconds == serving.queue_timeout_seconds
    assert read.batching_delay_seconds == serving.batching_delay_seconds


def test_a_build_that_does_not_batch_has_defaults() -> None:
    assert packaged_serving(read_text(config_of(SETTINGS[1], "openvino", batch=1))) == ServingSettings()


@pytest.mark.parametrize(
    "text",
    [
        "max_batch_size: many",
        "max_batch_size: 1000",
        "max_batch_size: 2 model_warmup { batch_size: 8 }",
        "max_batch_size: 2 dynamic_batching { default_queue_policy { default_timeout_microseconds: 0 } }",
    ],
)
def test_other_values_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"many|128|8|queue_timeout_seconds"):
        packaged_serving(read_text(text))
