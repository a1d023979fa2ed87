"""The rules by promtool, and the real Prometheus on a real gateway with Triton behind it."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc
import yaml

from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.prometheus_process import SHIPPED, PrometheusProcess, prometheus_watching, running_agents
from tests.system.test_serving import frames_input

pytestmark = pytest.mark.parts
REPOSITORY = Path(__file__).parents[2]
RULES = sorted((SHIPPED / "rules").glob("*.yml"))


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


def rules_of(kind: str) -> list[dict[str, Any]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def test_config_and_rules_are_valid() -> None:
    for checked in (promtool("check", "config", SHIPPED / "prometheus.yml"), promtool("check", "rules", *RULES)):
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_made_up_series_give_the_expected_alerts(tmp_path: Path) -> None:
    content = (Path(__file__).parent / "rules.test.yml").read_text()
    (tmp_path / "rules.test.yml").write_text(content.replace("[RULES]", json.dumps([str(path) for path in RULES])))
    tested = promtool("test", "rules", tmp_path / "rules.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_is_tried_and_names_a_section_of_the_guide() -> None:
    tried = (Path(__file__).parent / "rules.test.yml").read_text()
    for rule in rules_of("alert"):
        assert rule["alert"] in tried
        path, _, anchor = rule["annotations"]["guide"].partition("#")
        headings = re.findall(r"^#+ (.*)$", (REPOSITORY / path).read_text(), re.MULTILINE)
        anchors = [re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert not anchor or anchor in anchors, rule["alert"]


@pytest.fixture(scope="module")
def prometheus(gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusProcess]:
    folder = tmp_path_factory.mktemp("prometheus")
    with running_agents(Path("/")) as agents, prometheus_watching(gateway, folder, agents) as watching:
        yield watching


def test_every_recorded_series_has_data_once_frames_were_sent(
    gateway: GatewayProcess, prometheus: PrometheusProcess, grey_jpeg: bytes
) -> None:
    missing = [rule["record"] for rule in rules_of("record")]

    def all_recorded() -> bool:
        with tritonclient.grpc.InferenceServerClient(gateway.grpc_address) as client:
            client.infer("tiny", [frames_input(tritonclient.grpc, grey_jpeg)])
        missing[:] = [name for name in missing if not prometheus.query(f"{name} >= 0")]
        return not missing

    wait_for(all_recorded, 60, lambda: f"no data: {missing}")
    answered = prometheus.query('model:outpost_request_seconds:p99_5m{model="tiny"}')
    assert 0 < float(answered[0]["value"][1]) < 5
