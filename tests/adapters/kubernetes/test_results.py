import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.results import (
    MAX_PLAIN,
    MAX_RESULT,
    Shard,
    artifacts,
    compress,
    expand,
    half_begun,
    jobs_of,
    merge,
    old,
    read,
    smoke_ended,
)
from controller.common.nouns import CheckJob
from smoke.handover import encode
from smoke.model import Outcome
from tests.examples import ABC, DEF, NOON, a_result, a_run, an_attempt

SHARD = Shard("smoke", ABC, 7, 1, 1, NOON, (0,))
LATER = NOON + timedelta(seconds=9)
RUN = a_run()


def a_log(run=RUN, **files: bytes) -> str:
    return "\n".join(["starting", *encode(run, files), "the end"])


def a_job(shard=SHARD, run=None, **annotations: str):
    known = {names.RUN: shard.to_json()} | ({names.RESULT: compress(run)} if run else {})
    return {"kind": "Job", "metadata": {"name": "check", "annotations": known | annotations}}


def test_a_result_is_read_from_a_log():
    assert read(a_log(), SHARD, LATER, "it ended") == RUN


def test_the_screenshots_come_along():
    run = a_run("smoke", a_result(screenshot="a.png"))
    assert artifacts("\n".join(encode(run, {"a.png": b"picture"}))) == {"a.png": b"picture"}
    assert artifacts("nothing") == {}


@pytest.mark.parametrize(
    "log",
    [
        pytest.param("", id="silence"),
        pytest.param(a_log()[:-90], id="a result that was cut"),
        pytest.param(a_log(replace(RUN, suite="e2e")), id="another suite's"),
        pytest.param(a_log(replace(RUN, revision=DEF)), id="another revision's"),
    ],
)
def test_without_a_whole_result_of_its_own_a_run_is_broken(log: str):
    run = read(log, SHARD, LATER, "it was killed: out of memory")
    assert run.outcome is Outcome.BROKEN
    assert (run.suite, run.revision, run.started_at, run.took) == ("smoke", ABC, NOON, timedelta(seconds=9))
    assert run.error.startswith("the checks left no result: it was killed: out of memory")


def test_a_broken_run_has_the_last_words_without_passwords():
    log = "one\ntwo\nthree\nfour\nfive\nsix\n\nOSError: postgresql://app:hunter2@db/app is away\n"
    run = read(log, SHARD, LATER, "it exited with status 1")
    assert run.error == (
        "the checks left no result: it exited with status 1 (OSError: postgresql://•••@db/app is away)\n"
        "three\nfour\nfive\nsix\nOSError: postgresql://•••@db/app is away"
    )


def test_a_clock_that_goes_backwards_takes_no_time():
    assert read("", SHARD, NOON - timedelta(seconds=1), "ended").took == timedelta()


def test_a_result_fits_in_an_annotation_and_comes_back():
    assert expand(compress(RUN)) == RUN
    long = a_run("smoke", *(a_result(f"check {n}", attempts=(an_attempt(details=noise(n)),)) for n in range(200)))
    text = compress(long)
    assert len(text) <= MAX_RESULT
    found = expand(text)
    assert found is not None
    assert [result.name for result in found.results] == [result.name for result in long.results]
    kept = found.results[3].attempts[0].details[1:]
    assert kept
    assert long.results[3].attempts[0].details.endswith(kept)


def noise(seed: int) -> str:
    return random.Random(seed).randbytes(3000).hex()


def test_a_result_is_quick_to_read_however_well_it_compresses():
    long = a_run("smoke", *(a_result(f"check {n}", attempts=(an_attempt(details="x" * 16_000),)) for n in range(500)))
    found = expand(compress(long))
    assert found is not None
    assert len(found.to_json()) <= MAX_PLAIN


@pytest.mark.parametrize("text", ["", "not base64!", "bm90IHpsaWI=", "ümlaut"])
def test_what_is_no_result_is_none(text: str):
    assert expand(text) is None


def test_shards_become_one_run_in_the_order_of_the_suite():
    one = a_run("e2e", a_result("a"), a_result("c"), took=timedelta(seconds=4), started_at=LATER)
    two = a_run("e2e", a_result("b"), a_result("d"), took=timedelta(seconds=9))
    whole = merge([one, two], [(0, 2), (1, 3)])
    assert [result.name for result in whole.results] == ["a", "b", "c", "d"]
    assert (whole.outcome, whole.took, whole.started_at) == (Outcome.PASSED, timedelta(seconds=9), NOON)


