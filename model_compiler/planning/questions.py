"""The questions in their order, and which side the answer to each speaks for.

Order and limits follow common practice: a need below 100 ms with the network in it, more than 100 Mbit/s at the source,
data that may not leave, work without a network, a model that fits, people to look after devices; then what speaks for
staying in the cloud: relaxed latency, frequent updates, data that is there, load in bursts; last the price.
"""

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass

from model_compiler.planning.answers import Answers
from model_compiler.planning.cost import cost_of
from model_compiler.planning.quantities import in_bytes
from model_compiler.planning.round_trip import RoundTrip


class Weight(enum.Enum):
    """What one answer says."""

    MUST_EDGE = "only the edge"
    MUST_CLOUD = "only the cloud"
    FOR_EDGE = "for the edge"
    FOR_CLOUD = "for the cloud"
    NEUTRAL = "neither"
    UNKNOWN = "not answered"


@dataclass(frozen=True, slots=True)
class Limits:
    """Where an answer begins to speak for one side.

    Attributes:
        edge_latency_ms: Needs below this, network included, want the edge; used where the network is not known.
        cloud_latency_ms: Needs from this on are no reason against the cloud.
        data_mbps: More than this at the source is too much to send.
        model_memory_bytes: More than this needs hardware of a data centre.
        edge_inference_ms: A model slower than this on the edge does not belong there.
        updates_per_day: More than this is a burden on a fleet.
        payback_months: Hardware that has not paid for itself by then is worn out.
    """

    edge_latency_ms: float = 100.0
    cloud_latency_ms: float = 200.0
    data_mbps: float = 100.0
    model_memory_bytes: int = 16 * 2**30
    edge_inference_ms: float = 1000.0
    updates_per_day: float = 1.0
    payback_months: float = 36.0


@dataclass(frozen=True, slots=True)
class Reason:
    """One question, what its answer says, and why."""

    question: str
    weight: Weight
    text: str


LATENCY = "latency"
DATA_VOLUME = "data volume"
RESIDENCY = "data residency"
OFFLINE = "work offline"
MODEL = "model size"
OPERATIONS = "operations"
UPDATES = "update frequency"
DATA_LOCATION = "data location"
LOAD = "load shape"
UNSURE = "unsure frames"
COST = "cost"


def _latency(answers: Answers, limits: Limits) -> Reason:
    budget = answers.latency_budget_ms
    if budget is None:
        return _unknown(LATENCY)
    if answers.round_trip is not None:
        return _latency_over_network(answers, limits, budget, answers.round_trip)
    if budget < limits.edge_latency_ms:
        text = f"{budget:g} ms with the network in it is below {limits.edge_latency_ms:g} ms"
        return Reason(LATENCY, Weight.FOR_EDGE, text)
    if budget >= limits.cloud_latency_ms:
        return Reason(LATENCY, Weight.FOR_CLOUD, f"{budget:g} ms leave time for the way to the cloud")
    return Reason(LATENCY, Weight.NEUTRAL, f"{budget:g} ms may do over a good network: state --round-trip")


def _latency_over_network(answers: Answers, limits: Limits, budget: float, trip: RoundTrip) -> Reason:
    left = budget - answers.other_stages_ms - answers.cloud_inference_ms
    on_time = trip.probability_within(left)
    text = f"the cloud answers within {budget:g} ms for {on_time:.0%} of the frames"
    if on_time < answers.on_time_share:
        return Reason(LATENCY, Weight.MUST_EDGE, f"{text}, {answers.on_time_share:.0%} are needed")
    weight = Weight.FOR_CLOUD if budget >= limits.cloud_latency_ms else Weight.NEUTRAL
    return Reason(LATENCY, weight, text)


def _data_volume(answers: Answers, limits: Limits) -> Reason:
    mbps = answers.total_mbps
    if mbps is None:
        return _unknown(DATA_VOLUME)
    if mbps > limits.data_mbps:
        return Reason(DATA_VOLUME, Weight.FOR_EDGE, f"{mbps:g} Mbit/s is above {limits.data_mbps:g}: send results only")
    return Reason(DATA_VOLUME, Weight.NEUTRAL, f"{mbps:g} Mbit/s can be sent")


def _residency(answers: Answers, _: Limits) -> Reason:
    return _yes_or_no(
        RESIDENCY,
        answers.data_must_stay,
        (Weight.MUST_EDGE, "frames may not leave the premises"),
        (Weight.NEUTRAL, "frames may leave the premises"),
    )


