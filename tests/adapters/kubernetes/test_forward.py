"""Ways to pods through the API server."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from aiohttp import WSMsgType, web

from controller.adapters.kubernetes import forward
from controller.adapters.kubernetes.api import POD, Api
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.forward import Forwards
from controller.settings import Kubernetes
from tests.adapters.kubernetes.served import a_config, api_of
from tests.fakes.cluster import FakeCluster
from tests.fakes.cluster.programs import Run

pytestmark = pytest.mark.processes


class Kubelet:
    """The other end of a WebSocket, as a real one speaks: both channels begin with the port."""

    def __init__(self) -> None:
        self.url = ""
        self.open = 0
        self.asked: list[str] = []
        self.error = b""

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def forward(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if request.match_info["pod"] == "gone":
            return web.json_response({"kind": "Status", "code": 404, "message": 'pods "gone" not found'}, status=404)
        socket = web.WebSocketResponse(protocols=["v4.channel.k8s.io"])
        await socket.prepare(request)
        port = struct.pack("<H", int(request.query["ports"]))
        await socket.send_bytes(b"\0" + port)
        await socket.send_bytes(b"\1" + port)
        self.open += 1
        try:
            await self._serve(socket)
        finally:
            self.open -= 1
        return socket

    async def _serve(self, socket: web.WebSocketResponse) -> None:
        """Sends back what it gets; hangs up after `bye`, vanishes after `crash`."""
        if self.error:
            await socket.send_bytes(b"\1" + self.error)
        async for message in socket:
            assert message.type is WSMsgType.BINARY
            await socket.send_bytes(message.data)
            if message.data.endswith(b"bye"):
                await socket.close()
            if message.data.endswith(b"crash"):
                socket._req.transport.abort()  # type: ignore[union-attr]


@pytest.fixture
async def kubelet() -> AsyncIterator[Kubelet]:
    kubelet = Kubelet()
    application = web.Application()
    application.router.add_get("/version", kubelet.version)
    application.router.add_get("/api/v1/namespaces/{namespace}/pods/{pod}/portforward", kubelet.forward)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kubelet.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield kubelet
    await runner.cleanup()


@pytest.fixture
async def forwards(kubelet: Kubelet, tmp_path: Path) -> AsyncIterator[Forwards]:
    context = {"name": "main", "context": {"cluster": "main", "user": "me"}}
    clusters = [{"name": "main", "cluster": {"server": kubelet.url}}]
    content = {"current-context": "main", "clusters": clusters, "contexts": [context], "users": []}
    (tmp_path / "config").write_text(yaml.safe_dump(content))
    api = await connect(Kubernetes(kubeconfig=str(tmp_path / "config")), patience=timedelta(seconds=0.1))
    async with opened(api) as forwards:
        yield forwards
    await api.close()


@asynccontextmanager
async def opened(api: Api) -> AsyncIterator[Forwards]:
    forwards = Forwards(api)
    try:
        yield forwards
    finally:
        await forwards.close_all()


async def said(address: tuple[str, int], words: bytes, *, then_no_more: bool = False) -> bytes:
    """All that comes back until the other end closes. Raises ConnectionResetError where it breaks off."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(words)
        if then_no_more:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_what_is_sent_arrives_and_the_answer_comes_back(kubelet: Kubelet, forwards: Forwards) -> None:
    host, port = await forwards.open("shop", "web-1", 8000)
    assert host == "127.0.0.1"
    assert await said((host, port), b"hello, bye") == b"hello, bye"
    assert kubelet.asked == ["/api/v1/namespaces/shop/pods/web-1/portforward?ports=8000"]


async def test_the_address_stays_the_same_for_the_same_pod_and_port(forwards: Forwards) -> None:
    first, again = await asyncio.gather(forwards.open("shop", "web-1", 8000), forwards.open("shop", "web-1", 8000))
    assert first == again
    assert await forwards.open("shop", "web-1", 8001) != first
    assert await forwards.open("shop", "web-2", 8000) != first


async def test_large_answers_arrive_whole(forwards: Forwards) -> None:
    words = bytes(range(256)) * 20_000 + b"bye"
    assert await said(await forwards.open("shop", "web-1", 8000), words) == words


