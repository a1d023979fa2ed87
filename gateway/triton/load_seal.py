"""The seal of a load: a digest in a model's config by which a later gateway knows what Triton has. Pure.

Triton gives a loaded model's config back as it was in the load call, with defaults of its own added, so that the seal
lives and ends with what it speaks of.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format

from gateway.oip import model_config_pb2
from gateway.triton.model_config import GENERATION_PARAMETER

SEAL_PARAMETER = "outpost_seal"


def sealed(config: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """The config of a load call with the seal among its parameters.

    Args:
        config: As it would be sent, with its mark (``config_of_generation``): a load by somebody else, with another
            mark and the same seal, has a seal that is not its own.
        files: SHA-256 of each file that is loaded.
    """
    text = json.dumps({"config": config, "files": files}, sort_keys=True)
    seal = {"string_value": hashlib.sha256(text.encode()).hexdigest()}
    return {**config, "parameters": {**config["parameters"], SEAL_PARAMETER: seal}}


def is_sealed(config: model_config_pb2.ModelConfig) -> bool:
    """Whether a gateway loaded it, with its own files."""
    return SEAL_PARAMETER in config.parameters


def mark_of(config: model_config_pb2.ModelConfig) -> str:
    """The mark of the load that serves; empty for one without."""
    if GENERATION_PARAMETER not in config.parameters:
        return ""
    return str(config.parameters[GENERATION_PARAMETER].string_value)


def is_what_was_sent(config: model_config_pb2.ModelConfig, sent: Mapping[str, Any]) -> bool:
    """Whether a model's config has everything of a load call, its seal included; Triton only adds to what it gets.

    Args:
        config: As Triton gives it.
        sent: Of the load call, sealed.
    """
    return _has(json_format.MessageToDict(config, preserving_proto_field_name=True), sent)


def _has(found: object, sent: object) -> bool:
    if isinstance(sent, Mapping):
        return isinstance(found, Mapping) and all(key in found and _has(found[key], sent[key]) for key in sent)
    if isinstance(sent, Sequence) and not isinstance(sent, str):
        if not isinstance(found, Sequence) or len(found) != len(sent):
            return False
        return all(map(_has, found, sent))
    return found == sent
