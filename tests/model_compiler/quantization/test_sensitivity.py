from pathlib import Path

from model_compiler.quantization.calibrate import calibrate
from model_compiler.quantization.sensitivity import choose_float_nodes
from model_compiler.quantization.settings import QuantizationSettings, SensitivitySettings
from tests.model_compiler.quantization.small_networks import RandomFrames, classifier

FRAMES = RandomFrames(8)


def settings(limit: int, target_db: float, **others: object) -> QuantizationSettings:
    sensitivity = SensitivitySettings(max_float_nodes=limit, target_sqnr_db=target_db, frames=4)
    return QuantizationSettings.model_validate(
        {"frames": Path("unused"), "method": "min-max", "sensitivity": sensitivity} | others
    )


def test_the_layer_that_costs_most_is_found_and_the_target_reached() -> None:
    """The input of ``conv1`` has a range 60 times too wide, so that 8 bits leave nothing of it."""
    model, wanted = classifier(4), settings(4, 25)
    cache = calibrate(model, FRAMES, wanted)
    ranges = cache.ranges | {"conv0/relu_out": (0.0, 60 * cache.ranges["conv0/relu_out"][1])}
    cache = cache.model_copy(update={"ranges": ranges})
    result = choose_float_nodes(model, cache, "s8s8", FRAMES, wanted, task="classification")
    assert result.steps[0].value < 25
    assert result.float_nodes == ("conv1",)
    assert result.reached
    assert any("conv1" in note for note in result.notes())
    assert choose_float_nodes(model, cache, "s8s8", FRAMES, wanted, task="classification") == result


def test_a_network_that_reaches_the_target_keeps_nothing_float() -> None:
    wanted = settings(4, 10, float_nodes=("stem",))
    cache = calibrate(classifier(), FRAMES, wanted)
    result = choose_float_nodes(classifier(), cache, "s8s8", FRAMES, wanted, task="classification")
    assert result.float_nodes == ("stem",)
    assert len(result.steps) == 1


def test_the_search_ends_at_the_limit_with_the_best_it_saw() -> None:
    wanted = settings(2, 1000)
    cache = calibrate(classifier(), FRAMES, wanted)
    result = choose_float_nodes(classifier(), cache, "u8s8", FRAMES, wanted, task="classification")
    assert not result.reached
    assert len(result.float_nodes) <= 2
    assert len(result.steps) == 3
    assert result.value == max(step.value for step in result.steps)


def test_without_a_limit_nothing_is_measured() -> None:
    wanted = settings(0, 1000)
    cache = calibrate(classifier(), FRAMES, wanted)
    result = choose_float_nodes(classifier(), cache, "u8s8", FRAMES, wanted, task="classification")
    assert result.value is None
    assert result.notes() == ()
