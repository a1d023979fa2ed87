"""One build that fails is taken out; the gateway that goes away ends everything."""

from collections.abc import Callable

import pytest

from model_compiler.evaluation.errors import EvaluationError, FrameNotAnswered, GatewayFailed
from model_compiler.evaluation.trials import Trials


class FakeGateway:
    """Keeps what was taken out."""

    def __init__(self) -> None:
        self.runs = True
        self.dropped: list[str] = []

    def drop(self, name: str) -> None:
        self.dropped.append(name)


def fails(error: EvaluationError) -> Callable[[], int]:
    def task() -> int:
        raise error

    return task


NOT_LOADED = fails(GatewayFailed("int8: it does not load: no memory", "a long log"))
NOT_ANSWERED = fails(FrameNotAnswered("bf16", "0.png", "HTTP 500: broken"))


def test_what_fails_is_taken_out_and_said() -> None:
    gateway, said = FakeGateway(), list[str]()
    trials = Trials(gateway, said.append)
    assert trials.of_each({"int8": NOT_LOADED, "f32": lambda: 0, "bf16": NOT_ANSWERED}) == {"f32": 0}
    assert trials.failed == {"int8": "it does not load: no memory", "bf16": "frame 0.png: HTTP 500: broken"}
    assert gateway.dropped == ["int8", "bf16"]
    assert said[0].startswith("int8: refused: ")
    assert said[0].endswith("a long log")


def test_what_failed_is_not_tried_again() -> None:
    gateway = FakeGateway()
    trials = Trials(gateway, lambda _: None)
    trials.attempt("int8", NOT_LOADED)
    assert trials.attempt("int8", lambda: 1) is None
    assert gateway.dropped == ["int8"]


def test_a_gateway_that_went_away_says_nothing_of_a_build() -> None:
    gateway = FakeGateway()
    gateway.runs = False
    trials = Trials(gateway, lambda _: None)
    with pytest.raises(GatewayFailed):
        trials.attempt("int8", NOT_LOADED)
    assert not trials.failed


def test_other_errors_are_not_of_one_build() -> None:
    with pytest.raises(EvaluationError, match="the disk"):
        Trials(FakeGateway(), lambda _: None).attempt("int8", fails(EvaluationError("the disk")))
