"""How Triton batches and queues the requests for a build."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

BatchSize = Annotated[int, Field(ge=1)]


class ServingSettings(BaseModel):
    """Batching and queueing in Triton; none of it depends on the machine.

    Attributes:
        max_batch_size: Used where the model's batch axis is open.
        warmup_batch_sizes: Batch sizes run once before the model is ready; None means 1 and ``max_batch_size``.
        queue_size: Requests that may wait in Triton.
        queue_timeout_seconds: Longest wait in Triton; a request's own timeout can only shorten it.
        batching_delay_seconds: How long a request may wait for others to fill its batch; 0 takes what is there. At most
            a tenth of the latency that the application can bear is worth waiting.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_batch_size: int = Field(default=4, ge=1, le=128)
    warmup_batch_sizes: tuple[BatchSize, ...] | None = None
    queue_size: int = Field(default=64, ge=1)
    queue_timeout_seconds: float = Field(default=10.0, gt=0.0)
    batching_delay_seconds: float = Field(default=0.0, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if any(size > self.max_batch_size for size in self.warmup_batch_sizes or ()):
            raise ValueError(f"warmup_batch_sizes must not exceed max_batch_size {self.max_batch_size}")
        return self

    @property
    def optimum_batch_sizes(self) -> tuple[int, ...]:
        """Batch sizes that a compiled engine is tuned for: a single frame, and a full batch."""
        return tuple(sorted({1, self.max_batch_size}))

    @property
    def warmed_batch_sizes(self) -> tuple[int, ...]:
        """``warmup_batch_sizes`` in order, or their default."""
        sizes = self.optimum_batch_sizes if self.warmup_batch_sizes is None else self.warmup_batch_sizes
        return tuple(sorted(set(sizes)))
