"""The demo's networks by name."""

from pathlib import Path

import torch
from torch import nn

from model_training.frame_distribution import DEFECT_CLASSES
from model_training.network import Detector
from model_training.network_settings import NETWORKS
from model_training.part_classifier import PartClassifier
from model_training.weights_file import load_weights, use_weights

CLASSIFIER = "parts"
NETWORK_NAMES = (*NETWORKS, CLASSIFIER)


class UnknownNetwork(Exception):
    """There is no network of this name."""

    def __init__(self, name: str) -> None:
        """Keep the name."""
        super().__init__(f"there is no network {name!r}: choose one of {', '.join(NETWORK_NAMES)}")
        self.name = name


def new_network(name: str, *, seed: int) -> nn.Module:
    """A network with random weights; equal seeds give equal ones.

    Raises:
        UnknownNetwork: There is none of this name.
    """
    torch.manual_seed(seed)
    if name == CLASSIFIER:
        return PartClassifier()
    if name not in NETWORKS:
        raise UnknownNetwork(name)
    return Detector(NETWORKS[name], len(DEFECT_CLASSES))


def load_network(name: str, weights: Path) -> nn.Module:
    """A network with the weights of a file, as wide as they are.

    Raises:
        UnknownNetwork: There is none of this name.
        FileNotFoundError: There is no such file.
        WeightsUnreadable: It holds something else, or weights of another network.
    """
    network = new_network(name, seed=0)
    use_weights(network, load_weights(weights), weights)
    return network
