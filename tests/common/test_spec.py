from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.common.spec import SeedCommand, fill, parse
from smoke.documents import DocumentError
from tests.examples import ABC

FULL = """
services:
  web:
    command: python -m shop --port {port} --title 'The Shop'
    build: {command: make assets, inputs: [assets], outputs: [static]}
    port: 8000
    health: /healthz
    env: {VERSION: 1.10, ENABLED: yes}
    depends_on: [api]
    resources: {memory: 256Mi, cpu: 0.5}
  api: {command: [sh, -c, "serve $PORT"], port: 9000}
  worker: {command: work, depends_on: [api]}
database:
  postgres:
    seed: [db/schema.sql, db/data.sql]
    migrate: python db/migrate.py
checks:
  smoke: [{name: home page, http: {path: /}}]
trigger: {drafts: false, paths: ["src/**"], after: [build, CI / image (3.11)]}
lifetime: {sleep_after: 30m, expire_after: 2 days, max: 1 week}
url: pr-{number}-{service}
"""


def test_a_full_spec_is_read_as_written():
    spec = parse(FULL, ABC)
    web = spec.services["web"]
    assert web.command == ("python", "-m", "shop", "--port", "{port}", "--title", "The Shop")
    assert spec.services["api"].command == ("sh", "-c", "serve $PORT")
    assert web.env == {"VERSION": "1.10", "ENABLED": "yes"}
    assert (web.resources.memory, web.resources.cpu) == (256 * 2**20, 0.5)
    assert spec.postgres.seed == ["db/schema.sql", "db/data.sql"]
    assert spec.files() == ["db/schema.sql", "db/data.sql"]
    assert spec.lifetime.max == timedelta(weeks=1)
    assert list(spec.checks.suites()) == ["smoke"]
    assert spec.trigger.after == ["build", "CI / image (3.11)"]


def test_one_service_is_enough_and_all_else_has_a_default():
    spec = parse("services: {app: {command: serve}}", ABC)
    assert spec.postgres is None
    assert spec.checks.suites() == {}
    assert spec.files() == []
    assert spec.url == "pr-{number}-{repo}"
    assert spec.main_service == ""


def test_a_seed_may_be_a_command_with_its_inputs():
    text = "services: {a: {command: x}}\ndatabase: {postgres: {seed: {command: python seed.py 3, inputs: [seed.py]}}}"
    assert parse(text, ABC).postgres.seed == SeedCommand(command="python seed.py 3", inputs=["seed.py"])


def test_as_many_checks_with_as_long_names_as_there_may_be():
    names = [f"{number}{'a' * 99}" for number in range(10)]
    assert parse(f"services: {{a: {{command: x}}}}\ntrigger: {{after: {names}}}", ABC).trigger.after == names


def test_services_start_after_those_they_depend_on():
    order = parse(FULL, ABC).start_order()
    assert order.index("api") < order.index("web")
    assert order.index("api") < order.index("worker")


@pytest.mark.parametrize(
    ("services", "main"),
    [
        ("{b: {command: x, port: 1}, web: {command: x, port: 2}}", "web"),
        ("{web: {command: x}, b: {command: x, port: 1}, c: {command: x, port: 2}}", "b"),
    ],
    ids=["web where there is one", "the first with a port"],
)
def test_the_url_leads_to(services, main):
    assert parse(f"services: {services}", ABC).main_service == main


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "`services`: Field required"),
        ("services: {}", "at least 1 item"),
        ("services: {web: {}}", "service `web` needs a `command` or an `image`"),
        ("services: {web: {comand: x}}", "Did you mean `command`?"),
        ("services: {Web_1: {command: x}}", "should match pattern"),
        ("services: {web: {command: ''}}", "at least 1 item"),
        ('services: {web: {command: "it\'s"}}', "not a command: No closing quotation"),
        ("services: {web: {command: x, port: 70000}}", "less than or equal to 65535"),
        ("services: {web: {command: x, health: healthz}}", "should match pattern"),
        ("services: {web: {command: x, env: {1X: y}}}", "should match pattern"),
        ("services: {web: {command: x, depends_on: [api]}}", "`web` depends on `api`, which is not a service here"),
        (
            "services: {a: {command: x, depends_on: [b]}, b: {command: x, depends_on: [a]}}",
            "services depend on each other in a circle: a → b → a",
        ),
        ("services: {a: {command: x, depends_on: [a]}}", "circle: a → a"),
        ("services: {a: {command: x}}\nurl: other-{number}", "should match pattern"),
        ("services: {a: {command: x}}\nurl: pr-{number}-a.b", "should match pattern"),
        ("services: {a: {command: x}}\nlifetime: {max: soon}", "write it like `90s`"),
        ("services: {a: {command: x}}\ntriger: {}", "Did you mean `trigger`?"),
        ("services: {a: {command: x}}\ntrigger: {after: [a, b, a]}", "`a` stands there twice"),
        ("services: {a: {command: x}}\ntrigger: {after: [mayfly/smoke]}", "`mayfly/smoke` is a check of a preview"),
        ("services: {a: {command: x}}\ntrigger: {after: [Mayfly/e2e]}", "`Mayfly/e2e` is a check of a preview"),
        ("services: {a: {command: x}}\ntrigger: {after: ['']}", "should match pattern"),
        ('services: {a: {command: x}}\ntrigger: {after: ["a\\nb"]}', "should match pattern"),
        (f"services: {{a: {{command: x}}}}\ntrigger: {{after: [{'a' * 101}]}}", "should match pattern"),
        (f"services: {{a: {{command: x}}}}\ntrigger: {{after: {list('abcdefghijk')}}}", "at most 10 items"),
        ("services: {a: {command: x, build: {command: make, outputs: [../x]}}}", "not a path inside the repository"),
        (
            "services: {a: {command: x}}\ndatabase: {postgres: {seed: [/etc/passwd]}}",
            "not a path inside the repository",
        ),
        ("services: {a: {command: x}}\ndatabase: {postgres: {sed: [x]}}", "Did you mean `seed`?"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(DocumentError) as caught:
        parse(text, ABC)
    assert words in str(caught.value)
    assert str(caught.value).startswith(".preview.yaml at abc1234: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--port={port}", "--port=8000"),
        ("{sha}{number}", "1e100007"),
        ("{unknown} {} {PORT}", "{unknown} {} {PORT}"),
        ("{{port}}", "{8000}"),
        ("{sneaky}", "{port}"),
    ],
    ids=[
        "inside a word",
        "a revision like a number",
        "other braces stay",
        "doubled braces",
        "a value is not filled again",
    ],
)
def test_placeholders(text, expected):
    assert fill(text, {"port": "8000", "sha": "1e10000", "number": "7", "sneaky": "{port}"}) == expected


@given(st.text())
def test_any_text_is_a_spec_or_an_explanation(text):
    with suppress(DocumentError):
        assert parse(text, ABC).services
