"""tcp, tls, dns and postgres, against real ones."""

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from smoke.model import Outcome
from smoke.target import Target
from tests.smoke.conftest import Certificate
from tests.smoke.examples import run_one

pytestmark = pytest.mark.processes


async def test_an_open_port(target: Target):
    result = await run_one(f"tcp: {{port: {target.port}}}", target)
    assert result.outcome is Outcome.PASSED
    by_name = await run_one(f"tcp: {{host: web.localhost, port: {target.port}}}", replace(target, external=True))
    assert by_name.outcome is Outcome.PASSED


async def test_a_closed_port(target: Target):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        result = await run_one(f"tcp: {{port: {nobody.getsockname()[1]}}}", target)
    assert "connection refused" in result.attempts[0].message
    assert result.outcome is Outcome.FAILED


@contextlib.asynccontextmanager
async def speaking_tls(certificate: Certificate) -> AsyncIterator[int]:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.ca, certificate.key)
    async with await asyncio.start_server(close, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("check", "outcome", "words"),
    [
        pytest.param("ca: ca.pem", Outcome.PASSED, "expires on", id="good for a while"),
        pytest.param(
            "ca: ca.pem, expires_in_more_than: 60 days", Outcome.FAILED, "expected more than 60 days", id="soon"
        ),
        pytest.param("expires_in_more_than: 1d", Outcome.FAILED, "is not valid", id="nobody vouches for it"),
        pytest.param("ca: ca.pem, host: 127.0.0.1", Outcome.FAILED, "is not valid", id="another's"),
        pytest.param("ca: nothing.pem", Outcome.BROKEN, "no such file", id="no authority"),
        pytest.param("ca: link.pem", Outcome.BROKEN, "out of the repository", id="an authority elsewhere"),
    ],
)
async def test_a_certificate(check: str, outcome: Outcome, words: str, target: Target, certificate: Certificate):
    shutil.copy(certificate.ca, target.workdir / "ca.pem")
    (target.workdir / "link.pem").symlink_to(certificate.ca)
    async with speaking_tls(certificate) as port:
        trusted = replace(target, url=f"https://localhost:{port}", external=True)
        result = await run_one(f"tls: {{{check}}}", trusted)
    assert words in result.attempts[0].message
    assert result.outcome is outcome


async def test_what_does_not_speak_tls(target: Target):
    result = await run_one(f"tls: {{port: {target.port}}}", target)
    assert "does not speak TLS" in result.attempts[0].message
    assert result.outcome is Outcome.FAILED


async def test_https_with_a_certificate_nobody_vouches_for(target: Target, certificate: Certificate):
    async with speaking_tls(certificate) as port:
        result = await run_one("http: {path: /}", replace(target, url=f"https://localhost:{port}"))
    assert "certificate is not trusted" in result.attempts[0].message
    away = await run_one("http: {path: /}", replace(target, url=target.url.replace("http:", "https:")))
    assert "does not speak TLS" in away.attempts[0].message


class Names(asyncio.DatagramProtocol):
    """A name server that knows one name."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        name, kind = str(query.question[0].name), query.question[0].rdtype.name
        if name == "silent.example.":
            return
        if name == "broken.example.":
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name != "shop.example.":
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in {"A", "TXT"}:
            for record in {"A": ["192.0.2.7", "192.0.2.8"], "TXT": ['"v=spf1 -all"']}[kind]:
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, record))
        self.transport.sendto(answer.to_wire(), address)


@pytest.mark.parametrize(
    ("check", "outcome", "words"),
    [
        pytest.param("name: shop.example", Outcome.PASSED, "192.0.2.7, 192.0.2.8", id="it has an address"),
        pytest.param("name: shop.example, expect: [192.0.2.8]", Outcome.PASSED, "192.0.2.8", id="this one"),
        pytest.param("name: shop.example, type: TXT, expect: [v=spf1 -all]", Outcome.PASSED, "spf1", id="a text"),
        pytest.param("name: shop.example, expect: [192.0.2.9]", Outcome.FAILED, "expected 192.0.2.9", id="another"),
        pytest.param("name: shop.example, type: MX", Outcome.FAILED, "has no MX record", id="none of this type"),
        pytest.param("name: other.example", Outcome.FAILED, "does not exist", id="no such name"),
        pytest.param("name: broken.example", Outcome.BROKEN, "could not answer", id="a resolver in trouble"),
        pytest.param("name: silent.example", Outcome.BROKEN, "no resolver answered", id="a silent resolver"),
    ],
)
async def test_a_name(check: str, outcome: Outcome, words: str, target: Target):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Names, ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        text = f"dns: {{server: '127.0.0.1:{port}', {check}}}\ntimeout: 1s"
        result = await run_one(text, replace(target, external=True))
    finally:
        transport.close()
    assert words in result.attempts[0].message
    assert result.outcome is outcome


async def test_a_resolver_that_is_no_address_is_broken(target: Target):
    result = await run_one("dns: {name: a.example, server: '1.2.3.4.5'}", replace(target, external=True))
    assert result.outcome is Outcome.BROKEN


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("check", "outcome", "words"),
    [
        pytest.param("query: select 1", Outcome.PASSED, "returned 1 row", id="any rows"),
        pytest.param("query: 'select 1, true, null', expect: [[1, true, null]]", Outcome.PASSED, "1 row", id="these"),
        pytest.param("query: 'select 1.5, 2::numeric', expect: [[1.5, 2]]", Outcome.PASSED, "1 row", id="numbers"),
        pytest.param(
            "query: \"select date '2026-01-02'\", expect: [[2026-01-02]]", Outcome.PASSED, "1 row", id="a date"
        ),
        pytest.param(
            "query: \"select '{1,2}'::int[], '{}'::json\", expect: [[[1, 2], {}]]", Outcome.PASSED, "", id="nested"
        ),
        pytest.param("query: 'select 1 where false', expect: []", Outcome.PASSED, "0 rows", id="none"),
        pytest.param("query: select 2, expect: [[1]]", Outcome.FAILED, "returned [[2]], expected [[1]]", id="others"),
        pytest.param(
            "query: select * from nothing", Outcome.FAILED, 'relation "nothing" does not exist', id="no table"
        ),
        pytest.param("query: create table a (b int)", Outcome.FAILED, "read-only transaction", id="no writing"),
        pytest.param("query: select pg_sleep(30)", Outcome.FAILED, "", id="too slow"),
        pytest.param("url: 'nonsense://', query: select 1", Outcome.BROKEN, "", id="no URL"),
    ],
)
async def test_a_query(check: str, outcome: Outcome, words: str, target: Target, database: str):
    known = {"database_url": "nonsense://" if "nonsense" in check else database}
    result = await run_one(f"postgres: {{{check}}}\ntimeout: 2s", replace(target, variables=known))
    assert words in result.attempts[0].message
    assert "hunter2pass" not in str(result)
    assert result.outcome is outcome


async def test_a_database_that_is_away_has_failed(target: Target):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        known = {"database_url": f"postgresql://a:hunter2pass@127.0.0.1:{nobody.getsockname()[1]}/a"}
        result = await run_one("postgres: {query: select 1}", replace(target, variables=known))
    assert result.outcome is Outcome.FAILED
    assert "does not answer" in result.attempts[0].message
    assert "hunter2pass" not in str(result)


async def test_a_database_that_was_not_given_is_broken(target: Target):
    assert (await run_one("postgres: {query: select 1}", target)).outcome is Outcome.BROKEN
