"""Classifiers and a cascade, with stock clients against the real Triton."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from gateway.__main__ import main
from tests.system.conftest import encode
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.small_builds import (
    brightness_detector,
    card,
    classifier_card,
    shade_classifier,
    write_build,
)
from tests.system.test_serving import BOX_IN_640X480, frames_input

CASCADE = {"first": "shade", "then": "tiny", "skip_label": "dark", "skip_score": 0.9}
SHADE, TINY = "shade-1.0.0_x86-cpu", "tiny-1.0.0_x86-cpu"


def frame(brightness: int) -> bytes:
    return encode(np.full((480, 640, 3), brightness, dtype=np.uint8))


DARK, GREY, BRIGHT = frame(5), frame(100), frame(200)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A classifier, one with logits, one that answers NaN, a detector, a cascade, a build for other hardware."""
    seed = tmp_path_factory.mktemp("family")
    write_build(seed, classifier_card("shade"), shade_classifier().SerializeToString())
    write_build(
        seed, classifier_card("logits", "logits"), shade_classifier(logits=True).SerializeToString(), "openvino"
    )
    write_build(seed, classifier_card("nan"), shade_classifier(value=float("nan")).SerializeToString())
    write_build(seed, card("tiny"), brightness_detector().SerializeToString())
    write_build(seed, card("foreign").model_copy(update={"hardware_class": "jetson-orin-nx"}), b"never looked at")
    (seed / "cascades.json").write_text(json.dumps({"inspection": CASCADE}))
    process = GatewayProcess(tmp_path_factory.mktemp("gateway") / "state", seed, probe_seconds=0)
    process.start()
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.close()


@pytest.fixture
def client(family: GatewayProcess) -> tritonclient.grpc.InferenceServerClient:
    return tritonclient.grpc.InferenceServerClient(family.grpc_address)


def outputs(*names: str) -> list[tritonclient.grpc.InferRequestedOutput]:
    return [tritonclient.grpc.InferRequestedOutput(name) for name in names]


@pytest.mark.parametrize("module", [tritonclient.grpc, tritonclient.http])
def test_classes_over_both_protocols(family: GatewayProcess, module: object) -> None:
    over_grpc = module is tritonclient.grpc
    address = family.grpc_address if over_grpc else family.http_address
    stock = module.InferenceServerClient(address)  # type: ignore[attr-defined]
    answer = stock.infer("shade", [frames_input(module, BRIGHT, DARK)])
    assert answer.as_numpy("classes").tolist() == [[1, 0], [0, 1]]
    expected = [[200 / 255, 55 / 255], [250 / 255, 5 / 255]]
    assert answer.as_numpy("scores") == pytest.approx(np.array(expected), abs=0.01)
    assert answer.as_numpy("probabilities") is None


def test_the_number_of_classes_and_all_probabilities(client: tritonclient.grpc.InferenceServerClient) -> None:
    answer = client.infer(
        "shade",
        [frames_input(tritonclient.grpc, BRIGHT)],
        outputs=outputs("classes", "probabilities", "source"),
        parameters={"outpost_top_k": 1},
    )
    assert answer.as_numpy("classes").tolist() == [[1]]
    assert answer.as_numpy("probabilities") == pytest.approx(np.array([[55 / 255, 200 / 255]]), abs=0.01)
    assert answer.as_numpy("source").tolist() == [b"edge"]


def test_the_gateway_makes_probabilities_of_logits(client: tritonclient.grpc.InferenceServerClient) -> None:
    answer = client.infer("logits", [frames_input(tritonclient.grpc, GREY)])
    logit = 100 / 255 * 16 - 8
    dark = 1 / (1 + np.exp(logit))
    assert answer.as_numpy("classes").tolist() == [[0, 1]]
    assert answer.as_numpy("scores") == pytest.approx(np.array([[dark, 1 - dark]]), abs=0.02)


def test_nan_is_an_error_of_the_model(client: tritonclient.grpc.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match=r"model 'nan-1\.0\.0_x86-cpu' gave an invalid output: the prob"):
        client.infer("nan", [frames_input(tritonclient.grpc, GREY)])


def test_metadata_config_and_statistics_of_a_classifier(client: tritonclient.grpc.InferenceServerClient) -> None:
    metadata = client.get_model_metadata("shade")
    assert [output.name for output in metadata.outputs] == ["scores", "classes", "probabilities", "source"]
    config = client.get_model_config("shade").config
    assert config.parameters["outpost_task"].string_value == "classification"
    assert json.loads(config.parameters["labels"].string_value) == ["dark", "bright"]
    client.infer("shade", [frames_input(tritonclient.grpc, GREY)])
    (statistics,) = client.get_inference_statistics("shade").model_stats
    assert statistics.name == "shade"
    assert statistics.inference_stats.success.count >= 1


def test_only_frames_that_do_not_pass_reach_the_detector(client: tritonclient.grpc.InferenceServerClient) -> None:
    names = ("boxes", "num_detections", "executed", "verdict", "verdict_score")
    sent = [frames_input(tritonclient.grpc, BRIGHT, DARK, GREY)]
    answer = client.infer("inspection", sent, outputs=outputs(*names))
    assert answer.as_numpy("num_detections").tolist() == [1, 0, 1]
    assert answer.as_numpy("executed").tolist() == [b"shade,tiny", b"shade", b"shade,tiny"]
    assert answer.as_numpy("verdict").tolist() == [b"bright", b"dark", b"dark"]
    assert answer.as_numpy("verdict_score") == pytest.approx(np.array([200, 250, 155]) / 255, abs=0.01)
    assert answer.as_numpy("boxes")[0].tolist() == [BOX_IN_640X480]
    parameters = answer.get_response().parameters
    assert parameters["outpost_executed"].string_param == "shade=3,tiny=2"
    assert parameters["outpost_build"].string_param == f"{SHADE},{TINY}"


