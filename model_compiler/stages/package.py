"""Turns a model and what is known of it into the content of a build directory."""

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from contracts.build_manifest import CARD_FILE, CONFIG_FILE, MANIFEST_FILE, BuildManifest
from contracts.model_card import ModelCard, Thresholds
from model_compiler.artifact import Artifact
from model_compiler.graph.onnx_model import interface_of, parse_model
from model_compiler.library_versions import library_versions
from model_compiler.packaging.pbtxt import write_text
from model_compiler.packaging.triton_config import MODEL_FILE, triton_config
from model_compiler.recipe import Recipe
from model_compiler.variant import BuildVariant

NAME = "package"
VERSION_FOLDER = "1"
DEFAULT_VARIANT = BuildVariant(variant="f32", backend="onnxruntime")


def depends_on(_: Artifact, recipe: Recipe) -> Mapping[str, Any]:
    """What the result depends on beside the artifact."""
    used = {"model", "version", "description", "changelog", "task", "labels", "thresholds", "nms", "serving"}
    return recipe.model_dump(mode="json", include=used)


def run(artifact: Artifact, recipe: Recipe, built_at: dt.datetime | None = None) -> Artifact:
    """Add the build's files to the artifact: the same arguments give the same bytes.

    Args:
        artifact: What is packaged.
        recipe: Gives names and texts.
        built_at: For the card of a build that is written; None of a variant that is only measured.
    """
    variant = artifact.facts.variant or DEFAULT_VARIANT
    card = model_card(artifact, recipe, built_at)
    interface = interface_of(parse_model(artifact.model))
    config = triton_config(card, interface, recipe.serving, backend=variant.backend, precision=variant.precision)
    files = {
        CONFIG_FILE: write_text(config).encode(),
        CARD_FILE: card.model_dump_json(indent=2).encode() + b"\n",
        f"{VERSION_FOLDER}/{MODEL_FILE}": artifact.model,
    }
    manifest = BuildManifest(
        build=card.build, files={path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    )
    files[MANIFEST_FILE] = manifest.model_dump_json(indent=2).encode() + b"\n"
    return dataclasses.replace(artifact, build=MappingProxyType(files)).recorded(NAME)


def model_card(artifact: Artifact, recipe: Recipe, built_at: dt.datetime | None = None) -> ModelCard:
    """Everything known, as a card."""
    facts = artifact.facts
    return ModelCard(
        model=recipe.model,
        version=recipe.version,
        hardware_class=facts.hardware_class,
        task=recipe.task,
        description=recipe.description,
        labels=recipe.labels,
        input=facts.input,
        output=facts.output,
        thresholds=recipe.thresholds or facts.thresholds or Thresholds(),
        nms=recipe.nms,
        metrics=facts.metrics,
        files={MODEL_FILE: artifact.model_sha256},
        variant="f32" if facts.variant is None else facts.variant.variant,
        pruned=facts.variant is not None and facts.variant.pruned,
        parameter_count=facts.parameter_count,
        parameter_reduction=facts.parameter_reduction,
        reference_sha256=artifact.reference_sha256 if facts.reference_is_plain else facts.plain_sha256,
        quantization=facts.quantization,
        performance=facts.performance,
        confidence=facts.confidence,
        drift_reference=facts.drift_reference,
        caveats=facts.caveats,
        changelog=recipe.changelog,
        built_at=built_at,
        built_with=library_versions(),
    )
