"""Learning rate and weight averaging over a training."""

import math

import torch
from torch import nn


def learning_rate_factor(step: int, total_steps: int, warmup_steps: int, final_factor: float = 0.02) -> float:
    """Linear warm-up, then half a cosine down to the final factor (SGDR, Loshchilov and Hutter 2017, one period)."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return final_factor + (1 - final_factor) * (1 + math.cos(math.pi * progress)) / 2


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, step: int, decay: float = 0.998) -> None:
    """Move the averaged weights towards the model; the decay grows at first, so that the random start is forgotten."""
    rate = decay * (1 - math.exp(-(step + 1) / 300))
    for kept, fresh in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.mul_(rate).add_(fresh.detach(), alpha=1 - rate)
        else:
            kept.copy_(fresh)
