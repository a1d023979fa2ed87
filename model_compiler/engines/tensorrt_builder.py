"""Carries a `TensorRtPlan` out with TensorRT."""

import onnx

from model_compiler.engines.errors import EngineBuildFailed, UnsupportedByRuntime
from model_compiler.engines.tensorrt_api import Builder, BuilderConfig, OnnxParser, TensorRtApi
from model_compiler.engines.tensorrt_plan import TensorRtPlan
from model_compiler.graph.node_names import described
from model_compiler.graph.onnx_model import parse_model


def build_plan(api: TensorRtApi, plan: TensorRtPlan, model: bytes) -> bytes:
    """Build an engine on the current GPU and serialise it.

    Args:
        api: The ``tensorrt`` module.
        plan: What the builder is told.
        model: ONNX that `tensorrt_graph.for_tensorrt` gave.

    Raises:
        UnsupportedByRuntime: The parser refuses the graph; every complaint is listed with its node.
        EngineBuildFailed: There is no engine for the graph, or a profile is not valid.
    """
    logger = api.Logger(api.Logger.WARNING)
    builder = api.Builder(logger)
    flags = sum(1 << int(getattr(api.NetworkDefinitionCreationFlag, name)) for name in plan.network_flags)
    network = builder.create_network(flags)
    parser = api.OnnxParser(network, logger)
    if not parser.parse(model):
        raise _refusal(parse_model(model, check=False), parser)
    built = builder.build_serialized_network(network, _configured(api, builder, plan))
    if built is None:
        raise EngineBuildFailed(["the builder gave nothing; TensorRT's own log lines above say why"])
    return bytes(built)


def _refusal(model: onnx.ModelProto, parser: OnnxParser) -> UnsupportedByRuntime:
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    places = [
        described(model.graph.node[error.node()]) if 0 <= error.node() < len(model.graph.node) else None
        for error in errors
    ]
    said = [f"{place}: {error.desc()}" if place else error.desc() for place, error in zip(places, errors, strict=True)]
    first = next((place for place in places if place), None)
    return UnsupportedByRuntime("tensorrt", first, "; ".join(said) or "the parser failed without a reason")


def _configured(api: TensorRtApi, builder: Builder, plan: TensorRtPlan) -> BuilderConfig:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(api.MemoryPoolType.WORKSPACE, plan.workspace_bytes)
    config.builder_optimization_level = plan.optimization_level
    for name in plan.cleared_flags:
        config.clear_flag(getattr(api.BuilderFlag, name))
    for ranges in plan.profiles:
        profile = builder.create_optimization_profile()
        for shape in ranges:
            profile.set_shape(shape.tensor, shape.least, shape.optimum, shape.greatest)
        if config.add_optimization_profile(profile) < 0:
            raise EngineBuildFailed([f"it does not take the profile {ranges}"])
    return config
