"""Protocol buffer text as Triton's own parser reads it."""

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from model_compiler.packaging.pbtxt import EnumName, InvalidText, read_text, write_text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_both_readers(text: str) -> None:
    written = write_text({"name": text})
    assert text_format.Parse(written, model_config_pb2.ModelConfig()).name == text
    assert read_text(written) == {"name": [text]}


def test_messages_lists_enums_and_numbers() -> None:
    written = write_text(
        {
            "max_batch_size": 4,
            "input": [{"name": "a", "data_type": EnumName("TYPE_UINT8"), "dims": [-1, 3]}, {"name": "b"}],
            "dynamic_batching": {"preserve_ordering": False, "default_queue_policy": {"allow_timeout_override": True}},
            "output": [],
        }
    )
    config = text_format.Parse(written, model_config_pb2.ModelConfig())
    assert [entry.name for entry in config.input] == ["a", "b"]
    assert list(config.input[0].dims) == [-1, 3]
    assert config.dynamic_batching.default_queue_policy.allow_timeout_override


def test_reads_what_protobuf_writes_and_people_write() -> None:
    config = model_config_pb2.ModelConfig(name="m\n\u00e9", max_batch_size=2)
    config.input.add(name="x", dims=[1, -1])
    config.parameters["k"].string_value = 'v"\\'
    assert read_text(text_format.MessageToString(config)) == {
        "name": ["m\n\u00e9"],
        "max_batch_size": ["2"],
        "input": [{"name": ["x"], "dims": ["1", "-1"]}],
        "parameters": [{"key": ["k"], "value": [{"string_value": ['v"\\']}]}],
    }
    by_hand = """
        name: 'two' " parts"  # a remark
        input [ { name: "x", dims: [ 1, 2 ] }, < name: "y"; > ]
    """
    assert read_text(by_hand) == {
        "name": ["two parts"],
        "input": [{"name": ["x"], "dims": ["1", "2"]}, {"name": ["y"]}],
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: ", 1),
        ("a {\n b: 1", 2),
        ("a: 1\nb: }", 2),
        ("a: 1\n\n$", 3),
        ("{}", 1),
        ('a: "x', 1),
        ("a: [1", 1),
        ("a 1", 1),
    ],
)
def test_what_is_not_text_format_names_the_line(text: str, line: int) -> None:
    with pytest.raises(InvalidText) as caught:
        read_text(text)
    assert caught.value.line == line
