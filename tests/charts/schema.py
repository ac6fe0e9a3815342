"""values.schema.json: what is written by hand in values.yaml, and the policy's schema as the controller has it.

`python -m tests.charts.schema` makes it anew after a change of values.yaml or of the policy.
"""

import json
from pathlib import Path
from typing import Any

from controller.settings import Policy

CHART = Path(__file__).parents[2] / "charts" / "mayfly"
FILE = CHART / "values.schema.json"
SET_BY_THE_CHART = {"listen", "domain", "platform"}
"""Keys of the policy that the templates refuse, with what to set in their place."""

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
SIZE: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"}
STRINGS: Schema = {"type": "object", "additionalProperties": TEXT}
ANYTHING: Schema = {"type": "object"}
MANY: Schema = {"type": "array", "items": ANYTHING}
PULL_POLICY: Schema = {"enum": ["Always", "IfNotPresent", "Never"]}
NAMES: Schema = {
    "type": "array",
    "items": {"type": "object", "properties": {"name": TEXT}, "required": ["name"], "additionalProperties": False},
}


def strict(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


SECRET = strict(existingSecret=TEXT, key={"type": "string", "minLength": 1})
INGRESS = strict(enabled=FLAG, className=TEXT, annotations=STRINGS, tlsSecret=TEXT)
HTTP_ROUTE = strict(enabled=FLAG, annotations=STRINGS, parentRefs=MANY)
VALUES: dict[str, Schema] = {
    "global": ANYTHING,
    "domain": {
        "type": "string",
        "pattern": r"^$|^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
        "description": "previews.example.com",
    },
    "repositories": {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"}},
    "github": strict(existingSecret=TEXT),
    "adminToken": SECRET,
    "webhooks": strict(ingress=INGRESS, httpRoute=HTTP_ROUTE),
    "replicas": {"type": ["integer", "null"], "minimum": 0, "maximum": 10},
    "image": strict(
        repository={"type": "string", "minLength": 1},
        tag=TEXT,
        digest={"type": "string", "pattern": "^$|^sha256:[0-9a-f]{64}$"},
        pullPolicy=PULL_POLICY,
    ),
    "imagePullSecrets": NAMES,
    "history": SECRET,
    "databases": SECRET,
    "postgresql": strict(
        enabled=FLAG,
        image=TEXT,
        imagePullPolicy=PULL_POLICY,
        user={"type": "integer", "minimum": 1},
        storage=strict(enabled=FLAG, size=SIZE, storageClass=TEXT),
        resources=ANYTHING,
    ),
    "persistence": strict(
        enabled={"type": ["boolean", "null"]},
        existingClaim=TEXT,
        accessMode={"enum": ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]},
        size=SIZE,
        storageClass=TEXT,
        annotations=STRINGS,
    ),
    "serviceAccount": strict(create=FLAG, name=TEXT, annotations=STRINGS),
    "rbac": strict(create=FLAG, ownManifests=FLAG, fence=FLAG),
    "service": strict(
        type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
        port={"type": "integer", "minimum": 1, "maximum": 65535},
        annotations=STRINGS,
    ),
    "ingress": INGRESS,
    "httpRoute": HTTP_ROUTE,
    "networkPolicy": strict(enabled=FLAG, **{"from": MANY, "egress": MANY}),
    "podDisruptionBudget": strict(enabled=FLAG, maxUnavailable={"type": ["integer", "string"]}),
    "serviceMonitor": strict(
        enabled=FLAG, interval=TEXT, labels=STRINGS, existingSecret=TEXT, key={"type": "string", "minLength": 1}
    ),
    "resources": ANYTHING,
    "nodeSelector": STRINGS,
    "tolerations": MANY,
    "affinity": ANYTHING,
    "topologySpreadConstraints": MANY,
    "priorityClassName": TEXT,
    "podAnnotations": STRINGS,
    "podLabels": STRINGS,
    "extraEnv": MANY,
    "extraEnvFrom": MANY,
    "extraVolumes": MANY,
    "extraVolumeMounts": MANY,
    "terminationGracePeriodSeconds": {"type": "integer", "minimum": 10},
    "nameOverride": TEXT,
    "fullnameOverride": TEXT,
}


def text() -> str:
    policy = Policy.model_json_schema()
    properties = {name: shape for name, shape in policy["properties"].items() if name not in SET_BY_THE_CHART}
    refused = {name: {"description": "set by the chart"} for name in sorted(SET_BY_THE_CHART)}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of Mayfly's chart",
        **strict(**VALUES, policy=strict(**properties, **refused)),
        "$defs": policy["$defs"],
    }
    return json.dumps(_without_noise(whole), indent=1, ensure_ascii=False) + "\n"


def _without_noise(schema: Any) -> Any:
    """Defaults and titles are the controller's business, and made of its types."""
    if isinstance(schema, list):
        return [_without_noise(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    is_shape = "type" in schema or "$ref" in schema or "anyOf" in schema
    noise = {"default", "title", "examples"} if is_shape and not isinstance(schema.get("type"), dict) else set[str]()
    return {key: _without_noise(value) for key, value in schema.items() if key not in noise}


if __name__ == "__main__":
    FILE.write_text(text())
