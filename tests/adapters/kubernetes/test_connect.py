"""How the cluster is found, and who we are there."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from kubernetes.aio.config import incluster_config
from yarl import URL

from controller.adapters.kubernetes import wire
from controller.adapters.kubernetes.api import Api
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.kinds import CONFIG_MAP, SERVICE_ACCOUNT
from controller.adapters.kubernetes.wire import Request
from controller.errors import Refused, Unavailable
from controller.settings import Kubernetes
from tests.adapters.kubernetes.served import api_on, namespace_in
from tests.fakes.cluster import FakeCluster

PLUGIN = """
import json, pathlib, sys
said = pathlib.Path(sys.argv[1])
said.write_text(str(int(said.read_text()) + 1) if said.exists() else "1")
status = {"token": "token-" + said.read_text()}
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}))
"""


class Gate:
    """An API server that remembers who came, and lets in who has the right token (any, where none is set)."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.agents: set[str] = set()
        self.right = ""
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "")
        self.tokens.append(token)
        self.agents.add(request.headers["User-Agent"])
        if self.right and token != self.right:
            return web.json_response({"kind": "Status", "code": 401, "message": "Unauthorized"}, status=401)
        return web.json_response({"kind": "ConfigMap", "metadata": {"name": "config"}})


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    application = web.Application()
    application.router.add_get("/{path:.*}", gate.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    gate.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield gate
    await runner.cleanup()


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def a_kubeconfig(path: Path, url: str, **user: Any) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "clusters": [
            {"name": "main", "cluster": {"server": url}},
            {"name": "nowhere", "cluster": {"server": "http://127.0.0.1:9"}},
        ],
        "users": [{"name": "me", "user": user}],
        "contexts": [
            {"name": "main", "context": {"cluster": "main", "user": "me"}},
            {"name": "nowhere", "context": {"cluster": "nowhere", "user": "me"}},
        ],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return str(path)


@asynccontextmanager
async def connected(kubeconfig: str | None = None, context: str | None = None) -> AsyncIterator[Api]:
    settings = Kubernetes(kubeconfig=kubeconfig, context=context)
    api = await connect(settings, patience=timedelta(seconds=0.1))
    try:
        yield api
    finally:
        await api.close()


async def test_the_kubeconfig_of_the_policy_comes_first(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", a_kubeconfig(tmp_path / "other", "http://127.0.0.1:9"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    async with connected(a_kubeconfig(tmp_path / "config", gate.url, token="mine")):
        assert gate.tokens == ["Bearer mine"]
        assert gate.agents == {f"mayfly/{version('mayfly')}"}


async def test_the_environment_is_asked_next(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", a_kubeconfig(tmp_path / "config", gate.url, token="mine"))
    async with connected():
        assert gate.tokens == ["Bearer mine"]


async def test_then_the_one_at_home(gate: Gate, tmp_path: Path) -> None:
    a_kubeconfig(tmp_path / ".kube" / "config", gate.url, token="mine")
    async with connected():
        assert gate.tokens == ["Bearer mine"]


async def test_a_context_may_be_named(gate: Gate, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        async with connected(a_kubeconfig(tmp_path / "config", gate.url), "nowhere"):
            pass


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "there is no kubeconfig at", id="a file that is not there"),
        pytest.param("{", "cannot be used", id="no YAML"),
        pytest.param("", "cannot be used", id="an empty one"),
        pytest.param("current-context: a\nclusters: []\nusers: []\ncontexts: []", "name a", id="a context it lacks"),
    ],
)
async def test_a_kubeconfig_of_no_use_is_refused(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Refused, match=words):
        async with connected(str(path)):
            pass


async def test_where_nothing_leads_anywhere_it_says_what_to_do() -> None:
    with pytest.raises(Refused, match=r"set kubernetes\.kubeconfig in the policy, or KUBECONFIG"):
        async with connected():
            pass


async def test_a_pod_without_its_token_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(Refused, match="is its token mounted"):
        async with connected():
            pass


async def test_who_is_not_known_is_refused(gate: Gate, tmp_path: Path) -> None:
    gate.right = "Bearer somebody else's"
    with pytest.raises(Refused, match="does not accept who we are"):
        async with connected(a_kubeconfig(tmp_path / "config", gate.url, token="mine")):
            pass


async def test_a_server_that_is_down_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        async with connected(a_kubeconfig(tmp_path / "config", "http://127.0.0.1:9")):
            pass


async def test_a_server_that_comes_up_is_waited_for(tmp_path: Path) -> None:
    async with FakeCluster() as cluster:
        cluster.faults.fail(503, times=2)
        settings = Kubernetes(kubeconfig=str(cluster.kubeconfig(tmp_path / "config")))
        api = await connect(settings)
        await api.close()


async def test_a_token_in_a_file_is_read_again(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    async with connected(a_kubeconfig(tmp_path / "config", gate.url, tokenFile=str(token))) as api:
        token.write_text("second")
        await api.get(CONFIG_MAP, "config", "shop")
        assert gate.tokens[-1] == "Bearer first"
        monkeypatch.setattr(wire, "_TOKEN_SECONDS", 0)
        await api.get(CONFIG_MAP, "config", "shop")
        assert gate.tokens[-1] == "Bearer second"


async def test_a_plugin_is_asked_again_once_its_token_is_rejected(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "_TOKEN_PAUSE_SECONDS", 0)
    (tmp_path / "plugin.py").write_text(PLUGIN)
    async with connected(a_plugin(gate, tmp_path, str(tmp_path / "plugin.py"))) as api:
        gate.right = "Bearer token-2"
        await asyncio.gather(*(api.get(CONFIG_MAP, "config", "shop") for _ in range(5)))
        assert set(gate.tokens[-5:]) == {"Bearer token-2"}


async def test_a_plugin_that_fails_says_why(gate: Gate, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="log in first"):
        async with connected(a_plugin(gate, tmp_path, "-c", "import sys; sys.exit('log in first')")):
            pass


def a_plugin(gate: Gate, tmp_path: Path, *args: str) -> str:
    called = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable}
    plugin = called | {"args": [*args, str(tmp_path / "said")]}
    return a_kubeconfig(tmp_path / "config", gate.url, exec=plugin)


@pytest.mark.cluster
async def test_a_pods_own_account_leads_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with api_on("real", tmp_path) as api, namespace_in(api) as namespace:
        await a_pods_files(api, namespace, tmp_path)
        address = URL(api.wire.url)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(address.host))
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(address.port))
        monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
        monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
        async with connected() as pod:
            with pytest.raises(Refused, match=f"system:serviceaccount:{namespace}:default"):
                await pod.get(CONFIG_MAP, "config", namespace)


async def a_pods_files(api: Api, namespace: str, folder: Path) -> None:
    """What a kubelet puts into every pod: a token with an end of line, and who signed the server's certificate."""
    async with asyncio.timeout(20):
        while not (found := await api.get(CONFIG_MAP, "kube-root-ca.crt", namespace)):
            await asyncio.sleep(0.05)
        while await api.get(SERVICE_ACCOUNT, "default", namespace) is None:
            await asyncio.sleep(0.05)
    (folder / "ca.crt").write_text(found["data"]["ca.crt"])
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    answer = await api.wire.ask(Request("POST", path, "a token", body=b'{"spec": {}}'))
    assert isinstance(answer, bytes)
    (folder / "token").write_text(json.loads(answer)["status"]["token"] + "\n")
