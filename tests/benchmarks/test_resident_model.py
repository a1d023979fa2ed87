"""The arithmetic of the resident model, which a GPU is to repeat bit by bit."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.resident_backend import HostArrays, TorchArrays, device_arrays, parts_of, predictions

INPUT_WH = (64, 48)
CHANCE = np.random.default_rng(1)
PIXELS = CHANCE.integers(0, 256, (2, 48, 64, 3), dtype=np.uint8)


class InputTensor:
    """An input in the machine's memory, as Triton's stub gives it."""

    def __init__(self, values: NDArray[np.uint8]) -> None:
        self._values = values

    def is_cpu(self) -> bool:
        return True

    def as_numpy(self) -> NDArray[np.uint8]:
        return self._values

    def __dlpack__(self, **options: object) -> object:
        return torch.from_numpy(self._values).__dlpack__(**options)  # type: ignore[arg-type]

    def __dlpack_device__(self) -> object:
        return torch.from_numpy(self._values).__dlpack_device__()


@pytest.mark.parametrize("shape", [(300, 6), (6, 2100), (84, 8400)], ids=str)
def test_pytorch_rounds_as_numpy_does(shape: tuple[int, int]) -> None:
    parts = parts_of(shape, INPUT_WH)
    expected = predictions(PIXELS, parts)
    assert (expected.dtype, expected.shape) == (np.float32, (2, *shape))
    for arrays in (HostArrays(), TorchArrays("cpu")):
        found = arrays.predict(InputTensor(PIXELS), [arrays.put(part) for part in parts])
        np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize("shape", [(300, 6), (6, 2100)], ids=str)
def test_each_side_s_brightness_moves_boxes_of_its_own(shape: tuple[int, int]) -> None:
    parts = parts_of(shape, INPUT_WH)
    outputs = []
    for left, right in ((100, 100), (200, 100), (100, 200)):
        pixels = np.full((1, 48, 64, 3), left, np.uint8)
        pixels[:, :, 32:] = right
        outputs.append(predictions(pixels, parts)[0])
    base, by_left, by_right = outputs
    moved = [np.argwhere((each != base).any(axis=0 if shape[0] == 6 else 1)).ravel() for each in (by_left, by_right)]
    assert min(map(len, moved)) > 20
    assert not set(moved[0]) & set(moved[1])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a library that computes on a GPU")
def test_a_missing_library_is_said() -> None:
    with pytest.raises(
        RuntimeError, match=r"no library computes on GPU 0 \(CuPy: .*; PyTorch: .*install a PyTorch with CUDA, or CuPy"
    ):
        device_arrays(0)