async def test_many_connections_do_not_mix(forwards: Forwards) -> None:
    address = await forwards.open("shop", "web-1", 8000)
    answers = await asyncio.gather(*(said(address, f"{number} bye".encode()) for number in range(50)))
    assert answers == [f"{number} bye".encode() for number in range(50)]


async def test_who_has_no_more_to_say_still_gets_the_answer(forwards: Forwards) -> None:
    assert await said(await forwards.open("shop", "web-1", 8000), b"hello, bye", then_no_more=True) == b"hello, bye"


async def test_a_visitor_who_left_is_forgotten_after_a_while(
    kubelet: Kubelet, forwards: Forwards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "_LINGER_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection(*await forwards.open("shop", "web-1", 8000))
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    writer.close()
    await _until_closed(kubelet)


async def test_a_pod_that_is_gone_breaks_the_connection_off(forwards: Forwards) -> None:
    with pytest.raises(ConnectionResetError):
        await said(await forwards.open("shop", "gone", 8000), b"hello")


async def test_an_error_of_the_pod_breaks_the_connection_off(kubelet: Kubelet, forwards: Forwards) -> None:
    kubelet.error = b"connection refused"
    with pytest.raises(ConnectionResetError):
        await said(await forwards.open("shop", "web-1", 8000), b"hello")


async def test_an_answer_that_is_cut_short_does_not_look_whole(forwards: Forwards) -> None:
    with pytest.raises(ConnectionResetError):
        await said(await forwards.open("shop", "web-1", 8000), b"half, crash")


async def test_a_closed_one_ends_its_connections_and_the_others_go_on(kubelet: Kubelet, forwards: Forwards) -> None:
    readers = []
    for namespace, pod in (("shop", "web-1"), ("shop", "web-2"), ("else", "web-1")):
        reader, writer = await asyncio.open_connection(*await forwards.open(namespace, pod, 8000))
        writer.write(b"hello")
        await reader.readexactly(5)
        readers.append((reader, writer))
    await forwards.close("shop", keep=frozenset({"web-2"}))
    with pytest.raises(ConnectionResetError):
        await readers[0][0].read()
    for reader, writer in readers[1:]:
        writer.write(b"again")
        assert await reader.readexactly(5) == b"again"
        writer.close()


async def test_a_closed_one_listens_no_more_and_opens_anew(forwards: Forwards) -> None:
    address = await forwards.open("shop", "web-1", 8000)
    await forwards.close("shop")
    with pytest.raises(ConnectionRefusedError):
        await said(address, b"hello")
    assert await said(await forwards.open("shop", "web-1", 8000), b"bye") == b"bye"


async def test_a_pod_of_our_cluster_answers_and_its_log_is_read(tmp_path: Path) -> None:
    async def serving(run: Run) -> int:
        run.print("listening")
        await run.serve(lambda path: (200, f"you asked for {path}"))
        return 0

    async with FakeCluster() as cluster, api_of(cluster, tmp_path) as api, opened(api) as forwards:
        cluster.programs.add(serving)
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        await cluster.settled()  # the namespace has its service account
        container = {"name": "web", "image": "registry.test/shop", "ports": [{"containerPort": 8000}]}
        pod = a_config("shop", "web") | {"kind": "Pod", "spec": {"containers": [container]}}
        del pod["data"]
        await api.create(pod)
        await _until_logged(api)
        host, port = await forwards.open("shop", "web", 8000)
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://{host}:{port}/a")).text == "you asked for /a"
        follow = api.follow("shop", "web", "web", lines=10)
        assert await anext(follow) == "listening"
        await api.delete(POD, "web", "shop")
        assert [line async for line in follow] == []


async def _until_logged(api: Api) -> None:
    async with asyncio.timeout(10):
        while await api.logs("shop", "web", "web", lines=1) != "listening\n":
            await asyncio.sleep(0.01)


async def _until_closed(kubelet: Kubelet) -> None:
    async with asyncio.timeout(10):
        while kubelet.open:
            await asyncio.sleep(0.01)
