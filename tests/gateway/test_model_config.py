import pytest

from contracts.model_card import OutputSpec
from gateway.supervision.model_keeper import failure_in_short, read_card
from gateway.triton.model_config import (
    InvalidModelConfig,
    MachineLimits,
    config_for_machine,
    parse_config,
    raw_output_shape,
)

TEXT = 'name: "m" backend: "openvino" dynamic_batching {} parameters { key: "a" value { string_value: "b" } }'
LIMITS = MachineLimits(instances=3, threads_per_instance=2)


def test_a_build_of_ours_gets_this_machine_s_values() -> None:
    config = config_for_machine(parse_config(TEXT.encode()), LIMITS, "g1")
    assert config["instance_group"] == [{"count": 3, "kind": "KIND_CPU"}]
    assert "dynamic_batching" not in config
    assert config["parameters"] == {
        "a": {"string_value": "b"},
        "intra_op_thread_count": {"string_value": "2"},
        "outpost_generation": {"string_value": "g1"},
    }


@pytest.mark.parametrize(
    ("groups", "counts"),
    [
        ("instance_group { kind: KIND_CPU }", [3]),
        ("instance_group { }", [3]),
        ('instance_group { kind: KIND_CPU name: "a" } instance_group { kind: KIND_CPU name: "b" }', [1, 1]),
    ],
)
def test_a_group_without_a_count_gets_this_machine_s(groups: str, counts: list[int]) -> None:
    config = config_for_machine(parse_config(f"{TEXT} {groups}".encode()), LIMITS, "g1")
    assert [(group["kind"], group["count"]) for group in config["instance_group"]] == [
        ("KIND_CPU", count) for count in counts
    ]
    assert "dynamic_batching" not in config
    assert config["parameters"]["intra_op_thread_count"] == {"string_value": "2"}


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ('backend: "tensorrt"', None),
        ('backend: "tensorrt" instance_group { kind: KIND_GPU }', [{"kind": "KIND_GPU"}]),
        ('backend: "openvino" instance_group { count: 7 }', [{"count": 7}]),
        ('backend: "onnxruntime" instance_group { kind: KIND_GPU }', [{"kind": "KIND_GPU"}]),
        ('backend: "onnxruntime" instance_group { gpus: [1] }', [{"gpus": [1]}]),
        (
            'backend: "openvino" instance_group { kind: KIND_CPU } instance_group { kind: KIND_CPU count: 2 }',
            [{"kind": "KIND_CPU"}, {"kind": "KIND_CPU", "count": 2}],
        ),
    ],
)
def test_others_keep_theirs(text: str, groups: object) -> None:
    config = config_for_machine(parse_config(f"{text} dynamic_batching {{}}".encode()), LIMITS, "g1")
    assert config.get("instance_group") == groups
    assert "dynamic_batching" in config
    assert config["parameters"] == {"outpost_generation": {"string_value": "g1"}}


def test_a_malformed_text_is_named_with_its_place() -> None:
    with pytest.raises(InvalidModelConfig, match=r"config\.pbtxt: 1:"):
        parse_config(b"name: [")
    with pytest.raises(InvalidModelConfig, match=r"config\.pbtxt: is not UTF-8 text from byte 6 on"):
        parse_config(b'name: \xff"m"')


def test_a_card_that_cannot_be_read_is_said() -> None:
    config = parse_config(b'parameters { key: "outpost_card" value { string_value: "{}" } }')
    card, problem = read_card(config)
    assert card is None
    assert "card is not usable" in problem
    assert read_card(parse_config(b'name: "m"')) == (None, "")


def test_triton_s_report_of_a_failed_load_is_cut_to_the_sentence() -> None:
    text = (
        "load failed for model 'x': version 1 is at UNAVAILABLE state: Internal: TritonModelException: The file is\n"
        " not ONNX.\n\nAt:\n  /somewhere/model.py(12): initialize\n;"
    )
    assert failure_in_short(text) == "The file is not ONNX."
    assert failure_in_short("something else") == "something else"


RAW = OutputSpec(name="output0", decoder="yolov8")


@pytest.mark.parametrize(
    ("text", "output", "shape"),
    [
        ('max_batch_size: 8 output { name: "output0" data_type: TYPE_FP32 dims: [84, 8400] }', RAW, (84, 8400)),
        ('output { name: "output0" data_type: TYPE_FP32 dims: [1, 84, 8400] }', RAW, (84, 8400)),
        ('output { name: "output0" data_type: TYPE_FP32 dims: [-1, 84, 8400] }', RAW, (84, 8400)),
        ('max_batch_size: 8 output { name: "output0" data_type: TYPE_FP32 dims: [84, -1] }', RAW, ()),
        ('max_batch_size: 8 output { name: "output0" data_type: TYPE_FP16 dims: [84, 8400] }', RAW, ()),
        ('max_batch_size: 8 output { name: "other" data_type: TYPE_FP32 dims: [84, 8400] }', RAW, ()),
        ('output { name: "candidates" data_type: TYPE_FP32 dims: [1, 300, 6] }', OutputSpec(), ()),
        ("", RAW, ()),
    ],
)
def test_the_shape_of_a_raw_output_is_known_where_it_is_fixed(
    text: str, output: OutputSpec, shape: tuple[int, ...]
) -> None:
    assert raw_output_shape(parse_config(text.encode()), output) == shape
