"""What a webhook is about, and how little of it is believed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.adapters.github.events import HEARD, Hint, Malformed, read
from controller.api.metrics import WEBHOOKS
from controller.common.nouns import PreviewKey

EXAMPLES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "webhooks" / "examples.json").read_text()
)
APP = 29310
REPOSITORY = {"id": 1, "full_name": "acme/shop"}
FIELDS = ("repository", "full_name", "id", "pull_request", "number", "issue", "comment", "ref", "action", "check_run")
SHOP = PreviewKey("acme/shop", 7)
ANY = Hint("acme/shop")
LOOK = Hint("acme/shop", SHOP)


def is_ours(login: str, app: int | None) -> bool:
    return app == APP or login == "mayfly[bot]"


def hints(event: str, payload: object) -> tuple[Hint, ...]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read(event, body, is_ours)


def of_pull(number: object = 7, **more: object) -> dict[str, object]:
    return {"action": "opened", "repository": REPOSITORY, "pull_request": {"number": number}} | more


def a_comment(**more: object) -> dict[str, Any]:
    comment = {"user": {"login": "ada"}, "body": "/preview pin"} | more
    return {"repository": REPOSITORY, "issue": {"number": 7, "pull_request": {}}, "comment": comment}


def related(number: int, repo: int = 1) -> dict[str, object]:
    return {"number": number, "base": {"repo": {"id": repo}}}


def pressed(kind: str = "check_run", action: str = "rerequested", **more: object) -> dict[str, object]:
    about = {"name": "mayfly/smoke", "app": {"id": APP}, "external_id": None, "pull_requests": [related(7)]} | more
    return {"action": action, "repository": REPOSITORY, "sender": {"login": "ada"}, kind: about}


def named(name: str) -> dict[str, object]:
    return pressed(external_id=name, pull_requests=[])


@pytest.mark.parametrize(
    ("event", "payload"),
    [pytest.param(event, one, id=f"{event} {n}") for event, many in EXAMPLES.items() for n, one in enumerate(many)],
)
def test_every_example_of_githubs_is_read(event: str, payload: dict[str, Any]):
    told = hints(event, payload)
    repo = payload.get("repository", {}).get("full_name", "")
    assert {hint.repo for hint in told} <= {repo, ""}
    match event:
        case "pull_request":
            assert told == (Hint(repo, PreviewKey(repo, payload["number"])),)
        case "push":
            assert told == ((Hint(repo),) if payload["ref"].startswith("refs/heads/") else ())
        case "installation" | "installation_repositories":
            assert told == (Hint(),)
        case "issue_comment" | "deployment" | "ping" | "check_run" | "status":
            assert told == ()  # of issues, and of others' checks that nobody waits for
        case _:
            again = payload["action"] == "rerequested"
            assert [hint.asks for hint in told] == (["checks"] if again else [])


def test_every_event_that_is_heard_has_an_example():
    assert set(HEARD) <= EXAMPLES.keys()
    assert set(HEARD) == set(WEBHOOKS)


@pytest.mark.parametrize(
    ("event", "payload", "told"),
    [
        pytest.param("pull_request", of_pull(), (LOOK,), id="opened"),
        pytest.param("pull_request", of_pull(action="one of next year's"), (LOOK,), id="an action nobody knows"),
        pytest.param(
            "pull_request",
            of_pull(2**31 - 1),
            (Hint("acme/shop", PreviewKey("acme/shop", 2**31 - 1)),),
            id="the largest number",
        ),
        pytest.param("issue_comment", a_comment(), (LOOK,), id="a comment"),
        pytest.param("issue_comment", a_comment(user=None), (LOOK,), id="a comment of nobody any more"),
        pytest.param("issue_comment", a_comment(user={"login": "mayfly[bot]"}), (), id="our own"),
        pytest.param("issue_comment", a_comment(performed_via_github_app={"id": APP}), (), id="our own, by its App"),
        pytest.param(
            "issue_comment", a_comment(performed_via_github_app={"id": 8}), (LOOK,), id="by way of another App"
        ),
        pytest.param("issue_comment", a_comment() | {"issue": {"number": 7}}, (), id="of an issue"),
        pytest.param("push", {"repository": REPOSITORY, "ref": "refs/heads/a/b"}, (ANY,), id="a push"),
        pytest.param(
            "push", {"repository": REPOSITORY, "ref": "refs/heads/a", "deleted": True}, (ANY,), id="a branch is deleted"
        ),
        pytest.param("push", {"repository": REPOSITORY, "ref": "refs/tags/v1"}, (), id="a tag"),
        pytest.param("installation", {"action": "suspend"}, (Hint(),), id="suspended"),
        pytest.param("installation_repositories", {"action": "added"}, (Hint(),), id="another repository"),
        pytest.param("deployment", {"repository": REPOSITORY}, (), id="a deployment"),
        pytest.param("ping", {}, (), id="ping"),
        pytest.param("workflow_job", b"not even JSON", (), id="an event that is not read"),
    ],
)
def test_which_pull_request_to_look_at(event: str, payload: object, told: tuple[Hint, ...]):
    assert hints(event, payload) == told


def asked(suite: str = "checks smoke", number: int = 7) -> tuple[Hint, ...]:
    return (Hint("acme/shop", PreviewKey("acme/shop", number), suite, "ada"),)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        pytest.param(pressed(), asked(), id="smoke"),
        pytest.param(pressed(name="mayfly/e2e"), asked("checks e2e"), id="e2e"),
        pytest.param(pressed(name="mayfly/spec"), (LOOK,), id="the spec, which is read anew"),
        pytest.param(pressed(name="mayfly/smoke extend 9d"), (LOOK,), id="a name that would say more"),
        pytest.param(pressed(action="completed"), (), id="no button was pressed"),
        pytest.param(pressed(action="requested_action"), (), id="another button"),
        pytest.param(pressed(app={"id": 8}), (), id="of another App"),
        pytest.param(pressed(app=None), (), id="of no App"),
        pytest.param(named("acme/shop#9:smoke:aaa:0"), asked(number=9), id="a fork's, by our name for it"),
        pytest.param(named("Acme/Shop#9:smoke:aaa:0"), asked(number=9), id="in other letters"),
        pytest.param(named("acme/vault#9:smoke:aaa:0"), (), id="our name for one of another repository"),
        pytest.param(named("acme/shop#0:smoke:aaa:0"), (), id="no number"),
        pytest.param(named("acme/shop#2147483648:smoke:aaa:0"), (), id="a number too large"),
        pytest.param(named("acme/shop#٣:smoke:aaa:0"), (), id="digits of another script"),
        pytest.param(named("whatever"), (), id="a name that is not ours"),
        pytest.param(
            pressed(external_id="acme/shop#9:smoke:aaa:0", pull_requests=[related(7), related(9)]),
            asked(number=9),
            id="the one of two with the same head",
        ),
        pytest.param(
            pressed(external_id="acme/shop#9:smoke:aaa:0"), asked(), id="a name that GitHub does not know there"
        ),
        pytest.param(pressed(pull_requests=[related(9, repo=2)]), (), id="a pull request of another repository"),
    ],
)
def test_a_pressed_button_asks_for_its_suite(payload: dict[str, object], told: tuple[Hint, ...]):
    assert hints("check_run", payload) == told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({}, asked("checks"), id="one"),
        pytest.param(
            {"pull_requests": [related(7), related(8, repo=2), related(9)]},
            asked("checks") + asked("checks", 9),
            id="each of this repository",
        ),
        pytest.param({"pull_requests": []}, (), id="none"),
        pytest.param({"app": {"id": 8}}, (), id="of another App"),
        pytest.param({"action": "completed"}, (), id="no button was pressed"),
    ],
)
def test_the_button_for_all_asks_for_every_suite(more: dict[str, object], told: tuple[Hint, ...]):
    payload = pressed("check_suite", **more)
    assert hints("check_suite", payload) == told


HEAD = "a" * 40


def waiting(repo: str, revision: str, name: str) -> tuple[PreviewKey, ...]:
    """Two of the same head: 7 waits for `build`, 8 for `lint`."""
    names = {7: "build", 8: "lint"} if (repo, revision) == ("acme/shop", HEAD) else {}
    return tuple(PreviewKey(repo, number) for number, known in names.items() if name in {"", known})


def over(kind: str = "check_run", action: str = "completed", **more: object) -> dict[str, object]:
    return pressed(kind, action, **{"app": {"id": 8}, "name": "build", "head_sha": HEAD, "pull_requests": []} | more)


def a_status(**more: object) -> dict[str, object]:
    return {"repository": REPOSITORY, "sha": HEAD, "context": "build", "state": "success"} | more


@pytest.mark.parametrize(
    ("event", "payload", "told"),
    [
        pytest.param("check_run", over(), [7], id="a run that one waits for"),
        pytest.param("check_run", over(name="docs"), [], id="a run that nobody waits for"),
        pytest.param("check_run", over(head_sha="b" * 40), [], id="a run of an older head"),
        pytest.param("check_run", over(app={"id": APP}), [], id="our own"),
        pytest.param("check_run", over(action="created"), [], id="it has only begun"),
        pytest.param("check_run", over(action="rerequested"), [], id="another App's button"),
        pytest.param("check_run", over(pull_requests=[related(9)]), [7], id="whatever it says it is about"),
        pytest.param("check_suite", over("check_suite"), [7, 8], id="all of an App's"),
        pytest.param("check_suite", over("check_suite", app={"id": APP}), [], id="all of ours"),
        pytest.param("check_suite", over("check_suite", "requested"), [], id="all have only begun"),
        pytest.param("status", a_status(), [7], id="a status"),
        pytest.param("status", a_status(state="failure"), [7], id="a status that failed"),
        pytest.param("status", a_status(state="pending"), [], id="a status that is to come"),
        pytest.param("status", a_status(context="mayfly/smoke"), [], id="a status of ours"),
        pytest.param("status", a_status(sha="b" * 40), [], id="a status of another revision"),
    ],
)
def test_a_check_of_others_that_is_over_rings_for_who_waits(event: str, payload: object, told: list[int]):
    found = read(event, json.dumps(payload).encode(), is_ours, waiting)
    assert found == tuple(Hint("acme/shop", PreviewKey("acme/shop", number)) for number in told)


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        pytest.param("pull_request", {}, id="nothing in it"),
        pytest.param("status", {"repository": REPOSITORY, "sha": HEAD}, id="a status of nothing"),
        pytest.param("pull_request", of_pull(None), id="no number"),
        pytest.param("pull_request", of_pull(0), id="number 0"),
        pytest.param("pull_request", of_pull(-7), id="a negative number"),
        pytest.param("pull_request", of_pull(2**31), id="a number too large"),
        pytest.param("pull_request", of_pull("7; rm"), id="a number that is none"),
        pytest.param("pull_request", of_pull(repository=None), id="no repository"),
        pytest.param("pull_request", of_pull(repository={"id": 1, "full_name": "shop"}), id="no owner"),
        pytest.param("pull_request", of_pull(repository={"id": 1, "full_name": "a/b/c"}), id="three parts"),
        pytest.param("pull_request", of_pull(repository={"id": 1, "full_name": "a/../b"}), id="a way up"),
        pytest.param("pull_request", of_pull(repository={"id": 1, "full_name": "a/b?c"}), id="a query"),
        pytest.param("pull_request", of_pull(repository={"id": 1, "full_name": "a/b\n"}), id="a line break"),
        pytest.param("pull_request", of_pull(repository={"id": 1, "full_name": "a/.."}), id="only a way up"),
        pytest.param("issue_comment", {"repository": REPOSITORY, "issue": {"number": 7}}, id="no comment"),
        pytest.param("push", {"repository": REPOSITORY}, id="no branch"),
        pytest.param("check_run", pressed() | {"sender": {"login": "ada\n/preview down"}}, id="a name of two lines"),
        pytest.param("check_run", pressed() | {"sender": None}, id="nobody"),
        pytest.param("check_suite", pressed(), id="another event's"),
        pytest.param("installation", b"", id="empty"),
        pytest.param("push", b"[" * 10_000, id="deep"),
    ],
)
def test_what_github_would_not_send_is_malformed(event: str, payload: object):
    with pytest.raises(Malformed) as malformed:
        hints(event, payload)
    assert len(str(malformed.value)) < 200


def test_names_as_long_as_they_may_be_are_read_and_no_longer():
    longest = "a" * 100 + "/" + "b" * 100
    assert hints("push", {"repository": {"id": 1, "full_name": longest}, "ref": "refs/heads/a"}) == (Hint(longest),)
    with pytest.raises(Malformed):
        hints("push", {"repository": {"id": 1, "full_name": longest + "b"}, "ref": "refs/heads/a"})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=20,
)


@given(event=st.sampled_from(HEARD), payload=st.binary() | _JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_read_or_malformed(event: str, payload: bytes):
    try:
        told = hints(event, payload)
    except Malformed:
        return
    assert all(hint.key is None or hint.key.repo == hint.repo for hint in told)
