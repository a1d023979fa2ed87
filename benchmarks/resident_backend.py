"""A model for Triton's Python backend that keeps its tensors where they are: on the GPU, or in the machine's memory.

This file is the ``model.py`` of the builds that `benchmarks.resident_model` writes. Its predictions follow from sums of
pixels, by operations that NumPy, CuPy and PyTorch round alike, so that a test knows every bit of them.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

INPUT, OUTPUT = "images", "predictions"
PAUSE_PARAMETER = "pause_ms"
_LOWEST_SCORE, _CANDIDATE_COLUMNS, _SURE_PAIRS = 0.01, 6, 32
# Triton 2.51's stub reads arrays by the layout that numpy had before 2, and knows the DLPack of numpy from 2 on alone
_OLD_NUMPY = np.__version__.startswith("1.")


class TritonPythonModel:
    """An instance; on a GPU where its instance group says so.

    Raises:
        RuntimeError: It is to run on a GPU and there is no library for that.
    """

    def initialize(self, args: Mapping[str, str]) -> None:
        import triton_python_backend_utils as pb_utils  # noqa: PLC0415 - exists only inside Triton's stub

        self._pb_utils = pb_utils
        config = json.loads(args["model_config"])
        height, width, _ = config["input"][0]["dims"]
        shape = tuple(config["output"][0]["dims"])
        self._pause_seconds = float(config["parameters"][PAUSE_PARAMETER]["string_value"]) / 1e3
        on_gpu = args["model_instance_kind"] == "GPU"
        self._arrays = device_arrays(int(args["model_instance_device_id"])) if on_gpu else HostArrays()
        self._parts = [self._arrays.put(part) for part in parts_of(shape, (width, height))]
        self._said: set[str] = set()
        pb_utils.Logger.log_info(f"resident model: computed by {self._arrays.name}")

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        tensor = self._pb_utils.get_input_tensor_by_name(request, INPUT)
        self._say_once(f"resident model: input {'in the memory of the machine' if tensor.is_cpu() else 'on the GPU'}")
        predictions = self._arrays.predict(tensor, self._parts)
        time.sleep(self._pause_seconds)
        return self._pb_utils.InferenceResponse([_tensor_of(self._pb_utils.Tensor, predictions)])

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._pb_utils.Logger.log_info(line)


class HostArrays:
    """NumPy."""

    name = "NumPy"

    def put(self, values: NDArray[np.float32]) -> Any:
        """The same values where the model computes."""
        return values

    def predict(self, tensor: Any, parts: Sequence[Any]) -> Any:
        """See ``predictions``; the result lies where the model computes, and is whole."""
        return predictions(_host_array_of(tensor), parts)


class CupyArrays:
    """CuPy on one GPU.

    Args:
        device_id: The GPU, as CUDA counts them here.

    Raises:
        Exception: Whatever CuPy says where it is missing or does not work.
    """

    name = "CuPy"

    def __init__(self, device_id: int) -> None:
        import cupy  # noqa: PLC0415 - not needed elsewhere

        self._cupy = cupy
        self._device = cupy.cuda.Device(device_id)
        with self._device:
            int(cupy.ones((1, 2, 2, 3), cupy.uint8).sum())  # it may be there and lack its compiler

    def put(self, values: NDArray[np.float32]) -> Any:
        """See ``HostArrays.put``."""
        with self._device:
            return self._cupy.asarray(values)

    def predict(self, tensor: Any, parts: Sequence[Any]) -> Any:
        """See ``HostArrays.predict``."""
        with self._device:
            pixels = self._cupy.asarray(_host_array_of(tensor)) if tensor.is_cpu() else self._cupy.from_dlpack(tensor)
            found = predictions(pixels, parts)
            self._cupy.cuda.get_current_stream().synchronize()
            return found


class TorchArrays:
    """PyTorch, on any of its devices.

    Args:
        device: As PyTorch names it: ``cuda:0``.

    Raises:
        Exception: Whatever PyTorch says where it is missing or does not work.
    """

    def __init__(self, device: str) -> None:
        import torch  # noqa: PLC0415 - not needed elsewhere

        self.name = f"PyTorch on {device}"
        self._torch: Any = torch
        self._device = device
        torch.zeros(1, device=device)

    def put(self, values: NDArray[np.float32]) -> Any:
        """See ``HostArrays.put``."""
        return self._torch.tensor(values, device=self._device)

    def predict(self, tensor: Any, parts: Sequence[Any]) -> Any:
        """See ``HostArrays.predict``."""
        found = predictions(self._torch.from_dlpack(tensor).to(self._device), parts, float32=self._torch.float32)
        if found.is_cuda:
            self._torch.cuda.synchronize(self._device)
        return found


def device_arrays(device_id: int) -> CupyArrays | TorchArrays:
    """The first library that computes on this GPU.

    Raises:
        RuntimeError: None does; with what each says.
    """
    said = []
    for name, make in (("CuPy", lambda: CupyArrays(device_id)), ("PyTorch", lambda: TorchArrays(f"cuda:{device_id}"))):
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - libraries fail in many ways, and the other one may do
            said.append(f"{name}: {type(error).__name__}: {error}")
    raise RuntimeError(
        f"no library computes on GPU {device_id} ({'; '.join(said)}): install a PyTorch with CUDA, or CuPy"
    )


def _host_array_of(tensor: Any) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = tensor.as_numpy() if _OLD_NUMPY else np.from_dlpack(tensor)
    return array


def _tensor_of(kind: Any, values: Any) -> Any:
    if isinstance(values, np.ndarray) and _OLD_NUMPY:
        return kind(OUTPUT, values)
    return kind.from_dlpack(OUTPUT, values)


def predictions(pixels: Any, parts: Sequence[Any], *, float32: Any = np.float32) -> Any:
    """What the model answers: base + left * brightness of the left half + right * brightness of the right half.

    Args:
        pixels: uint8 (N, height, width, 3).
        parts: ``parts_of``, as arrays of the library that the pixels are of.
        float32: Its type of that name.

    Returns:
        float32 (N, *shape).
    """
    found, left, right, scale = parts
    middle = pixels.shape[2] // 2
    for half, share in ((pixels[:, :, :middle], left), (pixels[:, :, middle:], right)):
        total = half.reshape(len(pixels), -1).sum(1)
        total = total.to(float32) if hasattr(total, "to") else total.astype(float32)
        found = found + share * (total * scale).reshape(-1, 1, 1)
    return found


def parts_of(shape: tuple[int, ...], input_wh: tuple[int, int]) -> list[NDArray[np.float32]]:
    """Base, left and right of ``predictions``, and what a half's sum is multiplied with to be a brightness of 0 to 1.

    The boxes lie on a grid. About 64 of them, in pairs that overlap, grow with the picture's brightness and get a score
    from it: those of class 0 in width, with the left half, those of class 1 in height, with the right one.

    Args:
        shape: Of one frame's output: (K, 6) are candidates, (4 + C, A) is a head of the form yolov8.
        input_wh: Size of the input.
    """
    width, height = input_wh
    candidates = shape[1] == _CANDIDATE_COLUMNS
    rows, boxes = (_CANDIDATE_COLUMNS, shape[0]) if candidates else shape
    base, left, right = (np.zeros((rows, boxes), np.float32) for _ in range(3))
    number = np.arange(boxes)
    side = int(np.ceil(np.sqrt(boxes)))
    base[0], base[1] = (number % side + 0.5) * width / side, (number // side + 0.5) * height / side
    base[2], base[3] = width / 12, height / 12
    base[4:] = _LOWEST_SCORE
    step = max(4, boxes // _SURE_PAIRS)
    first, second = (number % (2 * step) // 2 == which * step // 2 for which in (0, 1))
    sureness = 0.5 + 0.4 * (number * 7919 % boxes) / boxes
    left[2, first], left[4, first] = width / 24, sureness[first]
    right[3, second], right[5, second] = height / 24, sureness[second]
    if candidates:
        base, left, right = (_as_candidates(part) for part in (base, left, right))
        base[second, 5] = 1.0
    scale = np.array(1.0 / (255.0 * 3 * height * (width // 2)), np.float32)
    return [base, left, right, scale]


def _as_candidates(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """From centre, size and two scores to corners, the higher score and class 0."""
    x, y, width, height, score, other = part
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return np.stack([*corners, np.maximum(score, other), np.zeros_like(x)], axis=1)