def test_a_cascade_finds_what_its_detector_finds(client: tritonclient.grpc.InferenceServerClient) -> None:
    alone = client.infer("tiny", [frames_input(tritonclient.grpc, BRIGHT)])
    both = client.infer("inspection", [frames_input(tritonclient.grpc, BRIGHT)])
    for name in ("boxes", "scores", "classes", "num_detections"):
        assert both.as_numpy(name).tolist() == alone.as_numpy(name).tolist()


def triton_counts(family: GatewayProcess) -> dict[str, float]:
    """The number of inferences of each build, by Triton's own metric."""
    with urllib.request.urlopen(f"http://127.0.0.1:{family.ports['triton_metrics']}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith("nv_inference_count{")]
    return {build: sum(float(line.split()[-1]) for line in found if build in line) for build in (SHADE, TINY)}


def gateway_counts(family: GatewayProcess) -> dict[str, float]:
    return {build: family.metric("outpost_model_executions_total", build=build) for build in (SHADE, TINY)}


def test_models_that_are_not_asked_do_not_run(
    family: GatewayProcess, client: tritonclient.grpc.InferenceServerClient
) -> None:
    before, triton_before = gateway_counts(family), triton_counts(family)
    for sent in (DARK, DARK, DARK, BRIGHT):
        client.infer("inspection", [frames_input(tritonclient.grpc, sent)])
    client.infer("inspection", [frames_input(tritonclient.grpc, *[DARK] * 8)])
    after, triton_after = gateway_counts(family), triton_counts(family)
    ran = {build: after[build] - before[build] for build in after}
    assert ran == {SHADE: 12.0, TINY: 1.0}
    assert {build: triton_after[build] - triton_before[build] for build in after} == ran
    assert after == triton_after  # of the whole life of this gateway, whatever the other tests sent
    statistics = client.get_inference_statistics("inspection").model_stats
    assert {each.name: float(each.inference_count) for each in statistics} == {
        "shade": after[SHADE],
        "tiny": after[TINY],
    }


def test_pictures_for_people(family: GatewayProcess) -> None:
    classify = f"{family.http_url}/v1/models/shade/classify"
    (found,) = httpx.post(classify, content=GREY, params={"top_k": "1"}).json()["frames"]
    assert (found["label"], found["confident"], len(found["top"])) == ("dark", True, 1)
    (found,) = httpx.post(classify, content=frame(110)).json()["frames"]
    assert (found["label"], found["confident"], len(found["top"])) == ("dark", False, 2)
    (found,) = httpx.post(f"{family.http_url}/v1/models/inspection/detect", content=DARK).json()["frames"]
    assert (found["executed"], found["verdict"]["label"], found["detections"]) == (["shade"], "dark", [])


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_the_command_prints_classes(
    family: GatewayProcess, protocol: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "grey.jpg"
    picture.write_bytes(GREY)
    address = family.grpc_address if protocol == "grpc" else family.http_address
    asked = ["detect", str(picture), f"--{protocol}", address, "--json", "--render", str(tmp_path / "out")]
    assert main([*asked, "--model", "shade"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert [each["label"] for each in found["classes"]] == ["dark", "bright"]
    assert (tmp_path / "out" / "grey.jpg").exists()
    assert main([*asked, "--model", "inspection"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["executed"] == ["shade", "tiny"]
    assert len(found["detections"]) == 1


def test_a_build_for_other_hardware_is_refused_and_the_others_serve(
    family: GatewayProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    build = "foreign-1.0.0_jetson-orin-nx"
    file = family.state_dir / "active.json"
    before = file.read_text()
    active = json.loads(before)
    assert "foreign" not in active["models"]  # the first start chose only what runs here
    active["models"]["foreign"] = {"stable": build}
    file.write_text(json.dumps(active))
    wait_for(lambda: "refused" in family.status()["builds"].get(build, {}).get("reason", ""), 20.0, family.log)
    status = family.status()
    reason = status["builds"][build]["reason"]
    assert reason.startswith("refused: it is built for jetson-orin-nx, and this machine is ")
    assert status["machine"]["hardware_class"] in reason
    assert not family.is_ready()
    assert family.metric("outpost_build_refused", build=build) == 1
    assert family.metric("outpost_build_refused", build=TINY) == 0
    answer = httpx.post(f"{family.http_url}/v1/models/foreign/detect", content=GREY)
    assert answer.status_code == 503
    assert "it is built for jetson-orin-nx" in answer.json()["error"]
    assert main(["check", "--json", "--admin-port", str(family.ports["admin"])]) == 1
    checked = json.loads(capsys.readouterr().out)
    assert f"build {build}: {reason}" in checked["problems"]
    assert status["cascades"]["inspection"]["ready"]
    assert httpx.post(f"{family.http_url}/v1/models/inspection/detect", content=GREY).status_code == 200
    file.write_text(before)
    wait_for(family.is_ready, 20.0, family.log)
