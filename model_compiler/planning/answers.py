"""What is known of a task: the answers to the planner's questions. None means not answered."""

from dataclasses import dataclass

from model_compiler.errors import InvalidAnswer
from model_compiler.planning.advice import Workload
from model_compiler.planning.battery import Battery
from model_compiler.planning.round_trip import RoundTrip


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that may be asked; where nothing else is said, None is "not answered".

    Attributes:
        latency_budget_ms: From the frame to the result, network included, that must be kept.
        on_time_share: Share of the frames that must keep it.
        round_trip: Of the network to the cloud.
        cloud_inference_ms: The model's time in the cloud.
        other_stages_ms: Camera, preprocessing and actuator: what both ways have in common.
        edge_inference_ms: The model's time on the edge, measured.
        cameras, mbps_per_camera: What is produced.
        result_mbps: What would be sent if frames were evaluated on site: results and samples.
        data_must_stay: Whether the law, a contract or the customer forbids frames to leave the premises.
        works_offline: Whether it must go on without a network.
        model_memory_bytes: What the loaded model takes, or at least takes.
        model_memory_is_peak: Whether that is with activations, or only the weights.
        updates_per_day: How often a new model is to be in service.
        can_operate_devices: Whether somebody can look after hardware in many places.
        data_in_cloud: Whether the data is in a cloud already.
        bursty: Whether load comes in bursts with nothing between.
        unsure_share: Share of the frames that the edge model is not sure of and a larger one could be asked about.
        fleet_size: Devices.
        watts_limit: The most that a device may draw.
        needs_passive_cooling: No fan.
        ambient_celsius: Around the device, at worst.
        battery: What feeds it, where it is a battery.
        other_watts: What the rest of the device draws.
        idle_watts, frames: What a machine draws idle, and frames inferred, in a run whose power was logged.
        hours_wanted: How long the battery must last.
        cloud_price_per_month, edge_price_per_month: Running cost of all devices.
        price_per_device: Of hardware, once.
        price_per_gb: Of bringing frames to the cloud; added to the cloud's running cost.
        parts_per_minute: Where parts pass a camera.
        workload: The kind of work, where one of the known ones.
    """

    latency_budget_ms: float | None = None
    on_time_share: float = 0.99
    round_trip: RoundTrip | None = None
    cloud_inference_ms: float = 0.0
    other_stages_ms: float = 0.0
    edge_inference_ms: float | None = None
    cameras: int | None = None
    mbps_per_camera: float | None = None
    result_mbps: float | None = None
    data_must_stay: bool | None = None
    works_offline: bool | None = None
    model_memory_bytes: int | None = None
    model_memory_is_peak: bool = True
    updates_per_day: float | None = None
    can_operate_devices: bool | None = None
    data_in_cloud: bool | None = None
    bursty: bool | None = None
    unsure_share: float | None = None
    fleet_size: int = 1
    watts_limit: float | None = None
    needs_passive_cooling: bool = False
    ambient_celsius: float | None = None
    battery: Battery | None = None
    other_watts: float = 0.0
    idle_watts: float | None = None
    frames: int | None = None
    hours_wanted: float | None = None
    cloud_price_per_month: float | None = None
    edge_price_per_month: float | None = None
    price_per_device: float | None = None
    price_per_gb: float | None = None
    parts_per_minute: float | None = None
    workload: Workload | None = None

    @property
    def total_mbps(self) -> float | None:
        """All cameras together."""
        if self.cameras is None or self.mbps_per_camera is None:
            return None
        return self.cameras * self.mbps_per_camera


def refuse_contradictions(answers: Answers) -> None:
    """Find answers that cannot both be.

    Raises:
        InvalidAnswer: Naming the flag to change.
    """
    for flag, problem in _contradictions(answers):
        raise InvalidAnswer(flag, problem)


def _contradictions(answers: Answers) -> list[tuple[str, str]]:
    budget, trip = answers.latency_budget_ms, answers.round_trip
    checks = [
        (answers.data_in_cloud and answers.data_must_stay, "--data-in-cloud", "yes, but --data-must-stay is yes too"),
        (answers.data_in_cloud and answers.works_offline, "--data-in-cloud", "yes, but --works-offline is yes too"),
        (budget == 0.0, "--latency-budget", "0 ms cannot be kept by anything"),
        (
            budget is not None and 0.0 < budget <= answers.other_stages_ms,
            "--other-stages",
            f"{answers.other_stages_ms:g} ms leave nothing of --latency-budget, {budget} ms, for the model",
        ),
        (
            (answers.cameras is None) != (answers.mbps_per_camera is None),
            "--mbps-per-camera" if answers.mbps_per_camera is None else "--cameras",
            "is missing: the data volume needs both",
        ),
        (
            answers.unsure_share and answers.data_must_stay,
            "--unsure-share",
            "frames cannot be shown to a cloud model, since --data-must-stay is yes",
        ),
        (
            trip is not None and trip.low_ms > trip.high_ms,
            "--round-trip",
            "the shortest time comes first: LOW:HIGH",
        ),
        (answers.fleet_size < 1, "--fleet-size", "a fleet has at least one device"),
        (
            answers.hours_wanted is not None and answers.battery is None,
            "--hours",
            "needs the battery: --battery-ah and --battery-volts",
        ),
        (
            answers.result_mbps is not None and answers.total_mbps is None,
            "--result-rate",
            "needs the data volume: --cameras and --mbps-per-camera",
        ),
        (
            answers.price_per_gb is not None and answers.total_mbps is None,
            "--price-per-gb",
            "needs the data volume: --cameras and --mbps-per-camera",
        ),
    ]
    return [(flag, problem) for wrong, flag, problem in checks if wrong]
