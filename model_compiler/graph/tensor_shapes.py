"""The sizes of all tensors of a graph, for one picture."""

import onnx

Shape = tuple[int | None, ...]


def tensor_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Shape of every tensor that can be inferred, at batch 1; an axis of unknown size is None.

    An open first axis of an input is taken as the batch.
    """
    single = onnx.ModelProto()
    single.CopyFrom(model)
    weights = {weight.name: tuple(weight.dims) for weight in single.graph.initializer}
    for value in single.graph.input:
        axes = value.type.tensor_type.shape.dim
        if value.name not in weights and len(axes) and not axes[0].dim_value:
            axes[0].dim_value = 1
    for value in single.graph.output:
        # what was declared for an open batch would stand in the way of what is inferred
        value.type.tensor_type.ClearField("shape")
    del single.graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(single, data_prop=True).graph
    inferred: dict[str, Shape] = {
        value.name: tuple(size.dim_value if size.HasField("dim_value") else None for size in axes.dim)
        for value in (*graph.input, *graph.value_info, *graph.output)
        if (axes := value.type.tensor_type.shape) is not None and value.type.tensor_type.HasField("shape")
    }
    return inferred | dict(weights)
