"""TensorRT: plans are made on the device that runs them, so that a build only ever holds the ONNX they come from."""

from model_compiler.engines.engine import Session
from model_compiler.engines.errors import EngineUnavailable, UnsupportedPrecision
from model_compiler.engines.tensorrt_builder import build_plan
from model_compiler.engines.tensorrt_graph import for_tensorrt
from model_compiler.engines.tensorrt_host import TensorRtHost
from model_compiler.engines.tensorrt_plan import TensorRtPlan
from model_compiler.graph.onnx_model import interface_of, parse_model
from model_compiler.variant import Backend, Precision

_PRECISIONS: tuple[Precision, ...] = ("auto", "f32")
_ADVICE = (
    "Everything before this stage is done and kept: run the same command on a machine of the class, and it goes on from"
    " here. A device needs no plan in its build, it compiles one itself from the packaged ONNX"
)


class TensorRtEngine:
    """Computes in the element types of the graph: FP16, BF16 and INT8 are written into it, never asked of the builder.

    Args:
        host: TensorRT and a GPU, or a sentence that says what is missing.
        optimum_batch_sizes: In ascending order; a plan is tuned for each.
    """

    name: Backend = "tensorrt"

    def __init__(self, host: TensorRtHost | str, optimum_batch_sizes: tuple[int, ...]) -> None:
        self._host, self._optima = host, optimum_batch_sizes

    def missing(self) -> str | None:
        """See `engine.Engine.missing`."""
        return self._host if isinstance(self._host, str) else None

    def version(self) -> str:
        """With everything that a plan depends on besides the graph: one GPU's proof says nothing of another's."""
        return "tensorrt" if isinstance(self._host, str) else f"tensorrt {self._host.kind}"

    def precisions(self) -> tuple[Precision, ...]:
        """See `engine.Engine.precisions`."""
        return _PRECISIONS

    def prepare(self, model: bytes, precision: Precision) -> bytes:
        """The graph that a device compiles, after a plan was built from it here."""
        _check_precision(precision)
        packaged = for_tensorrt(model)
        self.build(packaged)
        return packaged

    def build(self, model: bytes) -> bytes:
        """The plan of a packaged graph for this machine's GPU.

        Raises:
            EngineUnavailable: TensorRT or a GPU is missing.
            UnsupportedByRuntime: TensorRT refuses the graph.
            EngineBuildFailed: It found no engine.
        """
        return build_plan(self.host.api, self.plan(model), model)

    def plan(self, model: bytes) -> TensorRtPlan:
        """What the builder of this machine is told for a packaged graph.

        Raises:
            EngineUnavailable: TensorRT or a GPU is missing.
            UnsupportedByRuntime: There is no plan for the graph.
        """
        version = self.host.api.__version__
        return TensorRtPlan.of(interface_of(parse_model(model)), self._optima, version=version)

    @property
    def host(self) -> TensorRtHost:
        """TensorRT and the GPU of this machine.

        Raises:
            EngineUnavailable: One of them is missing.
        """
        if isinstance(self._host, str):
            raise EngineUnavailable("tensorrt", self._host, _ADVICE)
        return self._host

    def open(self, model: bytes, precision: Precision, threads: int) -> Session:
        """Not offered: a plan is run, and compared with its reference, by Triton on the device."""
        del model, threads
        _check_precision(precision)
        missing = self._host if isinstance(self._host, str) else "plans are run by Triton's TensorRT backend only"
        raise EngineUnavailable("tensorrt", missing, _ADVICE)


def _check_precision(precision: Precision) -> None:
    if precision not in _PRECISIONS:
        reason = "precision is written into the graph (FP16 and BF16 tensors, Q/DQ nodes)"
        raise UnsupportedPrecision("tensorrt", precision, reason, _PRECISIONS)
