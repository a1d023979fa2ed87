"""Protocol messages as Triton's HTTP endpoint writes them."""

import json

from gateway.http_api.codec import write_json
from gateway.http_api.proto_json import index_to_json, to_json
from gateway.oip import model_config_pb2, service_pb2


def test_metadata() -> None:
    message = service_pb2.ModelMetadataResponse(name="m", versions=["1"], platform="python")
    message.inputs.add(name="x", datatype="INT64", shape=[-1, 2**40])
    assert write_json(to_json(message)).decode() == (
        '{"name":"m","versions":["1"],"platform":"python",'
        f'"inputs":[{{"name":"x","datatype":"INT64","shape":[-1,{2**40}]}}],"outputs":[]}}'
    )


def test_config_has_names_for_enums_defaults_for_scalars_and_nothing_for_messages_not_set() -> None:
    config = model_config_pb2.ModelConfig(name="m", max_batch_size=8)
    config.input.add(name="x", data_type=model_config_pb2.TYPE_FP32, dims=[3])
    config.parameters["k"].string_value = "v"
    config.instance_group.add(kind=model_config_pb2.ModelInstanceGroup.KIND_CPU, count=2)
    config.version_policy.latest.num_versions = 1
    content = to_json(config)
    assert content["input"] == [
        {
            "name": "x",
            "data_type": "TYPE_FP32",
            "format": "FORMAT_NONE",
            "dims": [3],
            "is_shape_tensor": False,
            "allow_ragged_batch": False,
            "optional": False,
            "is_non_linear_format_io": False,
        }
    ]
    assert content["parameters"] == {"k": {"string_value": "v"}}
    assert content["version_policy"] == {"latest": {"num_versions": 1}}
    assert content["cc_model_filenames"] == {}
    assert content["instance_group"][0]["kind"] == "KIND_CPU"  # type: ignore[index]
    assert "dynamic_batching" not in content
    assert "sequence_batching" not in content


def test_maps_with_messages_and_numbers() -> None:
    statistics = service_pb2.ModelStatisticsResponse()
    entry = statistics.model_stats.add(name="m", version="1", last_inference=2**53 + 1)
    entry.inference_stats.success.ns = 7
    entry.response_stats["0"].compute_infer.count = 3
    content = json.loads(write_json(to_json(statistics)))["model_stats"][0]
    assert content["last_inference"] == 2**53 + 1
    assert content["inference_stats"] == {"success": {"count": 0, "ns": 7}}
    assert content["response_stats"]["0"]["compute_infer"] == {"count": 3, "ns": 0}


def test_index_leaves_out_what_is_empty() -> None:
    index = service_pb2.RepositoryIndexResponse()
    index.models.add(name="a", version="1", state="READY")
    index.models.add(name="b", state="UNAVAILABLE", reason="unloaded")
    assert index_to_json(index) == [
        {"name": "a", "version": "1", "state": "READY"},
        {"name": "b", "state": "UNAVAILABLE", "reason": "unloaded"},
    ]
