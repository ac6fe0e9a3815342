import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from controller.errors import Refused
from controller.probes import remote
from controller.settings import Probe, Probing
from smoke.documents import load
from smoke.model import Outcome
from tests.probes.examples import HOUR, MINUTE, NOON, SECOND, a_probe, a_sample

KEY, ANOTHER = "5e" * 32, "a1" * 32
EVERY_KIND = """
name: shop
url: https://shop.example.com
every: 1m 30s
locations: [berlin]
checks:
  - name: it answers
    http: {path: "/{word}", expect: {status: [2xx, 404], json: {"$.items.length()": 3, "$.open": true}, within: 250ms}}
  - {name: port, tcp: {port: 443}, retries: 1, timeout: 3s}
  - {name: name, dns: {name: example.com, type: MX, expect: [mx.example.com]}}
  - {name: certificate, tls: {expires_in_more_than: 20 days}, after: [name]}
  - name: buying
    journey:
      steps: [{path: /cart, method: POST, json: {book: 7, price: "1.10"}, capture: {cart: $.id}}]
      cleanup: [{path: "/cart/{cart}", method: DELETE}]
"""


def an_assignment(*probes, at=NOON, location="berlin"):
    return remote.assigned(probes or [a_probe(locations=["berlin"])], Probing(), location, at)


def verified(sent, key=KEY, location="berlin", serial=0, now=NOON):
    return remote.verified(sent, key, location, serial, now)


def test_what_is_signed_arrives_as_it_was_with_checks_of_every_kind():
    probe = load(EVERY_KIND, Probe, "mayfly.yaml")
    [arrived] = verified(remote.sign(an_assignment(probe), KEY)).probes
    assert arrived.model_dump() == probe.model_copy(update={"locations": ["here"]}).model_dump()


def test_who_is_told_and_what_for_is_not_sent():
    secretive = a_probe(locations=["berlin"], title="The shop", target="production", notify=["ops"], depends_on=["dns"])
    sent = remote.sign(an_assignment(secretive), KEY).decode()
    assert not [word for word in ("The shop", "production", "ops", "99.9%", "depends_on") if word in sent]


def changed(sent, old, new):
    signed = json.loads(sent)
    assert old in signed["assignment"]
    return json.dumps(signed | {"assignment": signed["assignment"].replace(old, new)}).encode()


SENT = remote.sign(an_assignment(), KEY)
A_DAY_LATER = NOON + timedelta(hours=24)


@pytest.mark.parametrize(
    ("sent", "differing", "said"),
    [
        pytest.param(b"<html>", {}, "this is no assignment", id="something else"),
        pytest.param(b"{}", {}, "this is no assignment", id="nothing"),
        pytest.param(changed(SENT, ":9", ":8"), {}, "the signature is wrong", id="changed on its way"),
        pytest.param(changed(SENT, "T12:", "T13:"), {}, "the signature is wrong", id="made to last"),
        pytest.param(SENT, {"key": ANOTHER}, "the signature is wrong", id="signed for another token"),
        pytest.param(SENT, {"location": "tokyo"}, "is for `berlin`, and this is `tokyo`", id="another location"),
        pytest.param(SENT, {"serial": an_assignment(at=NOON + SECOND).serial}, "an older one", id="played back"),
        pytest.param(SENT, {"now": A_DAY_LATER}, "expired at 2026-05-05 12:00:00 UTC", id="expired"),
    ],
)
def test_what_is_refused(sent, differing, said):
    with pytest.raises(Refused, match=said):
        verified(sent, **differing)


def test_the_same_one_again_is_taken_and_so_is_one_of_a_moment_before_it_expires():
    assert verified(SENT, serial=an_assignment().serial, now=A_DAY_LATER - SECOND).location == "berlin"


@pytest.mark.parametrize(
    "check",
    [{"command": {"run": "rm -rf /"}}, {"browser": {"path": "/"}}, {"postgres": {"query": "select 1"}}],
    ids=["command", "browser", "postgres"],
)
def test_even_signed_no_process_is_started(check):
    text = an_assignment().model_dump_json(by_alias=True, exclude_defaults=True)
    probe = {"name": "shop", "url": "http://127.0.0.1:9", "checks": [{"name": "evil", **check}]}
    text = json.dumps(json.loads(text) | {"probes": [probe]})
    signed = remote.Signed(assignment=text, signature=remote._signature(text, KEY)).model_dump_json()
    with pytest.raises(Refused, match="check `evil`"):
        verified(signed.encode())


def test_a_probe_that_no_agent_could_run_is_refused_by_the_policy():
    with pytest.raises(ValidationError, match="`berlin` is an agent's: an agent runs dns, http, journey, tcp, tls"):
        a_probe(locations=["here", "berlin"], checks=[{"name": "rows", "postgres": {"query": "select 1"}}])


def test_a_location_without_probes_is_told_so_and_stops():
    empty = remote.assigned([], Probing(), "berlin", NOON)
    assert not empty.same_work(an_assignment())
    assert verified(remote.sign(empty, KEY)).probes == []


def test_work_is_the_same_whenever_it_was_signed():
    assert an_assignment().same_work(an_assignment(at=NOON + HOUR))
    assert not an_assignment().same_work(an_assignment(a_probe(every="1m")))
    assert not an_assignment().same_work(None)


def test_a_sample_arrives_as_it_was():
    sample = a_sample(outcome=Outcome.BROKEN, location="berlin", late=timedelta(milliseconds=12), excused=True)
    line = remote.found(sample).model_dump_json(exclude_defaults=True)
    assert remote.Found.model_validate_json(line).sample("berlin") == sample


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (a_sample(NOON + MINUTE), ""),
        (a_sample(NOON - timedelta(days=2)), ""),
        (a_sample(NOON + MINUTE + SECOND), "a sample of `shop` is from 12:01:01, which is yet to come"),
        (a_sample(probe="other", location="berlin"), "probe `other` is not run at `berlin`"),
    ],
)
def test_what_is_kept_of_what_an_agent_says(sample, said):
    assert remote.unwanted(sample, {"shop"}, NOON).startswith(said)
    assert bool(remote.unwanted(sample, {"shop"}, NOON)) == bool(said)
