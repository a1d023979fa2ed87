import pytest
import torch
from torch import Tensor, nn

from model_training.network import Detector, parameter_count
from model_training.network_settings import STUDENT
from model_training.part_classifier import PartClassifier
from model_training.pruning import NothingToPrune, prune_network
from model_training.weights_file import use_weights


class Branches(nn.Module):
    """Residual connection, concatenation and a depthwise convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.middle = nn.Conv2d(32, 32, 3, padding=1)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.side = nn.Conv2d(32, 64, 1)
        self.head = nn.Linear(96, 5)

    def forward(self, images: Tensor) -> Tensor:
        first = self.start(images)
        both = torch.cat([first + self.depthwise(self.middle(first)), self.side(first)], 1)
        return self.head(both.mean((2, 3)))  # type: ignore[no-any-return]


def conv_widths(network: nn.Module) -> set[int]:
    return {module.out_channels for module in network.modules() if isinstance(module, nn.Conv2d)}


def test_channels_are_really_gone_along_every_connection() -> None:
    torch.manual_seed(0)
    network = Branches()
    pruned = prune_network(network, 0.5, round_to=8, input_wh=(32, 32))
    assert pruned.parameters_after == parameter_count(pruned.network) < pruned.parameters_before
    assert pruned.reduction == pytest.approx(0.5, abs=0.15)
    assert all(width % 8 == 0 for width in conv_widths(pruned.network))
    assert pruned.network(torch.rand(2, 3, 32, 32)).shape == (2, 5)
    assert conv_widths(network) == {32, 64}


def test_the_classifier_keeps_its_classes_and_its_weights_find_their_way_back() -> None:
    torch.manual_seed(0)
    pruned = prune_network(PartClassifier(), 0.45).network.eval()
    again = PartClassifier().eval()
    use_weights(again, pruned.state_dict(), source=None)  # type: ignore[arg-type]
    images = torch.rand(1, 3, 320, 416)
    with torch.no_grad():
        assert pruned(images).shape == (1, 7)
        assert torch.allclose(pruned(images), again(images))


def test_a_detector_keeps_its_outputs() -> None:
    torch.manual_seed(0)
    pruned = prune_network(Detector(STUDENT, 6), 0.3)
    assert pruned.reduction == pytest.approx(0.3, abs=0.08)
    with torch.no_grad():
        distances, logits = pruned.network.eval()(torch.rand(1, 3, 320, 416))
    assert (distances.shape, logits.shape) == ((1, 2730, 4), (1, 2730, 6))


def test_a_net_without_spare_channels_says_so() -> None:
    tiny = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    tiny.append(nn.Linear(8, 3))
    with pytest.raises(NothingToPrune, match="50% of the parameters should leave"):
        prune_network(tiny, 0.5, input_wh=(32, 32))
