"""The chart as Helm renders it, with no cluster."""

from collections.abc import Iterator, Mapping
from typing import Any

import helm_python
import yaml

from controller.settings import Policy
from smoke.documents import load
from tests.charts.schema import CHART

Obj = dict[str, Any]
DOMAIN = "previews.example.com"


def rendered(values: Mapping[str, Any] | None = None, *, name: str = "mayfly", namespace: str = "tools") -> list[Obj]:
    """Every object of the chart, with the domain set unless `values` sets it."""
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render({"domain": DOMAIN, **(values or {})}, name=name, namespace=namespace)
    return list(_objects(files))


def notes(values: Mapping[str, Any] | None = None) -> str:
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render({"domain": DOMAIN, **(values or {})}, name="mayfly", namespace="tools")
    return files["mayfly/templates/NOTES.txt"]


def _objects(files: Mapping[str, str]) -> Iterator[Obj]:
    for path, text in sorted(files.items()):
        if path.endswith(".yaml"):
            yield from filter(None, yaml.safe_load_all(text))


def one(objects: list[Obj], kind: str, name: str = "mayfly") -> Obj:
    (found,) = [obj for obj in objects if obj["kind"] == kind and obj["metadata"]["name"] == name]
    return found


def kinds(objects: list[Obj]) -> set[str]:
    return {obj["kind"] for obj in objects}


def container(objects: list[Obj], kind: str = "Deployment", name: str = "mayfly") -> Obj:
    (found,) = one(objects, kind, name)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def policy(objects: list[Obj]) -> Policy:
    """As the controller reads it."""
    (text,) = [obj["data"]["mayfly.yaml"] for obj in objects if obj["kind"] == "ConfigMap"]
    return load(text.encode(), Policy, "mayfly.yaml")
