"""The chart, rendered for many values: every object is what Kubernetes takes, and what would not work is refused."""

import functools
import json
from datetime import timedelta
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

from controller.access.desk import SHORTEST
from controller.adapters.kubernetes import names
from tests.charts import schema
from tests.charts.rendering import DOMAIN, Obj, container, kinds, notes, one, policy, rendered

SHARED = {"persistence": {"accessMode": "ReadWriteMany"}, "history": {"existingSecret": "history"}}
GITHUB = {"policy": {"forge": "github", "github": {"app_id": 1234567}}, "github": {"existingSecret": "github"}}
TOKEN = {
    "policy": {"forge": "github", "github": {"repositories": ["acme/shop"], "mode": "poll"}},
    "github": {"existingSecret": "github"},
}
WAYS = [
    pytest.param({"ingress": {"enabled": True, "className": "public", "tlsSecret": "tls"}}, "Ingress", id="Ingress"),
    pytest.param({"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}, "HTTPRoute", id="Gateway API"),
]
PRODUCTION = yaml.safe_load((schema.CHART.parents[1] / "examples" / "production.yaml").read_text())
CUSTOM = {"HTTPRoute", "ServiceMonitor"}
"""Not of Kubernetes itself, so its schemas do not know them."""

VALUES = [
    pytest.param({}, id="only the domain"),
    pytest.param(SHARED, id="two replicas"),
    pytest.param({"postgresql": {"enabled": True}}, id="PostgreSQL to try out"),
    pytest.param({"postgresql": {"enabled": True, "storage": {"enabled": False}}}, id="PostgreSQL without a volume"),
    pytest.param({"databases": {"existingSecret": "server"}}, id="a PostgreSQL of the operator's"),
    pytest.param(
        {"ingress": {"enabled": True, "className": "nginx", "tlsSecret": "wild", "annotations": {"a/b": "c"}}},
        id="Ingress",
    ),
    pytest.param({"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}, id="Gateway API"),
    pytest.param({**GITHUB, "webhooks": {"ingress": {"enabled": True, "annotations": {"a/b": "c"}}}}, id="GitHub"),
    pytest.param({**TOKEN, **SHARED}, id="GitHub with a token"),
    pytest.param({"networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False}}, id="bare"),
    pytest.param(
        {"networkPolicy": {"from": [{"podSelector": {}}], "egress": [{"ports": [{"port": 443}]}]}}, id="fenced"
    ),
    pytest.param(
        {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "existingSecret": "metrics"}},
        id="Prometheus Operator",
    ),
    pytest.param({"adminToken": {"existingSecret": "ours", "key": "mayfly.token"}}, id="their token"),
    pytest.param({"policy": {"access": {"mode": "open"}}}, id="no tokens"),
    pytest.param({"policy": PRODUCTION, "extraEnvFrom": [{"secretRef": {"name": "production"}}]}, id="main and probes"),
    pytest.param({"serviceAccount": {"create": False, "name": "ours"}, "rbac": {"create": False}}, id="their account"),
    pytest.param({"persistence": {"enabled": False}}, id="nothing lasts"),
    pytest.param({"persistence": {"existingClaim": "repositories", "storageClass": "fast"}}, id="their volume"),
    pytest.param({"image": {"digest": f"sha256:{'a' * 64}"}, "imagePullSecrets": [{"name": "ghcr"}]}, id="their image"),
    pytest.param(
        {
            "nodeSelector": {"pool": "tools"},
            "tolerations": [{"key": "tools", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {"nodeAffinity": {}},
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
            ],
            "priorityClassName": "high",
            "podAnnotations": {"a": "b"},
            "podLabels": {"team": "web"},
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
            "extraEnvFrom": [{"secretRef": {"name": "more"}}],
            "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
            "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
        },
        id="placed",
    ),
]


def taken(objects: list[Obj]) -> dict[str, Obj]:
    """Variables of the controller that come from Secrets: name and key of each."""
    return {env["name"]: env["valueFrom"]["secretKeyRef"] for env in container(objects)["env"] or []}


@functools.cache
def _validate(obj: str) -> None:
    """Most objects are the same for most values, and the schemas are large."""
    kubernetes_validate.validate(json.loads(obj), kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("values", VALUES)
def test_helm_finds_nothing_wrong(values: dict[str, Any]) -> None:
    report = helm_python.lint(schema.CHART, {"domain": DOMAIN, **values}, strict=True, namespace="tools")

    assert [message for message in report["messages"] if message["severity"] > 1] == []
    assert report["errors"] == []


@pytest.mark.parametrize("values", VALUES)
def test_every_object_is_what_kubernetes_takes(values: dict[str, Any]) -> None:
    objects = rendered(values)

    for obj in objects:
        if obj["kind"] not in CUSTOM:
            _validate(json.dumps(obj))
    assert policy(objects).domain == DOMAIN


@pytest.mark.parametrize("values", VALUES)
def test_every_pod_keeps_pod_security_restricted(values: dict[str, Any]) -> None:
    pods = [obj for obj in rendered(values) if obj["kind"] in {"Deployment", "StatefulSet", "Pod"}]

    assert pods
    for obj in pods:
        pod = obj["spec"] if obj["kind"] == "Pod" else obj["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for each in pod["containers"] + pod.get("initContainers", []):
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert each["resources"]["limits"]["memory"]


def test_names_of_two_releases_never_meet() -> None:
    def whole(objects: list[Obj]) -> set[tuple[str, str | None, str]]:
        return {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects}

    values = {"postgresql": {"enabled": True}}
    first = whole(rendered(values))

    assert not first & whole(rendered(values, namespace="other"))
    assert not first & whole(rendered(values, name="another"))


def test_what_selects_pods_selects_the_controllers_and_no_others() -> None:
    objects = rendered({**SHARED, "postgresql": {"enabled": True}})
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    others = one(objects, "StatefulSet", "mayfly-postgresql")["spec"]["template"]["metadata"]["labels"]

    selectors = [
        one(objects, "Service")["spec"]["selector"],
        one(objects, "Deployment")["spec"]["selector"]["matchLabels"],
        one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]

    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= others.items()


def test_the_policy_is_what_the_chart_knows_under_what_the_values_say() -> None:
    said = {"previews": {"max_alive": 7}, "kubernetes": {"prefix": "pr-", "images": {"runner": "runner:1"}}}

    read = policy(rendered({"policy": said, "imagePullSecrets": [{"name": "ghcr"}]}, name="eu", namespace="tools"))

    assert (read.listen, read.platform, read.domain) == ("0.0.0.0:8080", "kubernetes", DOMAIN)
    assert (read.previews.max_alive, read.previews.resync) == (7, timedelta(seconds=60))
    assert (read.kubernetes.instance, read.kubernetes.namespace, read.kubernetes.prefix) == ("eu", "tools", "pr-")
    assert (read.kubernetes.images.mayfly, read.kubernetes.images.runner) == ("mayfly:0.1.0", "runner:1")
    assert read.kubernetes.pull_secrets == ["ghcr"]
    assert read.kubernetes.databases.isolation == "namespace"


@pytest.mark.parametrize("word", ["off", "approve", "on"])
def test_what_a_word_of_the_policy_says_survives_the_chart(word: str) -> None:
    assert policy(rendered({"policy": {"allow": {"forks": word}}})).forks == word


def test_a_change_of_the_policy_rolls_the_controller() -> None:
    def mark(values: Obj) -> str:
        return str(
            one(rendered(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/policy"]
        )

    assert mark({"policy": {"previews": {"max_alive": 7}}}) != mark({"policy": {"previews": {"max_alive": 8}}})


@pytest.mark.parametrize(
    ("values", "expected", "isolation"),
    [
        pytest.param({}, {}, "namespace", id="none"),
        pytest.param(
            {"history": {"existingSecret": "h"}, "databases": {"existingSecret": "d", "key": "uri"}},
            {"MAYFLY_HISTORY_URL": ("h", "url"), "MAYFLY_DATABASES_URL": ("d", "uri")},
            "server",
            id="the operator's",
        ),
        pytest.param(
            {"postgresql": {"enabled": True}},
            {
                "MAYFLY_HISTORY_URL": ("mayfly-postgresql", "history"),
                "MAYFLY_DATABASES_URL": ("mayfly-postgresql", "databases"),
            },
            "server",
            id="the chart's",
        ),
        pytest.param(
            {"postgresql": {"enabled": True}, "history": {"existingSecret": "h"}},
            {"MAYFLY_HISTORY_URL": ("h", "url"), "MAYFLY_DATABASES_URL": ("mayfly-postgresql", "databases")},
            "server",
            id="one of each",
        ),
    ],
)
def test_urls_with_passwords_come_from_secrets(
    values: dict[str, Any], expected: dict[str, tuple[str, str]], isolation: str
) -> None:
    objects = rendered(values)

    admin = {"MAYFLY_ADMIN_TOKEN": ("mayfly-admin", "token")}
    assert {name: (key["name"], key["key"]) for name, key in taken(objects).items()} == expected | admin
    assert policy(objects).kubernetes.databases.isolation == isolation


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        pytest.param(
            GITHUB,
            {"MAYFLY_GITHUB_PRIVATE_KEY": "private-key", "MAYFLY_GITHUB_WEBHOOK_SECRET": "webhook-secret"},
            id="an App",
        ),
        pytest.param(TOKEN, {"MAYFLY_GITHUB_TOKEN": "token"}, id="a token, and no webhooks"),
        pytest.param(
            {**GITHUB, "policy": {"forge": "github", "github": {"app_id": 1, "private_key_file": "/keys/app.pem"}}},
            {"MAYFLY_GITHUB_WEBHOOK_SECRET": "webhook-secret"},
            id="a key in a file",
        ),
    ],
)
def test_what_github_needs_comes_from_one_secret(values: dict[str, Any], needed: dict[str, str]) -> None:
    keys = taken(rendered({**values, "policy": {**values["policy"], "access": {"mode": "open"}}}))

    assert {key["name"] for key in keys.values()} == {"github"}
    assert {name: key["key"] for name, key in keys.items() if not key.get("optional")} == needed
    before = {name: key["key"] for name, key in keys.items() if key.get("optional")}
    with_webhooks = "MAYFLY_GITHUB_WEBHOOK_SECRET" in needed
    assert before == ({"MAYFLY_GITHUB_WEBHOOK_SECRET_PREVIOUS": "webhook-secret-previous"} if with_webhooks else {})
    assert policy(rendered(GITHUB)).github.app_id == 1234567


def test_where_all_state_is_elsewhere_two_replicas_need_no_volume() -> None:
    objects = rendered({**GITHUB, "history": {"existingSecret": "h"}})

    assert one(objects, "Deployment")["spec"]["replicas"] == 2
    assert one(objects, "Deployment")["spec"]["strategy"]["type"] == "RollingUpdate"
    assert "PersistentVolumeClaim" not in kinds(objects)
    assert "initContainers" not in one(objects, "Deployment")["spec"]["template"]["spec"]


def test_a_history_in_sqlite_outlives_its_pod() -> None:
    assert "PersistentVolumeClaim" in kinds(rendered(GITHUB))
    assert "WARNING: what people decided" in notes({**GITHUB, "persistence": {"enabled": False}})
    assert "WARNING: what people decided" not in notes(GITHUB)


@pytest.mark.parametrize(("way", "kind"), WAYS)
def test_github_comes_in_by_one_path_and_sees_no_dashboard(way: dict[str, Any], kind: str) -> None:
    objects = rendered({**GITHUB, "webhooks": way})

    assert {obj["metadata"]["name"] for obj in objects if obj["kind"] in {"Ingress", "HTTPRoute"}} == {
        "mayfly-webhooks"
    }
    [rule] = one(objects, kind, "mayfly-webhooks")["spec"]["rules"]
    paths = rule["http"]["paths"] if kind == "Ingress" else [match["path"] for match in rule["matches"]]
    assert [(path.get("path") or path["value"], path.get("pathType") or path["type"]) for path in paths] == [
        ("/webhooks/github", "Exact")
    ]
    assert policy(objects).url() == f"https://{DOMAIN}"


def test_the_notes_tell_github_where_to_ring_and_whether_it_can() -> None:
    way = {"webhooks": {"ingress": {"enabled": True}}}

    assert f"https://{DOMAIN}/webhooks/github" in notes(GITHUB)
    assert "nothing leads there from outside" in notes(GITHUB)
    assert "nothing leads there from outside" not in notes({**GITHUB, **way})
    assert "Webhook" not in notes(TOKEN)
    assert "GitHub" not in notes()
    assert "port 443" in notes({**GITHUB, "networkPolicy": {"egress": [{"ports": [{"port": 6443}]}]}})


def test_whoever_installs_it_can_log_in_and_is_told_how() -> None:
    objects = rendered()

    key = taken(objects)["MAYFLY_ADMIN_TOKEN"]
    made = one(objects, "Secret", key["name"])["stringData"][key["key"]]
    assert len(made) >= SHORTEST
    assert made != one(rendered(), "Secret", key["name"])["stringData"][key["key"]]
    assert policy(objects).tokens
    assert f"get secret {key['name']} --output jsonpath='{{.data.token}}'" in notes()


def test_a_token_of_their_own_is_taken_and_none_is_made() -> None:
    values = {"adminToken": {"existingSecret": "ours", "key": "mayfly.token"}}

    assert taken(rendered(values))["MAYFLY_ADMIN_TOKEN"] == {"name": "ours", "key": "mayfly.token"}
    assert "Secret" not in kinds(rendered(values))
    assert r"get secret ours --output jsonpath='{.data.mayfly\.token}'" in notes(values)


def test_where_access_is_open_there_is_no_token_and_a_warning() -> None:
    values = {"policy": {"access": {"mode": "open"}}}

    assert not policy(rendered(values)).tokens
    assert "MAYFLY_ADMIN_TOKEN" not in taken(rendered(values))
    assert "Secret" not in kinds(rendered(values))
    assert "WARNING: policy.access.mode is open" in notes(values)
    assert "access.mode" not in notes()


def test_prometheus_shows_a_token_where_one_is_needed() -> None:
    monitored = {"enabled": True, "existingSecret": "metrics"}

    [endpoint] = one(rendered({"serviceMonitor": monitored}), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["authorization"] == {"type": "Bearer", "credentials": {"name": "metrics", "key": "token"}}
    for access in ({"public_reading": True}, {"mode": "open"}):
        objects = rendered({"serviceMonitor": {"enabled": True}, "policy": {"access": access}})
        assert "authorization" not in one(objects, "ServiceMonitor")["spec"]["endpoints"][0]


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({}, 30),
        ({"terminationGracePeriodSeconds": 10}, 25),
        ({"policy": {"stop_within": "45s"}}, 50),
        ({"policy": {"stop_within": "2 min"}}, 125),
        ({"policy": {"stop_within": "2 min"}, "terminationGracePeriodSeconds": 300}, 300),
    ],
)
def test_a_pod_is_not_killed_before_it_had_its_time_to_stop(values: dict[str, Any], seconds: int) -> None:
    spec = one(rendered(values), "Deployment")["spec"]["template"]["spec"]

    assert spec["terminationGracePeriodSeconds"] == seconds
    assert policy(rendered(values)).stop_within <= timedelta(seconds=seconds - 5)


def test_main_its_probes_and_who_is_told_are_the_policys() -> None:
    objects = rendered({"policy": PRODUCTION, "extraEnvFrom": [{"secretRef": {"name": "production"}}]})

    found = policy(objects)
    assert [target.name for target in found.targets] == ["production"]
    assert [probe.name for probe in found.probes] == ["shop", "checkout", "certificate"]
    assert [route.name for route in found.notify] == ["oncall", "team"]
    assert container(objects)["envFrom"] == [{"secretRef": {"name": "production"}}]


def test_the_password_of_the_charts_postgresql_is_the_same_in_all_its_urls() -> None:
    data = one(rendered({"postgresql": {"enabled": True}}), "Secret", "mayfly-postgresql")["stringData"]

    server = f"postgresql://postgres:{data['password']}@mayfly-postgresql.tools.svc:5432"
    assert len(data["password"]) == 32
    assert (data["history"], data["databases"]) == (f"{server}/mayfly", f"{server}/postgres")


def test_probes_ask_under_the_controllers_own_name() -> None:
    pod = container(rendered())

    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = pod[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == ("/healthz", "http")
        assert asked["httpHeaders"] == [{"name": "Host", "value": DOMAIN}]


@pytest.mark.parametrize(
    ("values", "replicas", "strategy"),
    [
        pytest.param({}, 1, "Recreate", id="a home of one node"),
        pytest.param({"postgresql": {"enabled": True}}, 1, "Recreate", id="a home of one node, a shared history"),
        pytest.param({"persistence": {"accessMode": "ReadWriteMany"}}, 1, "RollingUpdate", id="SQLite"),
        pytest.param(SHARED, 2, "RollingUpdate", id="all is shared"),
        pytest.param({**SHARED, "replicas": 3}, 3, "RollingUpdate", id="as said"),
        pytest.param({**SHARED, "replicas": 0}, 0, "RollingUpdate", id="paused"),
    ],
)
def test_there_are_as_many_replicas_as_work_together(values: dict[str, Any], replicas: int, strategy: str) -> None:
    objects = rendered(values)

    spec = one(objects, "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (replicas, strategy)
    assert ("PodDisruptionBudget" in kinds(objects)) == (replicas > 1)
    assert f"Replicas    {replicas}" in notes(values)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        pytest.param({"ingress": {"enabled": True}}, "Ingress", id="Ingress"),
        pytest.param({"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}, "HTTPRoute", id="HTTPRoute"),
    ],
)
def test_the_domain_and_every_name_under_it_lead_to_the_controller(values: dict[str, Any], kind: str) -> None:
    spec = one(rendered(values), kind)["spec"]

    hosts = spec.get("hostnames") or [rule["host"] for rule in spec["rules"]]
    assert hosts == [DOMAIN, f"*.{DOMAIN}"]
    assert f"https://{DOMAIN}" in notes(values)


def test_without_an_entrance_the_notes_say_how_to_get_in() -> None:
    assert "kubectl --namespace tools port-forward service/mayfly 8080:80" in notes()


def test_the_notes_warn_where_repositories_go_with_the_pod() -> None:
    assert "WARNING" in notes({"persistence": {"enabled": False}})
    assert "WARNING" not in notes()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"domain": ""}, "domain: name the domain", id="no domain"),
        pytest.param(
            {"replicas": 2, "persistence": {"enabled": False}}, "persistence.accessMode=ReadWriteMany", id="homes"
        ),
        pytest.param({"replicas": 2}, "persistence.accessMode=ReadWriteMany", id="one volume"),
        pytest.param(
            {"replicas": 2, "persistence": {"accessMode": "ReadWriteMany"}},
            "history.existingSecret",
            id="SQLite for two",
        ),
        pytest.param({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs", id="a route from nowhere"),
        pytest.param({**GITHUB, "github": {}}, "private-key, webhook-secret", id="an App without a Secret"),
        pytest.param({**TOKEN, "github": {}}, "needs: token", id="a token without a Secret"),
        pytest.param({**TOKEN, "policy": {"forge": "github"}}, "policy.github.app_id", id="neither App nor token"),
        pytest.param({"webhooks": {"ingress": {"enabled": True}}}, "nobody would use it", id="webhooks for nobody"),
        pytest.param({**TOKEN, "webhooks": {"ingress": {"enabled": True}}}, "policy.github.mode", id="who only asks"),
        pytest.param(
            {**GITHUB, "webhooks": {"httpRoute": {"enabled": True}}},
            "webhooks.httpRoute.parentRefs",
            id="webhooks from nowhere",
        ),
        pytest.param({"policy": {"listen": "0.0.0.0:9000"}}, "service.port", id="the chart's own key"),
        pytest.param({"serviceMonitor": {"enabled": True}}, "serviceMonitor.existingSecret", id="metrics for nobody"),
        pytest.param({"policy": {"stop_within": "1h 30m"}}, "policy.stop_within", id="a stop of an unknown length"),
        pytest.param({"serviceAccount": {"create": False}}, "serviceAccount.name", id="an account without a name"),
        pytest.param(
            {
                "postgresql": {"enabled": True},
                "history": {"existingSecret": "h"},
                "databases": {"existingSecret": "d"},
            },
            "nothing would use it",
            id="a PostgreSQL for nobody",
        ),
    ],
)
def test_what_would_not_work_is_refused_with_what_to_do(values: dict[str, Any], words: str) -> None:
    with pytest.raises(helm_python.HelmError) as refused:
        rendered(values)

    assert words in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"replica": 2}, id="a value"),
        pytest.param({"ingress": {"enable": True}}, id="a value within"),
        pytest.param({"policy": {"preview": {}}}, id="a key of the policy"),
        pytest.param({"policy": {"previews": {"max_life": 3, "max_alife": 1}}}, id="a key within the policy"),
        pytest.param({"image": {"pullPolicy": "Sometimes"}}, id="a word"),
        pytest.param({"domain": "https://previews.example.com"}, id="a URL for a domain"),
        pytest.param({"persistence": {"size": "10 GB"}}, id="a size"),
    ],
)
def test_a_typo_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(helm_python.HelmError, match=r"(?s)schema"):
        rendered(values)


def test_the_schema_knows_every_value_and_is_the_policys_own() -> None:
    with helm_python.Chart.load(schema.CHART) as chart:
        known, defaults = json.loads(schema.text())["properties"], chart.values

    assert schema.FILE.read_text() == schema.text(), "`python -m tests.charts.schema` makes it anew"
    assert known.keys() - {"global"} == defaults.keys()
    for name, shape in known.items():
        if name != "policy" and "properties" in shape:
            assert shape["properties"].keys() == defaults[name].keys()


def test_previews_and_targets_reach_the_charts_postgresql_and_nobody_else_does() -> None:
    policy = one(rendered({"postgresql": {"enabled": True}}), "NetworkPolicy", "mayfly-postgresql")["spec"]

    [_, *others] = policy["ingress"][0]["from"]
    assert [other["namespaceSelector"]["matchLabels"] for other in others] == [
        {names.INSTANCE: "mayfly"},
        {names.TARGETS_OF: "mayfly"},
    ]


def test_the_fence_is_around_this_account_and_this_instance() -> None:
    objects = rendered({"policy": {"kubernetes": {"instance": "eu"}}})

    spec = one(objects, "ValidatingAdmissionPolicy", "tools-mayfly")["spec"]
    conditions = " ".join(condition["expression"] for condition in spec["matchConditions"])
    assert '"system:serviceaccount:tools:mayfly"' in conditions
    assert 'request.namespace != "tools"' in conditions
    told = spec["validations"][0]["expression"]
    assert f'["{names.INSTANCE}", "{names.TARGETS_OF}"].exists(label,' in told
    assert 'labels[label] == "eu"' in told
    assert one(objects, "ValidatingAdmissionPolicyBinding", "tools-mayfly")["spec"]["validationActions"] == ["Deny"]


@pytest.mark.parametrize("way", ["ingress", "httpRoute"])
def test_people_are_led_in_by_the_way_that_there_is(way: str) -> None:
    told = {way: {"enabled": True, "parentRefs": [{"name": "public"}]} if way == "httpRoute" else {"enabled": True}}
    assert policy(rendered(told)).url("pr-7-shop") == f"https://pr-7-shop.{DOMAIN}"
    assert policy(rendered(told | {"policy": {"public_url": f"http://{DOMAIN}"}})).url() == f"http://{DOMAIN}"
    assert policy(rendered()).public_url is None
