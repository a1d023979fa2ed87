"""Structured pruning: whole channels leave, along every connection that they have."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from model_training.network import parameter_count
from model_training.network_settings import INPUT_HEIGHT, INPUT_WIDTH

SEARCH_STEPS = 8


@dataclass(frozen=True)
class PrunedNetwork:
    """A narrower copy of a network.

    Attributes:
        network: with fewer channels and otherwise the weights of the original; it needs fine-tuning.
        parameters_before, parameters_after: number of trained values.
    """

    network: nn.Module
    parameters_before: int
    parameters_after: int

    @property
    def reduction(self) -> float:
        """Share of the parameters that left."""
        return 1.0 - self.parameters_after / self.parameters_before


class NothingToPrune(Exception):
    """No channel can leave: the target cannot be approached."""

    def __init__(self, target: float, reached: float) -> None:
        """Keep what was wanted and what was possible."""
        super().__init__(f"{target:.0%} of the parameters should leave, at most {reached:.0%} can")
        self.target, self.reached = target, reached


def prune_network(
    network: nn.Module,
    reduction: float,
    *,
    round_to: int = 16,
    input_wh: tuple[int, int] = (INPUT_WIDTH, INPUT_HEIGHT),
) -> PrunedNetwork:
    """Remove the channels with the smallest weights until about a share of the parameters is gone.

    The ratio of channels is found by bisection: 40 % of all channels are some 64 % of the parameters. Importance is the
    L2 norm of a group of channels that can only leave together (DepGraph, Fang et al. 2023), compared over the whole
    net. What a head predicts stays.

    Args:
        network: trained; it is not changed.
        reduction: share of the parameters that should leave, in (0, 1).
        round_to: channel counts stay multiples of this (smaller ones stay as they are): others leave vector units idle.
        input_wh: of the pictures that it takes.

    Raises:
        NothingToPrune: less than half of the target is possible.
    """
    before = parameter_count(network)
    low, high = 0.0, 0.98
    best = copy.deepcopy(network)
    for _ in range(SEARCH_STEPS):
        ratio = (low + high) / 2
        candidate = _pruned(network, ratio, round_to, input_wh)
        left = 1.0 - parameter_count(candidate) / before
        if left <= reduction:
            low = ratio
        else:
            high = ratio
        if abs(left - reduction) < abs(1.0 - parameter_count(best) / before - reduction):
            best = candidate
    result = PrunedNetwork(best, before, parameter_count(best))
    if result.reduction < reduction / 2:
        raise NothingToPrune(reduction, result.reduction)
    return result


def _pruned(network: nn.Module, ratio: float, round_to: int, input_wh: tuple[int, int]) -> nn.Module:
    # Imported here: nothing else needs the package.
    import torch_pruning  # noqa: PLC0415

    copied = copy.deepcopy(network).cpu().float().eval()
    pruner = torch_pruning.pruner.BasePruner(
        copied,
        torch.zeros(1, 3, input_wh[1], input_wh[0]),
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        global_pruning=True,
        pruning_ratio=ratio,
        max_pruning_ratio=0.9,
        ignored_layers=_outputs(copied),
        round_to=round_to,
    )
    pruner.step()
    copied.zero_grad(set_to_none=True)
    return copied


def _outputs(network: nn.Module) -> list[nn.Module]:
    """The layers whose outputs are the answer."""
    predicting = [module for name, module in network.named_modules() if name.rpartition(".")[2] == "predict"]
    linear: list[nn.Module] = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return predicting or linear[-1:]
