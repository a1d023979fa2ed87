"""What asking the cloud for the unsure frames costs in time."""

from dataclasses import dataclass

from model_compiler.planning.round_trip import RoundTrip


@dataclass(frozen=True, slots=True)
class HybridLatency:
    """Of frames that are answered on the edge, or by the cloud when the edge is unsure.

    Attributes:
        mean_ms: Over all frames.
        escalated_ms: Mean of the frames that ask the cloud.
        miss_probability: Share of all frames that are later than the deadline; None without a deadline.
    """

    mean_ms: float
    escalated_ms: float
    miss_probability: float | None


def hybrid_latency(
    edge_ms: float, escalated_share: float, cloud_ms: float, trip: RoundTrip, deadline_ms: float | None = None
) -> HybridLatency:
    """Edge first, then the cloud for some frames, waited for.

    ``mean = edge + share * (cloud + round trip)``: an escalated frame has been through the edge as well. With the
    edge's 10 ms, a share of 0.1 and 150 ms for the cloud in all, 25 ms.
    ``P(miss) = share * P(edge + cloud + round trip > deadline)``, or 1 where the edge alone is too slow.

    Args:
        edge_ms: Latency on the edge.
        escalated_share: Of all frames.
        cloud_ms: The cloud's own time, without the network.
        trip: The network.
        deadline_ms: When an answer is too late.
    """
    escalated = edge_ms + cloud_ms + trip.mean_ms
    mean = edge_ms + escalated_share * (cloud_ms + trip.mean_ms)
    if deadline_ms is None:
        return HybridLatency(mean, escalated, None)
    if edge_ms > deadline_ms:
        return HybridLatency(mean, escalated, 1.0)
    late = 1.0 - trip.probability_within(deadline_ms - edge_ms - cloud_ms)
    return HybridLatency(mean, escalated, escalated_share * late)
