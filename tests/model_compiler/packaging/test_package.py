"""What a build directory holds."""

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from contracts.build_manifest import BuildManifest
from contracts.model_card import CARD_PARAMETER, ModelCard
from model_compiler.artifact import Artifact
from model_compiler.packaging.serving_settings import ServingSettings
from model_compiler.recipe import Recipe, Target
from model_compiler.variant import BuildVariant
from tests.model_compiler.packaged import packaged
from tests.model_compiler.tiny_detectors import LARGE, build

GOLDEN = Path(__file__).parent / "golden" / "config.pbtxt"


@pytest.fixture
def recipe(recipe: Recipe) -> Recipe:
    """The recipe with bf16 where the class has it."""
    targets = recipe.targets | {"x86-cpu": Target(variants=(BuildVariant(variant="bf16", backend="openvino"),))}
    return recipe.model_copy(update={"targets": targets})


def config_of(artifact: Artifact) -> model_config_pb2.ModelConfig:
    return text_format.Parse(artifact.build["config.pbtxt"].decode(), model_config_pb2.ModelConfig())


def test_a_build_is_four_files_with_their_hashes(recipe: Recipe) -> None:
    artifact = packaged(recipe)
    assert sorted(artifact.build) == ["1/model.onnx", "card.json", "config.pbtxt", "manifest.json"]
    manifest = BuildManifest.model_validate_json(artifact.build["manifest.json"])
    assert (manifest.build, sorted(manifest.files)) == (
        "defects-1.2.0_x86-cpu",
        ["1/model.onnx", "card.json", "config.pbtxt"],
    )
    assert manifest.files["1/model.onnx"] == artifact.model_sha256
    assert [record.stage for record in artifact.facts.history] == ["inspect", "graft", "package"]


def test_the_card_says_what_the_grafted_model_takes_and_gives(recipe: Recipe) -> None:
    artifact = packaged(recipe)
    card = ModelCard.model_validate_json(artifact.build["card.json"])
    assert card.build == "defects-1.2.0_x86-cpu"
    assert (card.input.name, card.input.datatype, card.input.shape) == ("images", "UINT8", (1, 160, 192, 3))
    assert (card.output.name, card.output.decoder) == ("candidates", "candidates")
    assert card.thresholds.by_label == {"pit": 0.2}
    assert card.files == {"model.onnx": artifact.model_sha256}
    assert (card.variant, card.parameter_count, card.metrics) == ("bf16", artifact.facts.parameter_count, ())


def test_the_configuration_is_what_triton_reads(recipe: Recipe) -> None:
    artifact = packaged(recipe)
    config = config_of(artifact)
    assert (config.name, config.backend, config.max_batch_size) == ("defects-1.2.0_x86-cpu", "openvino", 4)
    (picture,), (candidates,) = config.input, config.output
    assert (picture.name, picture.data_type, list(picture.dims)) == (
        "images",
        model_config_pb2.TYPE_UINT8,
        [160, 192, 3],
    )
    assert (candidates.name, candidates.data_type, list(candidates.dims)) == (
        "candidates",
        model_config_pb2.TYPE_FP32,
        [300, 6],
    )
    policy = config.dynamic_batching.default_queue_policy
    assert (policy.max_queue_size, policy.default_timeout_microseconds, policy.allow_timeout_override) == (
        64,
        10_000_000,
        True,
    )
    assert [sample.batch_size for sample in config.model_warmup] == [1, 4]
    assert list(config.model_warmup[1].inputs["images"].dims) == [160, 192, 3]
    (group,) = config.instance_group
    assert (group.kind, group.count) == (group.KIND_CPU, 0)


def test_the_configuration_repeats_the_card(recipe: Recipe) -> None:
    artifact = packaged(recipe)
    repeated = config_of(artifact).parameters[CARD_PARAMETER].string_value
    assert ModelCard.model_validate_json(repeated) == ModelCard.model_validate_json(artifact.build["card.json"])
    assert "\n" not in repeated


def test_the_configuration_is_the_golden_one(recipe: Recipe) -> None:
    # the card's hash and sizes of the model follow the onnx package, the rest must not move
    text = packaged(recipe).build["config.pbtxt"].decode()
    lines = [line for line in text.splitlines() if '"{\\"schema_version' not in line]
    assert lines == GOLDEN.read_text().splitlines()


def test_the_same_input_gives_the_same_bytes(recipe: Recipe) -> None:
    assert dict(packaged(recipe).build) == dict(packaged(recipe).build)


def test_a_fixed_batch_axis_is_not_batched(recipe: Recipe) -> None:
    plain = build(replace(LARGE, batch=1))
    config = config_of(packaged(recipe, plain=plain))
    assert config.max_batch_size == 0
    assert list(config.input[0].dims) == [1, 160, 192, 3]
    assert not config.HasField("dynamic_batching")
    assert [sample.batch_size for sample in config.model_warmup] == [1]
    assert list(config.model_warmup[0].inputs["images"].dims) == [1, 160, 192, 3]


def test_each_class_has_its_own_backend_and_precision(recipe: Recipe) -> None:
    x86, arm = config_of(packaged(recipe)), config_of(packaged(recipe, "arm-cpu"))
    assert (x86.backend, arm.backend) == ("openvino", "onnxruntime")
    assert "precision" not in x86.parameters
    assert arm.parameters["precision"].string_value == "f32"


def test_batch_sizes_to_warm_up_can_be_chosen(recipe: Recipe) -> None:
    chosen = recipe.model_copy(update={"serving": ServingSettings(max_batch_size=8, warmup_batch_sizes=(8, 2, 1))})
    assert [sample.batch_size for sample in config_of(packaged(chosen)).model_warmup] == [1, 2, 8]


def test_an_ungrafted_build_describes_the_plain_model(recipe: Recipe) -> None:
    plain = recipe.model_copy(update={"grafted": False, "input": recipe.input.model_copy(update={"color": "bgr"})})
    artifact = packaged(plain)
    card = ModelCard.model_validate_json(artifact.build["card.json"])
    assert (card.input.datatype, card.input.shape, card.input.color) == ("FP32", (1, 3, 160, 192), "bgr")
    assert (card.output.name, card.output.decoder) == ("predictions", "yolov8")
    assert [tuple(tensor.dims) for tensor in config_of(artifact).output] == [(9, 480)]
    assert onnx.load_model_from_string(artifact.model).graph.node == build(LARGE).graph.node


def test_files_end_with_a_line_feed_and_are_plain_ascii_or_json(recipe: Recipe) -> None:
    artifact = packaged(recipe)
    assert artifact.build["config.pbtxt"].decode("ascii").endswith("\n")
    assert json.loads(artifact.build["manifest.json"])["build"] == "defects-1.2.0_x86-cpu"
