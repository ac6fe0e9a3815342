"""A repository's own manifests: read, refused with the name of the file, and made part of a preview."""

import json
import os
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controller.adapters.kubernetes import names, own_placing, tools
from controller.adapters.kubernetes.own import Bounds, manifests, wanted
from controller.adapters.kubernetes.own_templates import filled
from controller.adapters.kubernetes.own_yaml import documents
from controller.adapters.kubernetes.shapes import Place
from controller.common.nouns import PreviewKey
from controller.common.spec import Deploy, Helm
from controller.errors import Refused
from controller.settings import Images, Kubernetes
from tests.adapters.kubernetes.manifests import (
    IMAGE,
    NAMESPACE,
    POLICY,
    a_container,
    a_cron_job,
    a_deployment,
    a_pod_spec,
    a_service,
    an_object,
)

pytestmark = pytest.mark.processes

PLACE = Place(NAMESPACE, PreviewKey("shop", 7), "mayfly")
LABELS = names.labels(PLACE)
VALUES = {"sha": "1e10000", "number": "7", "namespace": NAMESPACE, "host": "pr-7-shop"}
FOLDER = Deploy(manifests="k8s")
KUSTOMIZE = Deploy(kustomize="k8s")
HELM = Deploy(helm=Helm(chart="chart", values=["values.yaml"]))
BOUNDS = Bounds(PLACE, POLICY, deploy=3)
NEEDS_KUSTOMIZE = pytest.mark.skipif(
    not (shutil.which("kustomize") or shutil.which("kubectl")), reason="needs kustomize or kubectl on PATH"
)


@pytest.fixture
def tree(tmp_path):
    """`tree(**{"k8s/web.yaml": …})` writes a repository; text as it is, anything else as YAML."""
    root = tmp_path / "tree"

    def _write(files=None, **more):
        for name, content in {**(files or {}), **more}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return root

    return _write


async def test_files_are_read_in_the_order_of_their_names(tree):
    root = tree({"k8s/b.yml": a_service(), "k8s/a.yaml": an_object(), "k8s/readme.md": "x", "k8s/sub/c.yaml": "x: 1"})
    assert [obj["kind"] for obj in await manifests(root, FOLDER, VALUES)] == ["ConfigMap", "Service"]


async def test_a_file_has_several_documents_and_empty_ones(tree):
    text = "---\n# nothing\n---\n" + yaml.safe_dump_all([an_object(), a_service()]) + "---\n"
    assert len(await manifests(tree({"k8s/a.yaml": text}), FOLDER, VALUES)) == 2


async def test_a_list_is_what_is_in_it(tree):
    listed = {"apiVersion": "v1", "kind": "List", "items": [an_object(), a_service()]}
    assert len(await manifests(tree({"k8s/a.yaml": listed}), FOLDER, VALUES)) == 2


async def test_what_only_a_cluster_says_is_left_out(tree):
    (found,) = await manifests(tree({"k8s/a.yaml": an_object(status={"loadBalancer": {}})}), FOLDER, VALUES)
    assert "status" not in found


async def test_a_template_is_filled(tree):
    text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {sha: {{ sha | tojson }}, n: "{{ number }}"}'
    (found,) = await manifests(tree({"k8s/a.yaml.j2": text}), FOLDER, VALUES)
    assert found["data"] == {"sha": "1e10000", "n": "7"}


async def test_the_revision_is_filled_into_images(tree):
    deployment = a_deployment(a_pod_spec(containers=[a_container(image="ghcr.io/acme/web:{sha}")]))
    (found,) = await manifests(tree({"k8s/a.yaml": deployment}), FOLDER, VALUES)
    assert own_placing.images([found]) == ("ghcr.io/acme/web:1e10000",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ nothing }}", "k8s/a.yaml.j2: 'nothing' is undefined"),
        ("a: 1\n{% if %}", "k8s/a.yaml.j2: line 2: Expected an expression"),
        ("{% include 'b' %}", "k8s/a.yaml.j2: no loader for this environment"),
        ("{{ ''.__class__.__mro__ }}", "k8s/a.yaml.j2: access to attribute '__class__'"),
        ("{{ 1 / 0 }}", "k8s/a.yaml.j2: division by zero"),
        ("{% for i in range(99999) %}{{ 'x' * 99 }}{% endfor %}", "k8s/a.yaml.j2: it becomes longer than"),
        ("{{ 'x' * 10 ** 10 }}", "k8s/a.yaml.j2: it takes too much memory"),
    ],
)
async def test_a_template_that_cannot_be_filled_is_named(tree, text, words):
    with pytest.raises(Refused) as refused:
        await manifests(tree({"k8s/a.yaml.j2": text}), FOLDER, VALUES)
    assert refused.value.reason.startswith(words)