def _offline(answers: Answers, _: Limits) -> Reason:
    return _yes_or_no(
        OFFLINE,
        answers.works_offline,
        (Weight.MUST_EDGE, "it must go on without a network"),
        (Weight.NEUTRAL, "it may stop with the network"),
    )


def _model_size(answers: Answers, limits: Limits) -> Reason:
    size, edge_ms = answers.model_memory_bytes, answers.edge_inference_ms
    if size is None and edge_ms is None:
        return _unknown(MODEL)
    if size is not None and size > limits.model_memory_bytes:
        text = f"{in_bytes(size)} is above {in_bytes(limits.model_memory_bytes)}: hardware of a data centre"
        return Reason(MODEL, Weight.MUST_CLOUD, text)
    if edge_ms is not None and edge_ms >= limits.edge_inference_ms:
        text = f"{edge_ms:g} ms a frame on the edge: seconds, not milliseconds"
        return Reason(MODEL, Weight.MUST_CLOUD, text)
    known = [] if size is None else [in_bytes(size)]
    known += [] if edge_ms is None else [f"{edge_ms:g} ms a frame"]
    return Reason(MODEL, Weight.NEUTRAL, f"{', '.join(known)}: an edge device can hold it")


def _operations(answers: Answers, _: Limits) -> Reason:
    return _yes_or_no(
        OPERATIONS,
        answers.can_operate_devices,
        (Weight.NEUTRAL, "somebody looks after the devices"),
        (Weight.MUST_CLOUD, "nobody can look after devices in the field"),
    )


def _updates(answers: Answers, limits: Limits) -> Reason:
    updates = answers.updates_per_day
    if updates is None:
        return _unknown(UPDATES)
    if updates > limits.updates_per_day:
        return Reason(UPDATES, Weight.FOR_CLOUD, f"{updates:g} new models a day are a burden on a fleet")
    return Reason(UPDATES, Weight.NEUTRAL, f"{updates:g} new models a day can be rolled out")


def _data_location(answers: Answers, _: Limits) -> Reason:
    return _yes_or_no(
        DATA_LOCATION,
        answers.data_in_cloud,
        (Weight.MUST_CLOUD, "the data is in the cloud already: work where it lies"),
        (Weight.NEUTRAL, "the data is made on site"),
    )


def _load(answers: Answers, _: Limits) -> Reason:
    return _yes_or_no(
        LOAD,
        answers.bursty,
        (Weight.FOR_CLOUD, "load comes in bursts: the cloud grows with it and costs nothing between"),
        (Weight.NEUTRAL, "load is even"),
    )


def _unsure(answers: Answers, _: Limits) -> Reason:
    share = answers.unsure_share
    if share is None:
        return _unknown(UNSURE)
    if share == 0.0:
        return Reason(UNSURE, Weight.NEUTRAL, "the edge model is sure of every frame")
    return Reason(UNSURE, Weight.FOR_CLOUD, f"{100 * share:.3g} % of the frames could be shown to a larger model")


def _cost(answers: Answers, limits: Limits) -> Reason:
    cost = cost_of(answers)
    if cost is None:
        return _unknown(COST)
    if cost.saving_per_month <= 0.0:
        text = f"running the edge costs {-cost.saving_per_month:,.0f} a month more than the cloud"
        return Reason(COST, Weight.FOR_CLOUD, text)
    saving = f"the edge saves {cost.saving_per_month:,.0f} a month"
    if cost.payback_months is None:
        return Reason(COST, Weight.NEUTRAL, f"{saving}; what its hardware costs is not known: state --device-price")
    if math.isclose(cost.payback_months, 0.0):
        return Reason(COST, Weight.FOR_EDGE, saving)
    text = f"the hardware has paid for itself after {cost.payback_months:.3g} months"
    weight = Weight.FOR_EDGE if cost.payback_months <= limits.payback_months else Weight.FOR_CLOUD
    return Reason(COST, weight, text)


def _yes_or_no(question: str, answer: bool | None, yes: tuple[Weight, str], no: tuple[Weight, str]) -> Reason:
    if answer is None:
        return _unknown(question)
    return Reason(question, *(yes if answer else no))


def _unknown(question: str) -> Reason:
    return Reason(question, Weight.UNKNOWN, "not answered")


QUESTIONS: tuple[Callable[[Answers, Limits], Reason], ...] = (
    _latency,
    _data_volume,
    _residency,
    _offline,
    _model_size,
    _operations,
    _updates,
    _data_location,
    _load,
    _unsure,
    _cost,
)
