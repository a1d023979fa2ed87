import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from model_training.part_classifier import PartClassifier
from model_training.weights_file import WeightsUnreadable, load_weights, save_weights, use_weights

NARROW = (16, 16, 16, 16)


def test_weights_come_back_equal_and_equal_weights_give_equal_files(tmp_path: Path) -> None:
    state = PartClassifier(NARROW).state_dict()
    assert save_weights(state, tmp_path / "a.npz") == save_weights(state, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = load_weights(tmp_path / "a.npz")
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_half_floats_halve_the_file(tmp_path: Path) -> None:
    state = PartClassifier().state_dict()
    save_weights(state, tmp_path / "whole.npz")
    save_weights(state, tmp_path / "half.npz", half=True)
    assert (tmp_path / "half.npz").stat().st_size < 0.6 * (tmp_path / "whole.npz").stat().st_size
    loaded = load_weights(tmp_path / "half.npz")
    assert loaded["predict.weight"].dtype == torch.float32
    assert torch.allclose(loaded["predict.weight"], state["predict.weight"], atol=1e-3)


def test_a_network_takes_the_widths_of_its_weights(tmp_path: Path) -> None:
    narrow = PartClassifier((16, 24, 8, 40)).eval()
    save_weights(narrow.state_dict(), tmp_path / "narrow.npz")
    wide = PartClassifier().eval()
    use_weights(wide, load_weights(tmp_path / "narrow.npz"), tmp_path / "narrow.npz")
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(wide(images), narrow(images))


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("code in a file was run",))


def test_what_is_not_weights_is_refused_and_never_run(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    save_weights(PartClassifier(NARROW).state_dict(), path)
    torn = path.read_bytes()[:-100]
    plain = io.BytesIO()
    np.save(plain, np.zeros(3))
    for content in (b"", b"no archive", pickle.dumps(Harmful()), torn, plain.getvalue()):
        path.write_bytes(content)
        with pytest.raises(WeightsUnreadable, match=r"weights\.npz: not an \.npz file"):
            load_weights(path)
    np.savez(path, head=np.array([Harmful()], dtype=object))
    with pytest.raises(WeightsUnreadable):
        load_weights(path)


def test_weights_of_another_network_name_the_difference(tmp_path: Path) -> None:
    state = nn.Sequential(nn.Linear(3, 4)).state_dict()
    with pytest.raises(WeightsUnreadable, match=r"of another network: .*stem\.conv\.weight"):
        use_weights(PartClassifier(NARROW), state, tmp_path / "w.npz")