def test_a_shard_without_a_result_makes_the_run_broken():
    lost = a_run("e2e", error="lost")
    whole = merge(
        [a_run("e2e", a_result("a")), replace(lost, results=()), replace(lost, results=())], [(1,), (0,), (2,)]
    )
    assert (whole.outcome, whole.error) == (Outcome.BROKEN, "lost")
    assert [result.name for result in whole.results] == ["a"]


def test_results_without_a_place_come_last():
    whole = merge([a_run("e2e", a_result("x"), a_result("y")), a_run("e2e", a_result("a"))], [(0,), (5,)])
    assert [result.name for result in whole.results] == ["a", "x", "y"]


def test_a_job_that_goes_on_has_no_run_yet():
    assert jobs_of([a_job()]) == (CheckJob("smoke", ABC, 7, NOON),)


def test_a_job_with_a_result_is_a_run():
    assert jobs_of([a_job(run=RUN)]) == (CheckJob("smoke", ABC, 7, NOON, RUN),)


def test_a_run_goes_on_until_every_shard_has_a_result():
    shards = [Shard("e2e", ABC, 7, n, 3, NOON + timedelta(seconds=n), (3 - n,)) for n in (1, 2, 3)]
    runs = [a_run("e2e", a_result(f"check {n}")) for n in (1, 2, 3)]
    whole = [a_job(shard, run) for shard, run in zip(shards, runs, strict=True)]
    begun = NOON + timedelta(seconds=1)
    assert jobs_of([*whole[:2], a_job(shards[2])]) == (CheckJob("e2e", ABC, 7, begun),)
    assert jobs_of(whole[:2]) == (CheckJob("e2e", ABC, 7, begun),)
    [job] = jobs_of([whole[2], whole[0], whole[1]])
    assert job.run is not None
    assert [result.name for result in job.run.results] == ["check 3", "check 2", "check 1"]


def test_a_result_that_cannot_be_read_is_none():
    assert jobs_of([a_job(**{names.RESULT: "what?"})]) == (CheckJob("smoke", ABC, 7, NOON),)


@pytest.mark.parametrize("text", ["", "{}", "[1]", json.dumps({"suite": "smoke"})])
def test_jobs_that_are_not_of_checks_are_passed_over(text: str):
    assert jobs_of([a_job(**{names.RUN: text}), {"metadata": {"name": "seed"}}]) == ()


def test_the_latest_runs_are_known_oldest_first():
    shards = [replace(SHARD, order=n, started=NOON + timedelta(seconds=n)) for n in range(12)]
    assert [job.order for job in jobs_of([a_job(shard) for shard in reversed(shards)])] == list(range(2, 12))


def test_of_old_runs_every_job_is_removed_and_of_others_none():
    runs = [[a_job(Shard("e2e", ABC, n, m, 3, NOON + timedelta(seconds=n))) for m in (1, 2, 3)] for n in range(12)]
    every = [job for run in reversed(runs) for job in run]
    assert old(every) == [*runs[0], *runs[1]]
    assert old(every[:30]) == []


def test_a_run_that_was_half_begun_is_recognised():
    half = [a_job(Shard("e2e", ABC, 1, m, 3, NOON), RUN) for m in (1, 3)]
    whole = [a_job(Shard("e2e", ABC, 2, m, 2, NOON)) for m in (1, 2)]
    assert half_begun([*half, *whole]) == half


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ({}, False),
        ({"phase": "Pending"}, False),
        ({"phase": "Running", "containerStatuses": [{"name": "smoke", "state": {"running": {}}}]}, False),
        ({"phase": "Running", "containerStatuses": [{"name": "check-1", "state": {"terminated": {}}}]}, False),
        ({"phase": "Running", "containerStatuses": [{"name": "smoke", "state": {"terminated": {}}}]}, True),
        ({"phase": "Pending", "containerStatuses": [{"name": "smoke", "state": {"terminated": {}}}]}, True),
        ({"phase": "Failed", "reason": "Evicted"}, True),
    ],
)
def test_a_pod_has_said_all_once_smoke_has_ended(status: dict, ended: bool):
    assert smoke_ended({"metadata": {}, "status": status}) is ended
