"""Medians and targets from literal results."""

import pytest

from benchmarks.cells import Cell, CellResult, all_cells, median_result
from benchmarks.targets import Target, evaluate, server_cpu_ms

CEILING = CellResult(100.0, cpu_ms_per_image={"in process": 20.0}, prepare_cpu_ms=3.0)
GATEWAY = {"gateway": 4.25, "tritonserver": 0.5, "backend": 16.75, "load generator": 1.0}


def test_a_round_has_every_system_at_its_loads() -> None:
    cells = all_cells()

    assert len(set(cells)) == len(cells)
    assert {cell.clients for cell in cells if cell.system == "gateway-grpc"} == {1, 4, 16}
    assert {cell.clients for cell in cells if cell.system == "gateway-http"} == {1, 4, 16}
    assert {cell.system for cell in cells} == {"ceiling", "gateway-grpc", "gateway-http", "triton", "plain", "tuned"}


def test_median_of_rounds() -> None:
    rounds = [
        CellResult(90.0, {"p50": 10.0}, {"gateway": 3.0, "backend": 9.0}, 2.0, failures=1),
        CellResult(120.0, {"p50": 30.0}, {"gateway": 5.0}, 4.0),
        CellResult(100.0, {"p50": 20.0}, {"gateway": 4.0, "backend": 7.0}, 3.0, failures=2),
    ]

    median = median_result(rounds)

    assert median.images_per_second == 100.0
    assert median.latency_ms == {"p50": 20.0}
    assert median.cpu_ms_per_image == {"gateway": 4.0, "backend": 8.0}
    assert median.prepare_cpu_ms == 3.0
    assert median.failures == 3
    assert median.rounds == (90.0, 120.0, 100.0)


def test_no_rounds_are_an_error() -> None:
    with pytest.raises(ValueError, match="no rounds"):
        median_result([])


def test_server_cpu_is_gateway_and_triton_alone() -> None:
    assert server_cpu_ms(CellResult(1.0, cpu_ms_per_image=GATEWAY)) == pytest.approx(21.5)


def test_targets_of_one_protocol() -> None:
    cells = {
        Cell("ceiling", 0): CEILING,
        Cell("gateway-grpc", 16): CellResult(85.0, cpu_ms_per_image=GATEWAY),
        Cell("plain", 16): CellResult(40.0),
        Cell("tuned", 16): CellResult(80.0),
    }

    targets = {target.subject: target for target in evaluate(cells, 640 * 640)}

    assert [round(target.measured, 4) for target in targets.values()] == [1.5, 1.25, 0.85, 2.125, 1.0625]
    assert [target.met for target in targets.values()] == [True, True, False, False, True]
    assert targets["gRPC: images/s against (a)"].verdict == "missed by 0.05 x"
    assert targets["gRPC: server CPU per image over (a)"].verdict == "met"
    assert targets["gRPC: images/s against (d)"].missed_by == pytest.approx(0.375)


@pytest.mark.parametrize(("width", "height", "wanted"), [(640, 640, 0.90), (320, 320, 0.80), (416, 320, 0.80)])
def test_small_inputs_may_stay_further_from_the_ceiling(width: int, height: int, wanted: float) -> None:
    cells = {Cell("ceiling", 0): CEILING, Cell("gateway-http", 16): CellResult(90.0, cpu_ms_per_image=GATEWAY)}

    (target,) = [each for each in evaluate(cells, width * height) if each.subject == "HTTP: images/s against (a)"]

    assert target.wanted == wanted


def test_what_was_not_measured_has_no_target() -> None:
    assert evaluate({Cell("ceiling", 0): CEILING}, 640 * 640) == ()
    assert evaluate({Cell("gateway-grpc", 16): CellResult(85.0)}, 640 * 640) == ()


def test_an_endpoint_that_answered_nothing_is_no_yardstick() -> None:
    cells = {Cell("gateway-grpc", 16): CellResult(85.0), Cell("plain", 16): CellResult(0.0)}

    assert evaluate(cells, 640 * 640) == ()


def test_a_target_met_exactly_is_met() -> None:
    assert Target("x", 2.0, 2.0, "at most", "ms").met
    assert Target("x", 2.0, 2.0, "at least", "ms").met
    assert not Target("x", 2.0, 2.001, "at most", "ms").met
