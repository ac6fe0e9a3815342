import json
import re
from datetime import timedelta

import pytest

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.checks import Wanted, job_name, tasks
from controller.adapters.kubernetes.results import Shard
from controller.adapters.kubernetes.shapes import CheckTask, Place, SecretKey
from controller.adapters.shared.orders import Order
from controller.settings import Images, Kubernetes
from smoke.collect import WRAPPER
from smoke.documents import load
from smoke.spec import CheckFile
from tests.examples import ABC, KEY, NOON, a_spec

PLACE = Place("preview-pr-7-shop", KEY, "mayfly")
POLICY = Kubernetes(images=Images(mayfly="registry.example/mayfly:1"))
DATABASE = SecretKey("database-12345678", "url")
ORDER = 1_772_452_800_000_000


def made(checks: str, suite: str = "smoke", more: str = "", **wanted):
    """The tasks of a suite of these checks, with what their ConfigMaps hold."""
    spec = a_spec(f"{more}\nchecks: {{shards: 2, {suite}: [{checks}]}}")
    order = Order(ABC, spec, "pr-7-web", 7)
    return tasks(PLACE, order, Wanted(**({"suite": suite, "order": ORDER, "started": NOON} | wanted)), POLICY)


def only(checks: str, **given) -> CheckTask:
    [(task, _)] = made(checks, **given)
    return task


HTTP = "{name: page, http: {path: /}}"
COMMAND = "{name: here, command: {run: pytest}}"
IMAGE = "{name: e2e, command: {image: 'e2e:{sha}', run: 'npx test {junit} {sha}', env: {A: '{url}/'}}}"


def test_a_suite_is_one_job_whose_container_runs_smoke():
    [(task, config)] = made(HTTP)
    assert task.name == "check-smoke-hga5kpqtc0-abc1234-1"
    assert (task.smoke.name, task.smoke.image) == ("smoke", "registry.example/mayfly:1")
    assert " ".join(task.smoke.command) == (
        f"python -P -m smoke run /mayfly/config/checks.yaml --url http://web:8000 --suite smoke --revision {ABC}"
        " --untrusted --hand-over --collect /mayfly/run --output /tmp/output --until 2026-03-02T12:09:40+00:00"
    )
    assert json.loads(task.smoke.env["MAYFLY_VARS"]) == {"sha": ABC, "number": "7"}
    assert (task.beside, task.timeout, task.smoke.source) == ((), timedelta(minutes=10), "")
    assert task.labels == {names.TASK: "check", names.SUITE: "smoke"}
    assert task.config == config["metadata"]["name"]
    assert config["metadata"]["namespace"] == PLACE.namespace


def test_the_checks_are_read_as_they_were_written():
    text = f"{HTTP}, {{name: b, after: [page], timeout: 1m, http: {{path: /b, json: {{a: 1}}}}}}"
    [(_, config)] = made(text)
    found = load(config["data"]["checks.yaml"], CheckFile, "checks.yaml")
    assert found.checks == a_spec(f"checks: {{smoke: [{text}]}}").checks.smoke


def test_a_job_says_what_it_is_about():
    task = only(HTTP)
    assert Shard.of({"metadata": {"annotations": task.annotations}}) == Shard("smoke", ABC, ORDER, 1, 1, NOON, (0,))


def test_a_suite_that_is_not_in_the_spec_makes_none():
    order = Order(ABC, a_spec(f"checks: {{smoke: [{HTTP}]}}"), "pr-7-web", 7)
    assert tasks(PLACE, order, Wanted("e2e", ORDER, NOON), POLICY) == ()


THREE = "{name: a, tcp: {port: 1}}, {name: b, tcp: {port: 2}}, {name: c, after: [a], tcp: {port: 3}}"


def test_e2e_checks_run_side_by_side_balanced_by_what_they_took():
    times = {name: timedelta(seconds=seconds) for name, seconds in (("a", 1), ("b", 9), ("c", 1))}
    found = made(THREE, suite="e2e", times=times)
    assert [json.loads(config["data"]["checks.yaml"])["checks"][0]["name"] for _, config in found] == ["b", "a"]
    assert [task.name[-2:] for task, _ in found] == ["-1", "-2"]
    notes = [json.loads(task.annotations[names.RUN]) for task, _ in found]
    assert [(note["shard"], note["shards"], note["places"]) for note in notes] == [(1, 2, [1]), (2, 2, [0, 2])]


