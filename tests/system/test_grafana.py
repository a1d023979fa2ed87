"""The shipped dashboards: their form, and that every query has data while the demo's models answer."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.device_agent.machine_trees import cpu_box, jetson_orin, raspberry_pi
from tests.system.conftest import REPOSITORY
from tests.system.dashboards import (
    DASHBOARDS,
    DEMO_ALIASES,
    GRAFANA,
    ask_about_samples,
    queries,
    read,
    require_choices,
    without_data,
)
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.prometheus_process import PrometheusProcess, prometheus_watching, running_agents

pytestmark = pytest.mark.parts
WIDTH = 24


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
        process.wait_until_serving(*DEMO_ALIASES)
        yield process
    finally:
        process.close()


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

    def empty() -> str:
        return str(without_data(watched, queries(dashboard)))

    def all_have_data() -> bool:  # a rate needs scrapes before, between and after requests
        ask_about_samples(demo.http_url, *DEMO_ALIASES)
        return without_data(watched, queries(dashboard)) == []

    wait_for(all_have_data, 60, empty)
    require_choices(watched, dashboard)


def test_the_panel_of_engines_shows_each_build_that_is_not_being_made(
    demo: GatewayProcess, watched: PrometheusProcess
) -> None:
    panels = read(GRAFANA / "dashboards" / "outpost-model-quality.json")["panels"]
    (query,) = queries({"panels": [each for each in panels if each["title"].startswith("Engines")]})
    shown = {each["metric"]["build"]: float(each["value"][1]) for each in watched.query(query.expression)}
    assert shown == dict.fromkeys(demo.status()["builds"], 0.0)


def test_a_cascade_spares_its_detector_work_and_the_panel_shows_it(
    demo: GatewayProcess, watched: PrometheusProcess
) -> None:
    panels = read(GRAFANA / "dashboards" / "outpost-model-quality.json")["panels"]
    panel = next(each for each in panels if each["title"].startswith("Frames that a cascade"))
    (query,) = queries({"panels": [panel]})
    shown = dict[str, float]()

    def shows_a_part() -> bool:  # rates over the first seconds are extrapolated, each series in its own way
        ask_about_samples(demo.http_url, "inspection")
        shown.update({each["metric"]["model"]: float(each["value"][1]) for each in watched.query(query.expression)})
        return 0.05 < shown.get("inspection", 1.0) < 0.5

    wait_for(shows_a_part, 60, lambda: str(shown))
    assert list(shown) == ["inspection"]
