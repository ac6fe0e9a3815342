"""`helm template NAME CHART --namespace N --skip-tests --values FILE…` over Helm's engine, where there is no helm."""

import argparse
import pathlib
import sys

import helm_python
import yaml


def _merge(below, above):
    both = below.keys() & above.keys()
    deep = {key for key in both if isinstance(below[key], dict) and isinstance(above[key], dict)}
    return below | above | {key: _merge(below[key], above[key]) for key in deep}


def _main():
    arguments = argparse.ArgumentParser()
    for name in ("verb", "name", "chart"):
        arguments.add_argument(name)
    arguments.add_argument("--namespace", required=True)
    arguments.add_argument("--skip-tests", action="store_true", required=True)
    arguments.add_argument("--values", action="append", default=[])
    asked = arguments.parse_args()
    values = {}
    for path in asked.values:
        values = _merge(values, yaml.safe_load(pathlib.Path(path).read_text()) or {})
    try:
        with helm_python.Chart.load(asked.chart) as chart:
            made = chart.render(values=values, name=asked.name, namespace=asked.namespace)
    except helm_python.HelmError as error:
        sys.exit(f"Error: {error}")
    print(made if isinstance(made, str) else "\n---\n".join(made.values()))  # noqa: T201 - it is a program


if __name__ == "__main__":
    _main()
