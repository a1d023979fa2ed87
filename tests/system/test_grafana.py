"""The shipped dashboards: their form, and that every query has data while the demo's models answer."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.device_agent.machine_trees import cpu_box, jetson_orin, raspberry_pi
from tests.system.conftest import SAMPLES
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.prometheus_process import PrometheusProcess, prometheus_watching, running_agents

pytestmark = pytest.mark.parts
REPOSITORY = Path(__file__).parents[2]
GRAFANA = REPOSITORY / "compose" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
WIDTH = 24


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_what_grafana_needs(path: Path) -> None:
    dashboard = read(path)
    assert (dashboard["uid"], dashboard["schemaVersion"]) == (path.stem, 39)
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    provisioned = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())
    sources = {source["uid"] for source in provisioned["datasources"]}
    for panel in panels:
        assert panel["title"]
        assert panel["type"] in {"timeseries", "stat", "bargauge"}
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= WIDTH
        assert [target["refId"] for target in panel["targets"]] == list("ABC"[: len(panel["targets"])])
        assert {each["datasource"]["uid"] for each in (panel, *panel["targets"])} <= sources
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        assert not _overlap(one, other)


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """The shipped models."""
    state = tmp_path_factory.mktemp("demo") / "state"
    process = GatewayProcess(state, REPOSITORY / "model_repository", probe_seconds=0)
    process.start()
    try:
        process.wait_until_serving("defects", "parts", "inspection")
        yield process
    finally:
        process.close()


def ask_about_samples(demo: GatewayProcess, model: str) -> None:
    url = f"{demo.http_url}/v1/models/{model}/{'classify' if model == 'parts' else 'detect'}"
    for path in SAMPLES:
        assert httpx.post(url, content=path.read_bytes(), trust_env=False, timeout=30).status_code == 200


@pytest.fixture(scope="module")
def watched(demo: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusProcess]:
    """Prometheus at the demo and at the agents of this machine and of made-up ones."""
    # no one machine has everything: this one, and the made-up ones of the agent's tests
    made_up = [make(tmp_path_factory.mktemp(make.__name__)) for make in (cpu_box, jetson_orin, raspberry_pi)]
    folder = tmp_path_factory.mktemp("prometheus")
    with running_agents(Path("/"), *made_up) as agents, prometheus_watching(demo, folder, agents) as prometheus:
        yield prometheus


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_query_of_a_dashboard_has_data(path: Path, demo: GatewayProcess, watched: PrometheusProcess) -> None:
    dashboard = read(path)
    queries = [
        (panel["title"], target["expr"].replace("$instance", ".*").replace("$model", ".*"))
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]

    def empty() -> list[tuple[str, str]]:
        return [(title, expression) for title, expression in queries if not watched.query(expression)]

    def all_have_data() -> bool:  # a rate needs scrapes before, between and after requests
        for model in ("defects", "parts", "inspection"):
            ask_about_samples(demo, model)
        return empty() == []

    wait_for(all_have_data, 60, lambda: str(empty()))
    for variable in dashboard["templating"]["list"]:
        metric, label = variable["query"]["query"].removeprefix("label_values(").removesuffix(")").split(", ")
        assert watched.query(f"count by ({label}) ({metric})")


def test_a_cascade_spares_its_detector_work_and_the_panel_shows_it(
    demo: GatewayProcess, watched: PrometheusProcess
) -> None:
    panels = read(GRAFANA / "dashboards" / "outpost-model-quality.json")["panels"]
    panel = next(each for each in panels if each["title"].startswith("Frames that a cascade"))
    expression = panel["targets"][0]["expr"].replace("$instance", ".*").replace("$model", ".*")
    shown = dict[str, float]()

    def shows_a_part() -> bool:  # rates over the first seconds are extrapolated, each series in its own way
        ask_about_samples(demo, "inspection")
        shown.update({each["metric"]["model"]: float(each["value"][1]) for each in watched.query(expression)})
        return 0.05 < shown.get("inspection", 1.0) < 0.5

    wait_for(shows_a_part, 60, lambda: str(shown))
    assert list(shown) == ["inspection"]
