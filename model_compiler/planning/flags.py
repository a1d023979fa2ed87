"""The questions as flags of a command: how an answer is written, and what it becomes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from model_compiler.errors import InvalidAnswer
from model_compiler.planning import quantities
from model_compiler.planning.advice import ADVICE, Workload
from model_compiler.planning.answers import Answers, refuse_contradictions
from model_compiler.planning.battery import Battery
from model_compiler.planning.round_trip import RoundTrip

_WORKLOADS = tuple(advice.workload for advice in ADVICE)


@dataclass(frozen=True, slots=True)
class Flag:
    """One question.

    Attributes:
        name: Of the flag, ``--latency-budget``.
        field: Of ``Answers``, or of ``Battery`` after ``battery.``.
        parse: From text; raises ``ValueError``.
        metavar: In the help.
        help: What it is.
        question: What is asked where somebody sits at a terminal; None for a flag that is not asked for.
        only_with: The key of another flag, without whose answer this is not asked.
    """

    name: str
    field: str
    parse: Callable[[str], Any]
    metavar: str
    help: str
    question: str | None = None
    only_with: str | None = None

    @property
    def key(self) -> str:
        """Its name without dashes, as argparse stores it."""
        return self.name.removeprefix("--").replace("-", "_")

    def read(self, text: str) -> Any:
        """The value.

        Raises:
            InvalidAnswer: The text is no such value.
        """
        try:
            return self.parse(text)
        except ValueError as error:
            raise InvalidAnswer(self.name, str(error)) from error


def yes_or_no(text: str) -> bool:
    """``yes`` or ``no``, ``y`` or ``n``.

    Raises:
        ValueError: It is something else.
    """
    answer = {"yes": True, "y": True, "no": False, "n": False}.get(text.strip().lower())
    if answer is None:
        raise ValueError(f"{text!r} is neither yes nor no")
    return answer


def round_trip(text: str) -> RoundTrip:
    """``80:240`` or ``120``, in ms or with a unit.

    Raises:
        ValueError: A part is no time, or the first is the larger one.
    """
    low, colon, high = text.partition(":")
    trip = RoundTrip(quantities.milliseconds(low), quantities.milliseconds(high if colon else low))
    if trip.low_ms > trip.high_ms:
        raise ValueError(f"{text!r}: the shortest time comes first, as in 80:240")
    return trip


def workload(text: str) -> Workload:
    """One of the known kinds of work.

    Raises:
        ValueError: It is none of them.
    """
    for known in _WORKLOADS:
        if text == known:
            return known
    raise ValueError(f"{text!r} is not one of {', '.join(_WORKLOADS)}")


def more_than_none(parse: Callable[[str], float]) -> Callable[[str], float]:
    """The same, but 0 is refused."""

    def checked(text: str) -> float:
        value = parse(text)
        if value == 0:
            raise ValueError(f"{text!r} must be more than 0")
        return value

    return checked


def celsius(text: str) -> float:
    """A temperature, which may be below zero.

    Raises:
        ValueError: It is no number.
    """
    number = text.strip().removesuffix("C").strip()
    return -quantities.plain(number[1:]) if number.startswith("-") else quantities.plain(number)


_POSITIVE_MS = more_than_none(quantities.milliseconds)
_POSITIVE = more_than_none(quantities.plain)

FLAGS: tuple[Flag, ...] = (
    Flag(
        *("--latency-budget", "latency_budget_ms", _POSITIVE_MS, "MS"),
        "time from frame to result that must be kept, network included",
        "Within how many ms must the result be there, network included?",
    ),
    Flag(
        *("--round-trip", "round_trip", round_trip, "LOW:HIGH"),
        "round trip to the cloud in ms, for example 80:240",
        "How long is a round trip to the cloud, shortest:longest, in ms?",
    ),
    Flag(
        *("--cameras", "cameras", quantities.whole, "N"),
        "number of cameras",
        "How many cameras are there?",
    ),
    Flag(
        *("--mbps-per-camera", "mbps_per_camera", quantities.megabits_per_second, "MBIT/S"),
        "data rate of one camera",
        "How many Mbit/s does one camera make?",
        "cameras",
    ),
    Flag(
        *("--result-rate", "result_mbps", quantities.megabits_per_second, "MBIT/S"),
        "what the edge would still send: results and samples",
    ),
    Flag(
        *("--data-must-stay", "data_must_stay", yes_or_no, "yes|no"),
        "whether frames are forbidden to leave the premises",
        "Must frames stay on the premises (law, contract, privacy)? yes or no",
    ),
    Flag(
        *("--works-offline", "works_offline", yes_or_no, "yes|no"),
        "whether it must go on without a network",
        "Must it go on without a network? yes or no",
    ),
    Flag(
        *("--model-memory", "model_memory_bytes", more_than_none(quantities.byte_count), "SIZE"),
        "what the loaded model takes, for example 350MB; --model measures it instead",
        "How much memory does the loaded model take, for example 350MB?",
    ),
    Flag(
        *("--updates-per-day", "updates_per_day", quantities.plain, "N"),
        "how often a new model goes into service",
        "How many times a day is there a new model (0.03 is once a month)?",
    ),
    Flag(
        *("--can-operate-devices", "can_operate_devices", yes_or_no, "yes|no"),
        "whether somebody can look after devices in the field",
        "Can somebody look after devices in the field? yes or no",
    ),
    Flag(
        *("--fleet-size", "fleet_size", more_than_none(quantities.whole), "N"),
        "number of devices (default: 1)",
        "How many devices will there be?",
    ),
    Flag(
        *("--data-in-cloud", "data_in_cloud", yes_or_no, "yes|no"),
        "whether the data is in a cloud already",
        "Is the data in a cloud already? yes or no",
    ),
    Flag(
        *("--bursty", "bursty", yes_or_no, "yes|no"),
        "whether load comes in bursts with nothing between",
        "Does load come in bursts with nothing between? yes or no",
    ),
    Flag(
        *("--unsure-share", "unsure_share", quantities.share, "SHARE"),
        "share of frames that a larger model could be asked about, 0.1 or 10%%",
        "What share of the frames could a larger model be asked about, 0 to 1?",
    ),
    Flag(
        *("--watts-limit", "watts_limit", more_than_none(quantities.watts), "W"),
        "the most that a device may draw",
        "How many watts may a device draw at most?",
    ),
    Flag(
        *("--battery-ah", "battery.capacity_ah", _POSITIVE, "AH"),
        "capacity of the battery in Ah, where there is one",
        "On a battery: how many Ah has it (Enter on mains power)?",
    ),
    Flag(
        *("--battery-volts", "battery.volts", _POSITIVE, "V"),
        "its nominal voltage: 3.7 V for each lithium cell in series",
        "How many volts has it (3.7 for each lithium cell in series)?",
        "battery_ah",
    ),
    Flag(
        *("--battery-usable", "battery.usable_share", more_than_none(quantities.share), "SHARE"),
        "share of its capacity that may be used (default: 1)",
    ),
    Flag(
        *("--converter-efficiency", "battery.converter_efficiency", more_than_none(quantities.share), "SHARE"),
        "of what leaves the battery, the share that arrives (default: 1)",
    ),
    Flag(
        *("--other-watts", "other_watts", quantities.watts, "W"),
        "what the device draws besides inference (default: 0)",
    ),
    Flag(
        *("--idle-watts", "idle_watts", quantities.watts, "W"),
        "what the machine of --power-log draws idle",
    ),
    Flag(
        *("--frames", "frames", more_than_none(quantities.whole), "N"),
        "frames that were inferred during --power-log",
    ),
    Flag(
        *("--hours", "hours_wanted", _POSITIVE, "H"),
        "how long the battery must last",
        "How many hours must it last?",
        "battery_ah",
    ),
    Flag(
        *("--passive-cooling", "needs_passive_cooling", yes_or_no, "yes|no"),
        "whether a fan is out of the question",
    ),
    Flag(
        *("--ambient-celsius", "ambient_celsius", celsius, "C"),
        "temperature around the device, at worst; latency is then planned for long load",
    ),
    Flag(
        *("--on-time", "on_time_share", more_than_none(quantities.share), "SHARE"),
        "share of frames that must keep the budget (default: 0.99)",
    ),
    Flag(
        *("--cloud-inference", "cloud_inference_ms", quantities.milliseconds, "MS"),
        "the model's time in the cloud (default: 0)",
    ),
    Flag(
        *("--edge-inference", "edge_inference_ms", _POSITIVE_MS, "MS"),
        "the model's time on the edge, measured; --model takes it from a build",
    ),
    Flag(
        *("--other-stages", "other_stages_ms", quantities.milliseconds, "MS"),
        "camera, preprocessing and actuator together (default: 0)",
    ),
    Flag(
        *("--parts-per-minute", "parts_per_minute", _POSITIVE, "N"),
        "parts that pass the camera",
    ),
    Flag(
        *("--cloud-price", "cloud_price_per_month", quantities.plain, "PRICE"),
        "what the cloud costs a month, for all devices",
        "What does the cloud cost a month, for all devices?",
    ),
    Flag(
        *("--edge-price", "edge_price_per_month", quantities.plain, "PRICE"),
        "what running the devices costs a month: power, network, support",
        "What would running the devices cost a month?",
    ),
    Flag(
        *("--device-price", "price_per_device", quantities.plain, "PRICE"),
        "of one device, once",
        "What does one device cost?",
    ),
    Flag(
        *("--price-per-gb", "price_per_gb", quantities.plain, "PRICE"),
        "of sending a GB to the cloud; added to --cloud-price",
    ),
    Flag(
        *("--workload", "workload", workload, "KIND"),
        f"kind of work, for a first target: {', '.join(_WORKLOADS)}",
    ),
)


def answers_of(values: Mapping[str, Any]) -> Answers:
    """Put the answers together.

    Args:
        values: Parsed, by the flag's key; only those that were answered.

    Raises:
        InvalidAnswer: Two of them contradict each other, or a part of the battery is missing.
    """
    plain: dict[str, Any] = {}
    battery: dict[str, float] = {}
    for flag in FLAGS:
        if flag.key not in values:
            continue
        section, dot, field = flag.field.partition(".")
        if dot:
            battery[field] = values[flag.key]
        else:
            plain[section] = values[flag.key]
    for field, name in (("capacity_ah", "--battery-ah"), ("volts", "--battery-volts")):
        if battery and field not in battery:
            raise InvalidAnswer(name, "is missing: a battery needs its capacity and its voltage")
    answers = Answers(**plain, battery=Battery(**battery) if battery else None)
    refuse_contradictions(answers)
    return answers
