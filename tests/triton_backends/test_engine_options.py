import pytest

from triton_backends.engine import EngineOptions, OptionsError


def test_defaults() -> None:
    assert EngineOptions.from_parameters({}) == EngineOptions(threads=1, precision="auto")


def test_values_are_read_and_other_keys_ignored() -> None:
    parameters = {
        "intra_op_thread_count": {"string_value": "4"},
        "precision": {"string_value": "bf16"},
        "outpost_generation": {"string_value": "7"},
    }
    assert EngineOptions.from_parameters(parameters) == EngineOptions(threads=4, precision="bf16")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("intra_op_thread_count", "0", "parameter intra_op_thread_count must be a whole number from 1, got '0'"),
        ("intra_op_thread_count", "-1", "parameter intra_op_thread_count must be a whole number from 1, got '-1'"),
        ("intra_op_thread_count", "two", "parameter intra_op_thread_count must be a whole number from 1, got 'two'"),
        ("precision", "int8", "parameter precision must be one of auto, f32, bf16, got 'int8'"),
    ],
)
def test_a_bad_value_is_named(key: str, value: str, message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        EngineOptions.from_parameters({key: {"string_value": value}})
    assert str(caught.value) == message
