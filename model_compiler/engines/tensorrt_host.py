"""Whether this machine can build TensorRT plans."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from model_compiler.engines.cuda_device import CudaDevice, NoCudaDevice
from model_compiler.engines.tensorrt_api import TensorRtApi


@dataclass(frozen=True, slots=True)
class TensorRtHost:
    """What a machine that builds plans has."""

    api: TensorRtApi
    device: CudaDevice

    @classmethod
    def found(cls, find_device: Callable[[], CudaDevice], import_api: Callable[[], TensorRtApi]) -> Self | str:
        """TensorRT and a GPU, or a sentence that says which of the two is missing.

        Args:
            find_device: Raises `NoCudaDevice` where there is none.
            import_api: Imports the module ``tensorrt``.
        """
        try:
            device = find_device()
            return cls(import_api(), device)
        except NoCudaDevice as error:
            return str(error)
        except ImportError as error:
            return (
                f"the Python module tensorrt cannot be imported ({error}); NVIDIA's Triton and TensorRT images have it"
            )

    @property
    def kind(self) -> str:
        """What a plan runs on: TensorRT's version, the GPU's generation and the driver's CUDA."""
        gpu = f"compute capability {self.device.compute_capability}"
        return f"{self.api.__version__}, {gpu}, CUDA {self.device.cuda_version}"