async def test_a_template_without_end_is_ended(tree, monkeypatch):
    monkeypatch.setattr(tools, "_CONFINE", (*tools._CONFINE[:-1], "tests.adapters.kubernetes.hasty"))
    text = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(Refused, match="it takes more time or memory than it may"):
        await manifests(tree({"k8s/a.yaml.j2": text}), FOLDER, VALUES)


async def test_a_program_sees_nothing_of_ours_and_no_network(tree, tmp_path, monkeypatch):
    program = tmp_path / "bin/kustomize"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport json, os\n"
        "print(json.dumps({'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'web'}, "
        "'data': dict(os.environ)}))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("MAYFLY_SECRET", "hunter2")
    (found,) = await manifests(tree({"k8s/kustomization.yaml": {"namePrefix": "a"}}), KUSTOMIZE, VALUES)
    assert "MAYFLY_SECRET" not in found["data"]
    assert found["data"]["HTTPS_PROXY"] == "http://127.0.0.1:9"
    assert found["data"]["HOME"] == found["data"]["PATH"] != os.environ["HOME"]


def test_a_part_that_grows_without_end_is_cut():
    with pytest.raises(ValueError, match="longer than"):
        filled("{% for i in range(2000) %}{{ 'x' * 1000 }}{% endfor %}", {})


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"other/a.yaml": ""}, "`k8s` is not in the repository, or leads nowhere"),
        ({"k8s": "x"}, "`k8s` is not a folder"),
        ({"k8s/readme.md": "x"}, "`k8s` has no YAML"),
        ({"k8s/a.yaml": "a: ]"}, "k8s/a.yaml: line 1: not valid YAML"),
        ({"k8s/a.yaml": "a: 1\na: 2"}, "k8s/a.yaml: line 2: the key `a` is written twice"),
        ({"k8s/a.yaml": "a: 1"}, "k8s/a.yaml: an object needs an `apiVersion`, a `kind` and a `metadata.name`"),
        ({"k8s/a.yaml": "- 1"}, "k8s/a.yaml: an object needs"),
        ({"k8s/a.yaml": "a: !!python/object:os.system x"}, "k8s/a.yaml: line 1: Kubernetes has no values of the kind"),
        ({"k8s/a.yaml": "a: .inf"}, "k8s/a.yaml: line 1: not a number that JSON has"),
        ({"k8s/a.yaml": "[" * 50}, "k8s/a.yaml: it nests more than 40 levels deep"),
        ({"k8s/a.yaml": an_object(), "k8s/b.yaml": an_object()}, "k8s/b.yaml: ConfigMap web is in k8s/a.yaml already"),
        ({"k8s/a.yaml": "#" * 3_000_000}, "k8s/a.yaml: with this one there are more than"),
        ({f"k8s/{number}.yaml": "" for number in range(101)}, "`k8s` has 101 YAML files; 100 at most"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(tree, files, words):
    with pytest.raises(Refused) as refused:
        await manifests(tree(files), FOLDER, VALUES)
    assert refused.value.reason.startswith(words)


async def test_a_link_out_of_the_repository_is_not_followed(tree, tmp_path):
    (tmp_path / "secret.yaml").write_text(yaml.safe_dump(an_object()))
    root = tree({"k8s/a.yaml": an_object()})
    (root / "k8s/b.yaml").symlink_to("../../secret.yaml")
    with pytest.raises(Refused, match=r"`k8s/b.yaml` leads out of the repository"):
        await manifests(root, FOLDER, VALUES)


async def test_a_link_within_the_repository_is_followed(tree):
    root = tree({"shared/a.yaml": an_object(), "k8s/b.yaml": a_service()})
    (root / "k8s/a.yaml").symlink_to("../shared/a.yaml")
    assert len(await manifests(root, FOLDER, VALUES)) == 2


async def test_a_pipe_is_no_file(tree):
    root = tree({"k8s/b.yaml": ""})
    os.mkfifo(root / "k8s/a.yaml")
    with pytest.raises(Refused, match=r"`k8s/a.yaml` is not a file"):
        await manifests(root, FOLDER, VALUES)


def test_names_that_multiply_are_refused_before_they_do():
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
    with pytest.raises(Refused, match="expands to more than 50,000 values"):
        documents("\n".join(lines), "a.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("on", True),
        ("'yes'", "yes"),
        ("0644", 420),
        ("22:30", "22:30"),
        ("2026-03-02", "2026-03-02"),
        ("1e10000", "1e10000"),
        ("1.10", 1.1),
        ("~", None),
        ("{443: a, on: b}", {"443": "a", "on": "b"}),
        ("{<<: {a: 1}, b: 2}", {"a": 1, "b": 2}),
    ],
)
def test_values_are_what_kubernetes_takes_them_for(text, value):
    assert documents(f"a: {text}", "a.yaml") == [{"a": value}]


