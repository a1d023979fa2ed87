"""The formulas, against worked examples."""

import math

import pytest

from model_compiler.planning.answers import Answers
from model_compiler.planning.bandwidth import gigabytes_per_month, reduction_factor, total_mbps
from model_compiler.planning.battery import Battery, what_if
from model_compiler.planning.cost import compare_cost, cost_of, sensitivity
from model_compiler.planning.energy import energy
from model_compiler.planning.hybrid_latency import hybrid_latency
from model_compiler.planning.latency_budget import latency_budget, period_ms
from model_compiler.planning.round_trip import RoundTrip


def test_fifty_4k_cameras() -> None:
    assert total_mbps(50, 12) == 600
    assert gigabytes_per_month(600) == pytest.approx(197_235)


def test_how_much_less_is_sent() -> None:
    assert reduction_factor(1000, 1) == 1000
    assert reduction_factor(5, 0) == math.inf


class TestRoundTrip:
    def test_two_uniform_legs_of_40_to_120_ms_seldom_keep_what_is_left_of_150(self) -> None:
        trip = RoundTrip(80, 240)
        assert trip.mean_ms == 160
        assert trip.probability_within(150 - 5 - 10 - 2) == pytest.approx(0.2195, abs=0.0005)

    @pytest.mark.parametrize(
        ("budget", "share"), [(79, 0), (80, 0), (120, 0.125), (160, 0.5), (200, 0.875), (240, 1), (999, 1)]
    )
    def test_the_distribution_is_triangular(self, budget: float, share: float) -> None:
        assert RoundTrip(80, 240).probability_within(budget) == pytest.approx(share)

    def test_a_constant_is_kept_or_not(self) -> None:
        assert RoundTrip(100, 100).probability_within(100) == 1
        assert RoundTrip(100, 100).probability_within(99.9) == 0


class TestHybridLatency:
    def test_the_edge_leg_counts_for_escalated_frames_too(self) -> None:
        found = hybrid_latency(edge_ms=10, escalated_share=0.1, cloud_ms=150, trip=RoundTrip(0, 0))
        assert found.mean_ms == pytest.approx(25)
        assert found.escalated_ms == 160
        assert found.miss_probability is None

    def test_only_escalated_frames_can_be_late(self) -> None:
        found = hybrid_latency(10, 0.1, 10, RoundTrip(80, 240), deadline_ms=153)
        assert found.miss_probability == pytest.approx(0.1 * (1 - 0.2195), abs=0.0001)

    def test_an_edge_that_is_too_slow_misses_every_frame(self) -> None:
        assert hybrid_latency(30, 0.0, 0, RoundTrip(0, 0), deadline_ms=20).miss_probability == 1

    def test_without_escalation_the_network_does_not_matter(self) -> None:
        found = hybrid_latency(10, 0.0, 99, RoundTrip(500, 900), deadline_ms=20)
        assert (found.mean_ms, found.miss_probability) == (10, 0)


class TestLatencyBudget:
    def test_the_pipeline_of_a_factory(self) -> None:
        found = latency_budget({"capture": 5, "prepare": 10, "infer": 15, "post": 3, "actuator": 2}, 150)
        assert (found.total_ms, found.headroom_ms) == (35, 115)
        assert [found.retries(p95) for p95 in (15, 115, 116)] == [7, 1, 0]
        assert latency_budget({"all": 160}, 150).retries(15) == 0

    def test_the_shares_of_a_camera_pipeline(self) -> None:
        stages = {"capture": 2, "in": 1, "prepare": 3, "infer": 8, "out": 0.5, "post": 1, "application": 0.5}
        found = latency_budget(stages, 50)
        assert found.total_ms == 16
        assert [round(100 * found.shares[name]) for name in ("infer", "prepare", "post")] == [50, 19, 6]
        assert found.serial_frames_per_second == 62.5
        assert found.pipelined_frames_per_second == 125

    def test_300_parts_a_minute_are_one_each_200_ms(self) -> None:
        assert period_ms(300) == 200


