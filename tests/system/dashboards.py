"""The shipped dashboards' queries, and the requests that give them data."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.system.conftest import SAMPLES
from tests.system.prometheus_process import PrometheusProcess

GRAFANA = Path(__file__).parents[2] / "compose" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
DEMO_ALIASES = ("defects", "parts", "inspection")


class PanelQuery(NamedTuple):
    """One query of a panel, for all machines and models."""

    title: str
    expression: str


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def queries(dashboard: dict[str, Any]) -> list[PanelQuery]:
    return [
        PanelQuery(panel["title"], target["expr"].replace("$instance", ".*").replace("$model", ".*"))
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]


def without_data(prometheus: PrometheusProcess, asked: list[PanelQuery]) -> list[PanelQuery]:
    return [query for query in asked if not prometheus.query(query.expression)]


def require_choices(prometheus: PrometheusProcess, dashboard: dict[str, Any]) -> None:
    """Each variable of the dashboard has values to choose from."""
    for variable in dashboard["templating"]["list"]:
        metric, label = variable["query"]["query"].removeprefix("label_values(").removesuffix(")").split(", ")
        assert prometheus.query(f"count by ({label}) ({metric})")


def ask_about_samples(http_url: str, *aliases: str) -> None:
    """Send each sample frame to each of the demo's aliases."""
    for alias in aliases:
        url = f"{http_url}/v1/models/{alias}/{'classify' if alias == 'parts' else 'detect'}"
        for path in SAMPLES:
            assert httpx.post(url, content=path.read_bytes(), trust_env=False, timeout=30).status_code == 200