def test_other_suites_are_one_job():
    assert len(made(THREE)) == 1


def test_the_database_is_known_by_reference_only():
    more = "database: {postgres: {env: Shop_Db}}"
    task = only(f"{HTTP}, {IMAGE}", more=more, database=DATABASE)
    assert task.smoke.secrets == {"MAYFLY_VAR_DATABASE_URL": DATABASE, "MAYFLY_VAR_SHOP_DB": DATABASE}
    assert task.beside[0].secrets == {"DATABASE_URL": DATABASE, "SHOP_DB": DATABASE, "Shop_Db": DATABASE}


def test_without_a_database_there_is_no_secret():
    assert only(HTTP, database=DATABASE).smoke.secrets == {}
    assert only(HTTP, more="database: {postgres: {}}").smoke.secrets == {}


def test_a_command_with_an_image_has_a_container_of_its_own():
    task = only(f"{HTTP}, {IMAGE}")
    [beside] = task.beside
    assert (beside.name, beside.image) == ("check-2", f"e2e:{ABC}")
    assert beside.command == (
        *("sh", "-c", WRAPPER, "sh", "/mayfly/run", "2", "/mayfly/run/2/junit.xml"),
        *("npx", "test", "/mayfly/run/2/junit.xml", ABC),
    )
    assert beside.env == {"SHA": ABC, "NUMBER": "7", "URL": "http://web:8000", "A": "http://web:8000/"}
    assert task.smoke.source == ""


def test_an_image_that_was_pinned_is_the_one_that_runs():
    task = only(IMAGE, images={f"e2e:{ABC}": "e2e@sha256:0123"})
    assert task.beside[0].image == "e2e@sha256:0123"


def test_a_report_elsewhere_is_found_from_where_the_command_runs():
    task = only("{name: e2e, command: {image: e2e, run: test, junit: out/r.xml}}")
    assert task.beside[0].command[6:] == ("./out/r.xml", "test")
    assert only("{name: e2e, command: {image: e2e, run: test}}").beside[0].command[6:] == ("", "test")


def test_no_value_is_filled_again_and_none_becomes_a_second_word():
    text = "{name: e2e, command: {image: e2e, run: ['{{sha}}', '{branch}', 'a {sha} b', '$(sha)']}}"
    assert only(text).beside[0].command[7:] == ("{sha}", "{branch}", f"a {ABC} b", "$(sha)")


def test_a_variable_of_a_check_can_be_the_database_but_hold_no_part_of_it():
    env = "env: {A: '{database_url}', B: 'x{database_url}', SHOP_DB: mine}"
    text = f"{{name: e2e, command: {{image: e2e, run: test, {env}}}}}"
    [beside] = only(text, more="database: {postgres: {env: SHOP_DB}}", database=DATABASE).beside
    assert beside.secrets == {"DATABASE_URL": DATABASE, "A": DATABASE}
    assert (beside.env["B"], beside.env["SHOP_DB"]) == ("x{database_url}", "mine")


@pytest.mark.parametrize(
    ("checks", "reads"),
    [
        (HTTP, False),
        (IMAGE, False),
        (COMMAND, True),
        (f"{HTTP}, {COMMAND}", True),
        ("{name: a, tls: {ca: ca.pem}}", True),
        ("{name: a, tls: {}}", False),
    ],
)
def test_the_repository_is_there_for_checks_that_read_it(checks: str, reads: bool):
    task = only(checks, source="source-12345678")
    assert task.smoke.source == ("source-12345678" if reads else "")
    assert (task.smoke.command[-2:] == ("--workdir", "/workspace")) is reads


def test_without_the_repository_there_is_no_folder_to_run_commands_in():
    assert "--workdir" not in only(COMMAND).smoke.command


@pytest.mark.parametrize("order", [0, 35, 36, ORDER, 10**18])
def test_a_name_is_one_that_kubernetes_takes(order: int):
    name = job_name("smoke", order, ABC, 20)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)


def test_the_same_run_has_the_same_names_and_another_has_others():
    found = {job_name("e2e", order, revision, shard) for order in (1, 2) for revision in "ab" for shard in (1, 2)}
    assert len(found) == 8
    assert made(IMAGE) == made(IMAGE)
