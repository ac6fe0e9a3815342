"""One exchange with GitHub, as far as HTTP goes."""

import asyncio
import gzip
import ssl
from datetime import timedelta

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from controller.adapters.github import wire as wires
from controller.adapters.github.wire import Broken, Request, Silent, Wire
from controller.errors import Unavailable
from tests.adapters.github.hub import NOW, a_hub

TOKEN = "ghp_token"


@pytest.fixture
async def hub():
    async with a_hub() as hub:
        hub.things["/repos/acme/shop"] = {"id": 1}
        yield hub


async def ask(url, request=None, **options):
    wire = Wire(url, **options)
    try:
        return await wire.ask(request or Request("GET", "repos/acme/shop", token=TOKEN))
    finally:
        await wire.close()


async def answers(hub, **answer):
    async def with_it(_):
        return web.Response(**answer)

    hub.troubles.append(with_it)


async def test_it_says_who_and_what_as_github_wants_it(hub):
    await ask(hub.url)
    said = hub.seen[0].headers
    assert said["Authorization"] == "Bearer ghp_token"
    assert said["Accept"] == "application/vnd.github+json"
    assert said["X-GitHub-Api-Version"] == "2022-11-28"
    assert said["User-Agent"].startswith("mayfly/")
    assert "If-None-Match" not in said


async def test_an_enterprise_server_has_its_own_beginning(hub):
    hub.things["/api/v3/repos/acme/shop"] = {"id": 2}
    assert (await ask(f"{hub.url}/api/v3/")).body == b'{"id": 2}'


async def test_queries_and_names_arrive_as_they_are(hub):
    seen = []

    async def look(request):
        seen.append((request.path_qs, dict(request.query)))

    hub.answering = look
    await ask(hub.url, Request("GET", "contents/a%20b%2Fc%25", (("ref", "feat/ä+b&c d%2F"),), TOKEN))
    assert seen[0][0].startswith("/contents/a%20b%2Fc%25?ref=")
    assert seen[0][1] == {"ref": "feat/ä+b&c d%2F"}


async def test_a_body_arrives_as_json(hub):
    await ask(hub.url, Request("POST", "repos/acme/shop", token=TOKEN, body='{"body": "ä"}'.encode()))
    assert hub.seen[0].body == '{"body": "ä"}'
    assert hub.seen[0].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("size", "fits"), [pytest.param(1000, True, id="the largest"), pytest.param(1001, False, id="one byte more")]
)
async def test_an_answer_has_a_largest_size(hub, monkeypatch, size, fits):
    monkeypatch.setattr(wires, "MAX_ANSWER", 1000)
    await answers(hub, body=b"x" * size)
    if fits:
        assert len((await ask(hub.url)).body) == size
    else:
        with pytest.raises(Unavailable, match="GitHub answers with more than 1,000 bytes"):
            await ask(hub.url)


async def test_what_is_packed_small_counts_as_it_unpacks(hub):
    packed = gzip.compress(b"x" * (wires.MAX_ANSWER + 1))
    await answers(hub, body=packed, headers={"Content-Encoding": "gzip"})
    with pytest.raises(Unavailable, match="more than 20,971,520 bytes"):
        await ask(hub.url)


async def test_what_is_packed_is_unpacked(hub):
    await answers(hub, body=gzip.compress(b'{"id": 3}'), headers={"Content-Encoding": "gzip"})
    assert (await ask(hub.url)).body == b'{"id": 3}'


async def test_what_is_packed_wrongly_is_no_answer(hub):
    await answers(hub, body=b"not gzip", headers={"Content-Encoding": "gzip"})
    with pytest.raises(Broken):
        await ask(hub.url)


async def test_nobody_waits_longer_than_it_may_take(hub):
    async def never(_):
        await asyncio.sleep(60)

    hub.troubles.append(never)
    with pytest.raises(Silent, match="it takes too long"):
        await ask(hub.url, seconds=0.1)


async def test_an_answer_that_trickles_is_cut_off_as_well(hub):
    async def trickle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    hub.answering = trickle
    with pytest.raises(Silent, match="it takes too long"):
        await ask(hub.url, seconds=0.2)


async def test_nobody_there_is_told_without_the_token():
    with pytest.raises(Broken, match="GitHub does not answer") as caught:
        await ask("http://127.0.0.1:1")
    assert TOKEN not in str(caught.value)


async def test_what_is_no_http_is_told_without_the_token():
    async def echo(reader, writer):
        asked = await reader.readuntil(b"\r\n\r\n")
        said = next(line for line in asked.splitlines() if line.lower().startswith(b"authorization"))
        writer.write(b"HTTP/1.1 0 " + said + b" x\r\n: x\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        with pytest.raises(Broken, match="Bearer •••") as caught:
            await ask(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert TOKEN not in str(caught.value)


async def test_a_token_that_comes_back_is_struck_out(hub):
    await answers(hub, text=f"you said {TOKEN}", status=400)
    assert (await ask(hub.url)).body.decode() == "you said •••"


async def test_a_line_that_breaks_within_an_answer_is_told(hub):
    async def half(request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"id"')
        request.transport.abort()
        return response

    hub.answering = half
    with pytest.raises(Broken):
        await ask(hub.url)


@pytest.mark.parametrize("what", [repr(Request("GET", "x", token=TOKEN, body=b"a secret"))])
def test_a_request_shows_nothing_secret(what):
    assert TOKEN not in what
    assert "a secret" not in what


async def test_a_proxy_of_the_environment_is_used(hub, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    monkeypatch.setenv("NO_PROXY", "")
    await ask("http://github.example")
    assert hub.seen[0].headers["Host"] == "github.example"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # httpx-aiohttp gives aiohttp the password in an old way
async def test_a_proxys_password_is_never_told(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://me:p4ssw0rd@127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(Broken) as caught:
        await ask("http://github.example")
    assert "p4ssw0rd" not in str(caught.value)


@pytest.fixture
async def sealed(tmp_path):
    """A server with TLS whose certificate nobody vouches for, the certificate's file, and what it was told."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    _certificate(certificate, key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    told = []

    async def handle(request):
        told.append(request.headers.get("Authorization"))
        return web.json_response({"id": 4})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://localhost:{runner.addresses[0][1]}", certificate, told
    await runner.cleanup()


async def test_a_server_that_nobody_vouches_for_hears_nothing(sealed):
    url, _, told = sealed
    with pytest.raises(Broken, match="CERTIFICATE_VERIFY_FAILED"):
        await ask(url)
    assert told == []


async def test_a_server_of_ones_own_is_vouched_for_by_the_environment(sealed, monkeypatch):
    url, certificate, told = sealed
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert (await ask(url)).body == b'{"id": 4}'
    assert told == ["Bearer ghp_token"]


def _certificate(certificate, key):
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=3650)).not_valid_after(NOW + timedelta(days=3650))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate.write_bytes(builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    key.write_bytes(pem)
