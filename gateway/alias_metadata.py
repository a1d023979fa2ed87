"""What an alias and the server say about themselves, as protocol messages; both servers answer from here. Pure."""

import json

from contracts.active_models import ActiveModel, Cascade
from contracts.model_card import CARD_PARAMETER
from gateway.catalogue import Catalogue, LoadedBuild
from gateway.errors import UnknownModel
from gateway.inference.classification_tensors import PROBABILITIES_OUTPUT
from gateway.inference.detection_tensors import (
    EXECUTED_OUTPUT,
    SOURCE_OUTPUT,
    VERDICT_OUTPUT,
    VERDICT_SCORE_OUTPUT,
)
from gateway.inference.frame_request import FRAMES_INPUT
from gateway.oip import model_config_pb2, service_pb2

ALIAS_VERSION = "1"
"""The only version of an alias: builds have names of their own instead of numbers."""

LABELS_PARAMETER = "labels"
BUILD_PARAMETER = "outpost_build"
TASK_PARAMETER = "outpost_task"
CASCADE_PARAMETER = "outpost_cascade"

PLATFORM = "outpost"
_Output = tuple[str, str, tuple[int, ...]]
# Name, datatype of the protocol, shape; -1 is any size. The first axis counts frames.
_DETECTION_OUTPUTS: tuple[_Output, ...] = (
    ("boxes", "FP32", (-1, -1, 4)),
    ("scores", "FP32", (-1, -1)),
    ("classes", "INT32", (-1, -1)),
    ("num_detections", "INT32", (-1,)),
    (SOURCE_OUTPUT, "BYTES", (-1,)),
)
_CASCADE_OUTPUTS: tuple[_Output, ...] = (
    *_DETECTION_OUTPUTS,
    (EXECUTED_OUTPUT, "BYTES", (-1,)),
    (VERDICT_OUTPUT, "BYTES", (-1,)),
    (VERDICT_SCORE_OUTPUT, "FP32", (-1,)),
)
_CLASSIFICATION_OUTPUTS: tuple[_Output, ...] = (
    ("scores", "FP32", (-1, -1)),
    ("classes", "INT32", (-1, -1)),
    (PROBABILITIES_OUTPUT, "FP32", (-1, -1)),
    (SOURCE_OUTPUT, "BYTES", (-1,)),
)
_CONFIG_TYPES = {
    "BYTES": model_config_pb2.TYPE_STRING,
    "FP32": model_config_pb2.TYPE_FP32,
    "INT32": model_config_pb2.TYPE_INT32,
}

# Only what is offered: no shared memory for clients, no loading, no trace or log settings.
EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "parameters",
    "schedule_policy",
    "sequence",
    "statistics",
)


def server_metadata(version: str, name: str = "triton") -> service_pb2.ServerMetadataResponse:
    """The server's own metadata.

    Args:
        version: Version to report.
        name: Triton's own name by default: its clients and examples insist on it.
    """
    return service_pb2.ServerMetadataResponse(name=name, version=version, extensions=EXTENSIONS)


def require_alias_version(alias: str, version: str) -> None:
    """Refuse a version that an alias does not have.

    Raises:
        UnknownModel: ``version`` is neither empty nor the only one.
    """
    if version not in ("", ALIAS_VERSION):
        raise UnknownModel(f"{alias}/versions/{version}", (f"{alias}/versions/{ALIAS_VERSION}",))


def alias_metadata(alias: str, catalogue: Catalogue) -> service_pb2.ModelMetadataResponse:
    """Inputs and outputs of an alias, by its task; those of a detector while the card of its build is not known.

    Raises:
        UnknownModel: No such alias.
    """
    outputs = _outputs(alias, catalogue)
    message = service_pb2.ModelMetadataResponse(name=alias, versions=[ALIAS_VERSION], platform=PLATFORM)
    message.inputs.add(name=FRAMES_INPUT, datatype="BYTES", shape=[-1])
    for name, datatype, shape in outputs:
        message.outputs.add(name=name, datatype=datatype, shape=shape)
    return message


def alias_config(alias: str, catalogue: Catalogue) -> model_config_pb2.ModelConfig:
    """The alias as a Triton model config; parameters: task, labels, name and card of the build that answers now.

    These parameters are missing while the build's card is not known yet. Those of a cascade are its detector's, and
    the cascade itself.

    Raises:
        UnknownModel: No such alias.
    """
    outputs = _outputs(alias, catalogue)
    config = model_config_pb2.ModelConfig(name=alias, platform=PLATFORM, backend=PLATFORM, max_batch_size=0)
    config.input.add(name=FRAMES_INPUT, data_type=model_config_pb2.TYPE_STRING, dims=[-1])
    for name, datatype, shape in outputs:
        config.output.add(name=name, data_type=_CONFIG_TYPES[datatype], dims=shape)
    cascade = catalogue.cascades.get(alias)
    if cascade is not None:
        config.parameters[CASCADE_PARAMETER].string_value = cascade.model_dump_json()
    build = answering_build(alias, catalogue)
    if build is not None and build.card is not None:
        config.parameters[TASK_PARAMETER].string_value = build.card.task
        config.parameters[LABELS_PARAMETER].string_value = json.dumps(build.card.labels)
        config.parameters[BUILD_PARAMETER].string_value = build.name
        config.parameters[CARD_PARAMETER].string_value = build.card.model_dump_json()
    return config


def answering_build(alias: str, catalogue: Catalogue) -> LoadedBuild | None:
    """The build that answers for most keys of an alias; while none is ready the stable one, as far as it is known.

    For a cascade it is its detector's.

    Raises:
        UnknownModel: No such alias.
    """
    active = _require_alias(detector_of(alias, catalogue), catalogue)
    for name in (active.stable, active.previous, active.fallback):
        build = catalogue.builds.get(name) if name is not None else None
        if build is not None and build.ready and build.card is not None:
            return build
    return catalogue.builds.get(active.stable)


def index_with_aliases(
    index: service_pb2.RepositoryIndexResponse, catalogue: Catalogue, *, ready_only: bool
) -> service_pb2.RepositoryIndexResponse:
    """Triton's repository index with the aliases before it."""
    whole = service_pb2.RepositoryIndexResponse()
    for alias in catalogue.names_for_pictures():
        ready = catalogue.alias_is_ready(alias)
        if ready or not ready_only:
            reason = catalogue.not_ready_reason(alias)
            state = "READY" if ready else "UNAVAILABLE"
            whole.models.add(name=alias, version=ALIAS_VERSION, state=state, reason=reason)
    whole.models.extend(index.models)
    return whole


def detector_of(name: str, catalogue: Catalogue) -> str:
    """The alias that finds things for a cascade; any other name stays as it is."""
    cascade: Cascade | None = catalogue.cascades.get(name)
    return name if cascade is None else cascade.then


def _outputs(alias: str, catalogue: Catalogue) -> tuple[_Output, ...]:
    build = answering_build(alias, catalogue)
    if alias in catalogue.cascades:
        return _CASCADE_OUTPUTS
    if build is not None and build.card is not None and build.card.task == "classification":
        return _CLASSIFICATION_OUTPUTS
    return _DETECTION_OUTPUTS


def _require_alias(alias: str, catalogue: Catalogue) -> ActiveModel:
    active = catalogue.aliases.get(alias)
    if active is None:
        raise UnknownModel(alias, catalogue.names())
    return active
