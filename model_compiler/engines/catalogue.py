"""The runtimes of this machine by Triton's names of them."""

import importlib

from model_compiler.engines.cuda_device import find_cuda_device, load_driver
from model_compiler.engines.engine import Engine
from model_compiler.engines.onnxruntime_engine import OnnxRuntimeEngine
from model_compiler.engines.openvino_engine import OpenVinoEngine
from model_compiler.engines.tensorrt_api import TensorRtApi
from model_compiler.engines.tensorrt_engine import TensorRtEngine
from model_compiler.engines.tensorrt_host import TensorRtHost
from model_compiler.packaging.serving_settings import ServingSettings
from model_compiler.variant import Backend


def engine_for(backend: Backend, *, max_batch_size: int = 4) -> Engine:
    """The runtime of a backend; it is made also where it cannot run, see `Engine.missing`.

    Args:
        backend: Triton's name.
        max_batch_size: Largest batch that a compiled engine must take.
    """
    if backend == "onnxruntime":
        return OnnxRuntimeEngine()
    if backend == "openvino":
        return OpenVinoEngine()
    return tensorrt_engine(tensorrt_host(), max_batch_size)


def tensorrt_host() -> TensorRtHost | str:
    """TensorRT and the GPU of this machine, or a sentence that says which of the two is missing."""
    return TensorRtHost.found(lambda: find_cuda_device(load_driver()), _import_tensorrt)


def tensorrt_engine(host: TensorRtHost | str, max_batch_size: int) -> TensorRtEngine:
    """TensorRT on a host, for the profiles that ``config.pbtxt`` asks Triton for."""
    return TensorRtEngine(host, ServingSettings(max_batch_size=max_batch_size).optimum_batch_sizes)


def _import_tensorrt() -> TensorRtApi:
    api: TensorRtApi = importlib.import_module("tensorrt")
    return api
