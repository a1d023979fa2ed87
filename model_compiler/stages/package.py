"""Turns a model and what is known of it into the content of a build directory."""

import dataclasses
import hashlib
from types import MappingProxyType

from contracts.build_manifest import CARD_FILE, CONFIG_FILE, MANIFEST_FILE, BuildManifest
from contracts.model_card import ModelCard
from model_compiler.artifact import Artifact
from model_compiler.graph.onnx_model import interface_of, parse_model
from model_compiler.packaging.pbtxt import write_text
from model_compiler.packaging.triton_config import MODEL_FILE, triton_config
from model_compiler.recipe import Recipe

VERSION_FOLDER = "1"


def run(artifact: Artifact, recipe: Recipe) -> Artifact:
    """Add the build's files to the artifact: the same artifact and recipe give the same bytes."""
    card = ModelCard(
        model=recipe.model,
        version=recipe.version,
        hardware_class=artifact.hardware_class,
        description=recipe.description,
        labels=recipe.labels,
        input=artifact.input,
        output=artifact.output,
        thresholds=recipe.thresholds,
        nms=recipe.nms,
        metrics=artifact.metrics,
        files={MODEL_FILE: artifact.model_sha256},
    )
    config = triton_config(
        card, interface_of(parse_model(artifact.model)), recipe, recipe.targets[artifact.hardware_class]
    )
    files = {
        CONFIG_FILE: write_text(config).encode(),
        CARD_FILE: card.model_dump_json(indent=2).encode() + b"\n",
        f"{VERSION_FOLDER}/{MODEL_FILE}": artifact.model,
    }
    manifest = BuildManifest(
        build=card.build, files={path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    )
    files[MANIFEST_FILE] = manifest.model_dump_json(indent=2).encode() + b"\n"
    return dataclasses.replace(artifact, build=MappingProxyType(files))
