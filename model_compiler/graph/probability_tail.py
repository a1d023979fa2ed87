"""The end of a grafted classifier: the network's class values in, probabilities out."""

from model_compiler.graph.class_output import ClassOutput
from model_compiler.graph.graph_editor import GraphEditor


def add_probability_tail(editor: GraphEditor, output: ClassOutput, *, probabilities: str) -> None:
    """Append a softmax, where the network has none, to a graph.

    A value that is not a finite number must not vanish in a runtime's softmax: the sum of a picture's class values
    minus itself is 0, or NaN as soon as one of them is not finite, and is added to the picture's probabilities. Where
    the network ends with its own softmax, the values before it are taken.

    Args:
        editor: The graph, changed in place.
        output: Its output, [N,C].
        probabilities: Name of the new output, FP32 [N,C]; each row sums to 1.
    """
    softmax = editor.producer(output.name) if output.is_softmax else None
    values = output.name if softmax is None or softmax.op_type != "Softmax" else softmax.input[0]
    total = editor.append("ReduceSum", values, editor.integers(1), keepdims=1)
    probe = editor.append("Sub", total, total)
    made = output.name if output.is_softmax else editor.append("Softmax", output.name, axis=1)
    editor.append("Add", made, probe, output=probabilities)