@given(st.text(alphabet="ab:[]{}&*!<>-'\"\n #|%?,0.", max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        found = documents(text, "a.yaml")
    except Refused:
        return
    assert json.dumps(found, allow_nan=False)


@NEEDS_KUSTOMIZE
async def test_a_kustomization_is_built(tree):
    base = {"resources": ["web.yaml"], "images": [{"name": "web", "newName": "ghcr.io/acme/web", "newTag": "{sha}"}]}
    web = a_deployment(a_pod_spec(containers=[a_container(image="web")]))
    overlay = {
        "resources": ["../base"],
        "configMapGenerator": [{"name": "words", "files": ["hello=words.txt"]}],
        "patches": [
            {"patch": "- {op: add, path: /metadata/labels, value: {link: x}}", "target": {"kind": "Deployment"}}
        ],
    }
    root = tree(
        {
            "base/kustomization.yaml": base,
            "base/web.yaml": web,
            "k8s/kustomization.yml": overlay,
            "k8s/words.txt": "hello",
        }
    )
    config, deployment = await manifests(root, KUSTOMIZE, VALUES)
    assert config["data"] == {"hello": "hello"}
    assert own_placing.images([deployment]) == ("ghcr.io/acme/web:1e10000",)
    assert deployment["metadata"]["labels"] == {"link": "x"}


@NEEDS_KUSTOMIZE
async def test_a_kustomization_that_cannot_be_built_says_why(tree):
    broken = {"resources": ["a.yaml"]}
    with pytest.raises(Refused, match=r"kustomize: .*a\.yaml"):
        await manifests(tree({"k8s/kustomization.yaml": broken, "k8s/a.yaml": "a: 1"}), KUSTOMIZE, VALUES)


@pytest.mark.parametrize(
    "entry",
    [
        "https://evil.example/a.yaml",
        "github.com/acme/base?ref=main",
        "git@github.com:acme/base",
        "git::https://evil.example/base",
        "ssh://git@evil.example/base",
        "example.com/base",
        "./base?ref=main",
        "/etc",
        "../../other",
        "link",
        "missing.yaml",
    ],
)
@pytest.mark.parametrize(
    "shape",
    [
        lambda entry: {"resources": [entry]},
        lambda entry: {"bases": [entry]},
        lambda entry: {"components": [entry]},
        lambda entry: {"patches": [{"path": entry}]},
        lambda entry: {"configMapGenerator": [{"name": "c", "files": [f"key={entry}"]}]},
        lambda entry: {"secretGenerator": [{"name": "c", "envs": [entry]}]},
        lambda entry: {"configMapGenerator": [{"name": "c", "env": entry}]},
        lambda entry: {"openapi": {"path": entry}},
    ],
)
async def test_a_kustomization_takes_nothing_from_elsewhere(tree, tmp_path, shape, entry):
    (tmp_path / "other").mkdir()
    root = tree({"k8s/kustomization.yaml": shape(entry), "k8s/github.com/acme/base?ref=main/x": ""})
    (root / "k8s/link").symlink_to("../../other")
    with pytest.raises(Refused, match=r"k8s/kustomization.yaml: `|`k8s/.*(leads out of|not in) the repository"):
        await manifests(root, KUSTOMIZE, VALUES)


async def test_a_base_of_a_base_takes_nothing_from_elsewhere_either(tree):
    root = tree(
        {
            "k8s/kustomization.yaml": {"resources": ["base"]},
            "k8s/base/kustomization.yaml": {"resources": ["https://evil.example/a.yaml"]},
        }
    )
    with pytest.raises(Refused, match=r"^k8s/base/kustomization.yaml: `https://evil.example/a.yaml` is not in"):
        await manifests(root, KUSTOMIZE, VALUES)


@pytest.mark.parametrize(
    ("kustomization", "words"),
    [
        ({"helmCharts": [{"name": "x"}]}, "`helmCharts` is not allowed"),
        ({"generators": ["a.yaml"]}, "`generators` is not allowed"),
        ({"transformers": ["a.yaml"]}, "`transformers` is not allowed"),
        ({"resources": "a.yaml"}, "`resources` is not a list of paths"),
        ({"resources": [{"a": 1}]}, "`resources` is not a list of paths"),
        ({"patches": ["a"]}, "`patches` is not a list of mappings"),
        ([1], "it is not one mapping"),
    ],
)
async def test_a_kustomization_has_nothing_that_runs(tree, kustomization, words):
    with pytest.raises(Refused, match=words):
        await manifests(tree({"k8s/kustomization.yaml": kustomization}), KUSTOMIZE, VALUES)


async def test_a_kustomization_in_a_circle_ends(tree):
    root = tree({"k8s/kustomization.yaml": {"resources": ["../k8s"]}})
    with pytest.raises(Refused, match="kustomize"):
        await manifests(root, KUSTOMIZE, VALUES)


@pytest.mark.parametrize(("deploy", "words"), [(KUSTOMIZE, "has no `kustomize`"), (HELM, "has no `helm`")])
async def test_a_program_that_is_not_there_is_named(tree, monkeypatch, deploy, words):
    monkeypatch.setenv("PATH", "/nonexistent")
    root = tree(
        {"k8s/kustomization.yaml": {}, "chart/Chart.yaml": {"name": "shop", "version": "1.0.0"}, "values.yaml": ""}
    )
    with pytest.raises(Refused, match=words):
        await manifests(root, deploy, VALUES)


CHART = {
    "chart/Chart.yaml": {"apiVersion": "v2", "name": "shop", "version": "1.0.0"},
    "chart/values.yaml": {"greeting": "default"},
    "values.yaml": {"greeting": "hello", "mayfly": {"sha": "spoofed"}},
    "chart/templates/config.yaml": (
        "apiVersion: v1\nkind: ConfigMap\n"
        "metadata: {name: {{ .Release.Name }}, labels: {app.kubernetes.io/managed-by: {{ .Release.Service }}}}\n"
        "data: {greeting: {{ .Values.greeting | quote }}, sha: {{ .Values.mayfly.sha | quote }},"
        " namespace: {{ .Release.Namespace | quote }}}\n"
    ),
}


@pytest.fixture
def helm(tmp_path, monkeypatch):
    """A `helm` on PATH: the command line that we use, over Helm's own engine."""
    pytest.importorskip("helm_python", reason="needs helm-python-sdk")
    program = tmp_path / "bin/helm"
    program.parent.mkdir()
    script = Path(__file__).with_name("helm.py").read_text()
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


async def test_a_chart_is_rendered_with_its_values_and_ours(tree, helm):
    (found,) = await manifests(tree(CHART), HELM, VALUES)
    assert found["data"] == {"greeting": "hello", "sha": "1e10000", "namespace": NAMESPACE}
    assert found["metadata"]["name"] == "preview"


async def test_a_chart_that_fails_says_why(tree, helm):
    root = tree({**CHART, "chart/templates/bad.yaml": '{{ fail "no host was given" }}'})
    with pytest.raises(Refused, match=r"helm: .*no host was given"):
        await manifests(root, HELM, VALUES)


async def test_a_chart_with_a_link_that_leads_out_is_refused(tree):
    root = tree(CHART)
    (root / "chart/passwd").symlink_to("/etc/passwd")
    with pytest.raises(Refused, match="`chart/passwd` leads out of the repository"):
        await manifests(root, HELM, VALUES)


async def test_what_is_no_chart_is_refused(tree):
    with pytest.raises(Refused, match=r"`chart` has no Chart\.yaml"):
        await manifests(tree({"chart/values.yaml": "a: 1", "values.yaml": ""}), HELM, VALUES)


async def test_what_is_wanted_is_ours_and_in_order(tree):
    root = tree({"k8s/a.yaml": a_deployment(), "k8s/b.yaml": a_service(), "k8s/c.yaml": an_object("Secret")})
    found = await wanted(root, FOLDER, VALUES, BOUNDS)
    assert [obj["kind"] for obj in found] == ["Secret", "Service", "Deployment"]
    assert all(obj["metadata"]["namespace"] == NAMESPACE for obj in found)
    assert all(obj["metadata"]["labels"].items() >= LABELS.items() for obj in found)


async def test_what_is_not_allowed_is_refused_by_file(tree):
    root = tree({"k8s/a.yaml": a_deployment(), "k8s/b.yaml": a_deployment(a_pod_spec(hostNetwork=True), name="b")})
    with pytest.raises(Refused) as refused:
        await wanted(root, FOLDER, VALUES, BOUNDS)
    words = "`spec.template.spec.hostNetwork` is not allowed in a preview"
    assert refused.value.reason == f"k8s/b.yaml: Deployment b: {words}"


async def test_what_is_ours_is_not_replaced(tree):
    bounds = Bounds(PLACE, POLICY, 3, taken={"v1/Service/web"})
    with pytest.raises(Refused, match=r"^k8s/a.yaml: Service web: Mayfly has one of that name"):
        await wanted(tree({"k8s/a.yaml": a_service()}), FOLDER, VALUES, bounds)


@pytest.mark.parametrize(
    ("services", "words"),
    [
        ({"api": 80}, "`services` names `api`, and there is no Service of that name in the manifests"),
        ({"web": 8000}, "`services` has port 8000 for `web`; the Service in the manifests has [80]"),
    ],
)
async def test_what_has_a_host_has_a_service(tree, services, words):
    root = tree({"k8s/a.yaml": a_service()})
    assert await wanted(root, FOLDER, VALUES, replace(BOUNDS, services={"web": 80}))
    with pytest.raises(Refused) as refused:
        await wanted(root, FOLDER, VALUES, replace(BOUNDS, services=services))
    assert refused.value.reason == words


def test_a_pod_gets_what_pod_security_wants():
    policy = Kubernetes(
        pull_secrets=["acme-pull"],
        node_selector={"pool": "previews"},
        runtime_class="gvisor",
        images=Images(pull_policy="Never"),
    )
    made = own_placing.placed(a_deployment(labels={"app": "web"}), PLACE, 3, policy)
    assert made["metadata"] == {"name": "web", "namespace": NAMESPACE, "labels": {"app": "web"} | LABELS}
    assert made["spec"]["template"] == {
        "metadata": {"labels": {"app": "web"} | LABELS, "annotations": {"mayfly.dev/deploy": "3"}},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "web",
                    "image": IMAGE,
                    "imagePullPolicy": "Never",
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
            "enableServiceLinks": False,
            "imagePullSecrets": [{"name": "acme-pull"}],
            "nodeSelector": {"pool": "previews"},
            "runtimeClassName": "gvisor",
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "serviceAccountName": "preview",
        },
    }


def test_what_a_pod_says_itself_stays():
    spec = a_pod_spec(
        serviceAccountName="mine",
        securityContext={"runAsUser": 1000},
        containers=[a_container(imagePullPolicy="Always", securityContext={"readOnlyRootFilesystem": True})],
    )
    made = own_placing.placed(a_cron_job(spec), PLACE, 3, POLICY)
    pod = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "mine"
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["containers"][0]["imagePullPolicy"] == "Always"
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_job_is_the_same_in_every_deploy():
    """Its pods cannot be changed."""
    job = an_object("Job", "batch/v1", spec={"template": {"spec": a_pod_spec()}})
    assert own_placing.placed(job, PLACE, 3, POLICY) == own_placing.placed(job, PLACE, 4, POLICY)


def test_who_selects_by_who_manages_still_finds_its_pods():
    deployment = a_deployment()
    labels = {"app": "web", "app.kubernetes.io/managed-by": "Helm"}
    deployment["spec"]["selector"]["matchLabels"] = labels
    deployment["spec"]["template"]["metadata"]["labels"] = labels
    made = own_placing.placed(deployment, PLACE, 3, POLICY)
    service = own_placing.placed(a_service(selector=labels), PLACE, 3, POLICY)
    on_pods = made["spec"]["template"]["metadata"]["labels"].items()
    assert made["spec"]["selector"]["matchLabels"].items() <= on_pods
    assert service["spec"]["selector"].items() <= on_pods


def test_images_are_pinned():
    objects = [a_deployment(), a_cron_job(), an_object()]
    assert own_placing.images(objects) == (IMAGE,)
    pinned = own_placing.with_images(objects, {IMAGE: "ghcr.io/acme/web@sha256:abc"})
    assert own_placing.images(pinned) == ("ghcr.io/acme/web@sha256:abc",)
    assert own_placing.images(objects) == (IMAGE,)
