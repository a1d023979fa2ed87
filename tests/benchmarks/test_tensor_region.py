"""Tensors in memory of a GPU for a bare Triton: the requests name what lies there."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if not Path("/dev/nvidiactl").exists():
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"

from benchmarks.resident_model import write_resident_build
from benchmarks.tensor_region import TensorRegion
from gateway.cuda.device import CudaDevice
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.oip import service_pb2
from tests.system.conftest import encode


class SharingDevice(CudaDevice):
    """A GPU of which memory can be shared: the simulator's cannot."""

    def ipc_handle(self, values: Any) -> bytes:
        return bytes(64)


@pytest.mark.parametrize("shape", [(6, 2100), (300, 6)], ids=["raw", "candidates"])
def test_a_request_names_its_tensor_and_where_a_raw_output_goes(tmp_path: Path, shape: tuple[int, int]) -> None:
    card = write_resident_build(tmp_path, "resident", input_wh=(24, 18), output_shape=shape, on_gpu=False)
    pictures = [np.full((18, 24, 3), level, np.uint8) for level in (50, 200)]
    region = TensorRegion(
        "nobody", tmp_path / card.build, [encode(each, ".png") for each in pictures], SharingDevice(0)
    )
    memory = region._memory
    assert isinstance(memory, DeviceFrameMemory)
    for slot, (data, pixels) in enumerate(zip(region.requests, pictures, strict=True)):
        request = service_pb2.ModelInferRequest.FromString(data)
        (tensor,) = request.inputs
        assert tensor.parameters["shared_memory_region"].string_param == memory.name
        begin, size = (tensor.parameters[f"shared_memory_{name}"].int64_param for name in ("offset", "byte_size"))
        np.testing.assert_array_equal(memory.values[begin : begin + size].copy_to_host(), pixels.ravel())
        outputs = [
            [output.parameters[f"shared_memory_{name}"].int64_param for name in ("offset", "byte_size")]
            for output in request.outputs
        ]
        assert outputs == ([[memory.output_offset(slot), 4 * 6 * 2100]] if shape == (6, 2100) else [])
    memory.retire()