class TestBattery:
    def test_ten_amp_hours_at_ten_volts(self) -> None:
        battery = Battery(10, 10)
        assert battery.hours(15 + 2) == pytest.approx(5.88, abs=0.005)
        assert battery.hours(6 + 2) == 12.5
        assert battery.watts_for(8) == 12.5

    def test_two_lithium_cells_have_7_4_volts(self) -> None:
        assert Battery(10, 2 * 3.7).hours(17) == pytest.approx(4.35, abs=0.005)

    def test_losses_shorten_it(self) -> None:
        assert Battery(10, 10, usable_share=0.8, converter_efficiency=0.9).hours(8) == pytest.approx(9.0)

    def test_which_lever_reaches_eight_hours(self) -> None:
        levels = [("as it is", 15), ("lower clock", 12), ("smaller weights", 10), ("smaller network", 6)]
        lines = what_if(Battery(10, 10), levels, other_watts=2, hours_wanted=8)
        assert [round(line.hours, 2) for line in lines] == [5.88, 7.14, 8.33, 12.5]
        assert [line.lasts for line in lines] == [False, False, True, True]
        assert {line.lasts for line in what_if(Battery(10, 10), levels, 2, None)} == {None}


class TestEnergy:
    def test_a_ramp_has_the_energy_of_its_triangle(self) -> None:
        seconds = [step / 10 for step in range(101)]
        found = energy(seconds, [5 + 2 * second for second in seconds], idle_watts=5, frames=50)
        assert found.joules == pytest.approx(100)
        assert found.mean_watts == pytest.approx(10)
        assert found.peak_watts == pytest.approx(20)
        assert found.std_watts == pytest.approx(20 / math.sqrt(12), rel=0.02)
        assert found.joules_per_frame == pytest.approx(2)

    def test_samples_need_not_be_evenly_spaced(self) -> None:
        assert energy([0, 1, 4], [10, 10, 10], idle_watts=4, frames=1).joules == pytest.approx(24)


class TestCost:
    def test_fifty_cameras(self) -> None:
        found = compare_cost(2400 + 4500 + 1200, 400 + 50 + 30, 12_000)
        assert found.saving_per_month == 7620
        assert found.saving_share == pytest.approx(0.941, abs=0.0005)
        assert found.payback_months == pytest.approx(1.57, abs=0.005)

    def test_a_hundred_thousand_devices_take_ten_years(self) -> None:
        found = compare_cost(2_000_000 / 12, 500_000 / 12, 100_000 * 150)
        assert found.payback_months == pytest.approx(120)
        table = {(line.hardware_factor, line.saving_factor): line.payback_months / 12 for line in sensitivity(found)}
        assert table[0.5, 1.5] == pytest.approx(10 / 3)
        assert table[1.5, 0.5] == pytest.approx(30)

    def test_hardware_that_saves_nothing_never_pays(self) -> None:
        assert compare_cost(100, 100, 1).payback_months == math.inf
        assert compare_cost(100, 200, 1).payback_months == math.inf
        assert compare_cost(0, 0, 0).saving_share is None
        assert compare_cost(100, 50, 0).payback_months == 0

    def test_sending_the_frames_belongs_to_the_cloud(self) -> None:
        answers = Answers(
            cloud_price_per_month=0, edge_price_per_month=0, cameras=1, mbps_per_camera=8, price_per_gb=0.1
        )
        found = cost_of(answers)
        assert found is not None
        assert found.cloud_per_month == pytest.approx(262.98)

    def test_without_the_price_of_a_device_there_is_no_payback(self) -> None:
        found = cost_of(Answers(cloud_price_per_month=9, edge_price_per_month=1, fleet_size=4))
        assert found is not None
        assert (found.saving_per_month, found.hardware, found.payback_months) == (8, None, None)
        assert sensitivity(found) == []

    def test_a_fleet_buys_many_devices(self) -> None:
        answers = Answers(cloud_price_per_month=9, edge_price_per_month=1, price_per_device=2, fleet_size=4)
        found = cost_of(answers)
        assert found is not None
        assert (found.hardware, found.payback_months) == (8, 1)

    def test_without_both_prices_there_is_nothing_to_compare(self) -> None:
        assert cost_of(Answers(cloud_price_per_month=9)) is None
