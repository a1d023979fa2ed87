"""What aliases say about themselves."""

import json

import pytest

from contracts.model_card import CARD_PARAMETER, ModelCard
from gateway.alias_metadata import (
    alias_config,
    alias_metadata,
    answering_build,
    index_with_aliases,
    require_alias_version,
    server_metadata,
)
from gateway.catalogue import Catalogue
from gateway.errors import UnknownModel
from gateway.inference.detection_tensors import CASCADE_OUTPUTS, DETECTION_OUTPUTS, SOURCE_OUTPUT
from gateway.oip import model_config_pb2, service_pb2
from tests.fakes.family import PARTS, family_catalogue, without
from tests.fakes.http_gateway import BUILD, CARD, ready_catalogue


def without_builds() -> Catalogue:
    return ready_catalogue().model_copy(update={"builds": {}})


def test_metadata_and_config_agree_with_the_workflow() -> None:
    metadata = alias_metadata("defects", ready_catalogue())
    config = alias_config("defects", ready_catalogue())
    assert [output.name for output in metadata.outputs] == [*DETECTION_OUTPUTS, SOURCE_OUTPUT]
    for described, configured in zip(metadata.outputs, config.output, strict=True):
        assert (described.name, list(described.shape)) == (configured.name, list(configured.dims))
    assert [model_config_pb2.DataType.Name(output.data_type) for output in config.output] == [
        "TYPE_FP32",
        "TYPE_FP32",
        "TYPE_INT32",
        "TYPE_INT32",
        "TYPE_STRING",
    ]
    assert [(entry.name, entry.datatype, list(entry.shape)) for entry in metadata.inputs] == [("images", "BYTES", [-1])]


def test_the_card_travels_in_the_config() -> None:
    parameters = alias_config("defects", ready_catalogue()).parameters
    assert ModelCard.model_validate_json(parameters[CARD_PARAMETER].string_value) == CARD
    assert json.loads(parameters["labels"].string_value) == ["scratch", "pit"]
    assert parameters["outpost_build"].string_value == BUILD


def test_an_alias_without_a_loaded_build_is_described_without_card() -> None:
    assert alias_metadata("defects", without_builds()).name == "defects"
    assert not alias_config("defects", without_builds()).parameters
    assert answering_build("defects", without_builds()) is None


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("parts", ["scores", "classes", "probabilities", "source"]),
        ("inspection", [*DETECTION_OUTPUTS, SOURCE_OUTPUT, *CASCADE_OUTPUTS]),
    ],
)
def test_outputs_of_a_classifier_and_of_a_cascade(name: str, outputs: list[str]) -> None:
    metadata, config = alias_metadata(name, family_catalogue()), alias_config(name, family_catalogue())
    assert [output.name for output in metadata.outputs] == outputs
    assert [output.name for output in config.output] == outputs


def test_a_cascade_is_described_by_its_detector_and_its_rule() -> None:
    parameters = alias_config("inspection", family_catalogue()).parameters
    assert json.loads(parameters["labels"].string_value) == ["scratch", "pit"]
    assert parameters["outpost_task"].string_value == "detection"
    assert json.loads(parameters["outpost_cascade"].string_value) == {
        "first": "parts",
        "then": "defects",
        "skip_label": "pass",
        "skip_score": 0.9,
    }
    assert "outpost_cascade" not in alias_config("defects", family_catalogue()).parameters
    assert alias_config("parts", family_catalogue()).parameters["outpost_task"].string_value == "classification"


def test_the_index_names_the_cascade_with_the_reason_of_its_member() -> None:
    broken = without(family_catalogue(), PARTS)
    lines = index_with_aliases(service_pb2.RepositoryIndexResponse(), broken, ready_only=False).models
    assert [(line.name, line.state) for line in lines] == [
        ("defects", "READY"),
        ("parts", "UNAVAILABLE"),
        ("inspection", "UNAVAILABLE"),
    ]
    assert "it does not load: broken" in lines[2].reason


@pytest.mark.parametrize("name", ["nope", BUILD, ""])
def test_only_aliases(name: str) -> None:
    for describe in (alias_metadata, alias_config, answering_build):
        with pytest.raises(UnknownModel):
            describe(name, ready_catalogue())


@pytest.mark.parametrize(("version", "known"), [("", True), ("1", True), ("2", False), ("x", False)])
def test_versions(version: str, known: bool) -> None:
    if known:
        require_alias_version("defects", version)
        return
    with pytest.raises(UnknownModel, match=rf"defects/versions/{version}' is not found; known: defects/versions/1"):
        require_alias_version("defects", version)


def test_the_server_offers_only_what_it_has() -> None:
    extensions = server_metadata("2.51.0").extensions
    assert server_metadata("2.51.0").name == "triton"
    assert "binary_tensor_data" in extensions
    assert not {"system_shared_memory", "cuda_shared_memory", "model_repository", "trace", "logging"} & set(extensions)


@pytest.mark.parametrize("ready_only", [True, False])
def test_the_index_tells_why_an_alias_is_not_there(ready_only: bool) -> None:
    index = service_pb2.RepositoryIndexResponse()
    index.models.add(name="other", version="1", state="READY")
    lines = index_with_aliases(index, without_builds(), ready_only=ready_only).models
    assert [line.name for line in lines] == (["other"] if ready_only else ["defects", "other"])
    if not ready_only:
        assert (lines[0].state, lines[0].reason) == ("UNAVAILABLE", f"build {BUILD} is not loaded yet")
