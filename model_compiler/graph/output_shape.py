"""The sizes of an output that an export with symbolic axes leaves open."""

import numpy as np
import onnx
import onnxruntime

from model_compiler.errors import UnexpectedTensor, UnsupportedModel
from model_compiler.graph.onnx_model import TensorFacts, interface_of


def output_called(model: onnx.ModelProto, name: str | None) -> TensorFacts:
    """An output by its name, or the only one.

    Raises:
        UnexpectedTensor: There is no such output, or there are several and no name was given.
    """
    outputs = interface_of(model).outputs
    if name is None and len(outputs) == 1:
        return outputs[0]
    found = next((output for output in outputs if output.name == name), None)
    if found is None:
        expected = "one output, or the name of the one to take" if name is None else f"an output called {name!r}"
        raise UnexpectedTensor("output", expected, "; ".join(map(str, outputs)))
    return found


def with_known_sizes(model: onnx.ModelProto, facts: TensorFacts) -> TensorFacts:
    """The output with all sizes behind the batch axis: as declared, else inferred, else seen in one run on zeros.

    Args:
        model: With one picture input of fixed height and width.
        facts: One of its outputs.

    Raises:
        UnsupportedModel: The run failed.
    """
    if None not in facts.shape[1:]:
        return facts
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    known = next(output for output in interface_of(inferred).outputs if output.name == facts.name)
    return known if None not in known.shape[1:] else _seen_in_one_run(model, facts)


def _seen_in_one_run(model: onnx.ModelProto, facts: TensorFacts) -> TensorFacts:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    picture = interface_of(model).inputs[0]
    zeros = np.zeros([size or 1 for size in picture.shape], np.float32)
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        (result,) = session.run([facts.name], {picture.name: zeros})
    except Exception as error:  # the runtime's exceptions share no other base
        raise UnsupportedModel(
            f"the shape of output {facts.name!r} is open, and a trial run failed: {error}"
        ) from error
    return TensorFacts(facts.name, facts.datatype, (facts.shape[0], *result.shape[1:]))
