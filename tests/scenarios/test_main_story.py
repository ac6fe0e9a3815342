"""Pull requests are merged, and main is deployed, checked, rolled back: pushes, processes and database are real."""

import re

import pytest

from controller.common.words import CheckStatus, CommitState, DeploymentState
from tests.scenarios.listeners import Receiver, visited
from tests.scenarios.main_world import FILES, TARGET, MainWorld, spec

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.timeout(300), pytest.mark.xdist_group("story")]
WORKS = FILES | {".preview.yaml": spec()}
BROKEN = {".preview.yaml": spec(works=False, colour="red")}
TOOK = re.compile(r"\b\d+(\.\d)? m?s\b")


@pytest.fixture
def ops():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def world(tmp_path, ops):
    world = MainWorld(tmp_path, routes=[{"name": "ops", "url": ops.url}])
    world.start()
    yield world
    world.kill()
    await world.clean()


def painted(colour):
    return {".preview.yaml": spec(colour=colour)}


async def test_a_bad_merge_is_rolled_back_with_its_configuration_while_the_url_answers_all_the_time(world, ops):
    good = world.merge("good", WORKS)
    world.until("verified", 1, good)
    with visited(f"http://127.0.0.1:{world.port}/", f"{TARGET}.localhost:{world.port}") as visits:
        bad = world.merge("bad", BROKEN)
        world.until("restored", 1, good)
        better = world.merge("better", painted("green"))
        world.until("verified", 3, better)
        count = len(visits.answers)
        world.wait(lambda: len(visits.answers) > count, "somebody to see it")

    assert visits.failures == 0
    assert visits.seen("revision", "colour") == [(good, "blue"), (bad, "red"), (good, "blue"), (better, "green")]
    assert world.events("make", "rollback", "settle", "verify") == [
        ("make", 1),
        ("verify", 1),
        ("make", 2),
        ("rollback", 2),
        ("settle", 0),
        ("make", 3),
        ("verify", 3),
    ]
    await world.until_told(3, "is verified")
    await on_the_commits(world, good, bad, better)
    assert [len(await world.comments(number)) for number in (1, 2, 3)] == [1, 1, 1]
    [comment] = await world.comments(2)
    assert plain(comment, world) == WHAT_THE_BAD_ONE_IS_TOLD.format(
        good=good[:7], bad=bad[:7], better=better[:7], whole=bad
    )
    world.wait(lambda: f"{TARGET}: #3 ({better[:7]}) is verified" in ops.titles("page"), "all to be told")
    assert ops.titles("page") == [
        f"{TARGET}: #2 ({bad[:7]}) was rolled back to #1 ({good[:7]})",
        f"{TARGET}: #1 ({good[:7]}) is restored",
        f"{TARGET}: #3 ({better[:7]}) is verified",
    ]


async def on_the_commits(world, good, bad, better):
    """What each is told by a status, a check run and a deployment."""
    told = {}
    for revision in (good, bad, better):
        said = await world.said_of(revision)
        [status], [check], [deployment] = said.statuses, said.checks, said.deployments
        assert status.description == check.title
        assert {status.context, check.name} == {f"mayfly/{TARGET}"}
        told[revision] = status.state, check.status, deployment.state, status.description
    rolled_back = f"#2 ({bad[:7]}) was rolled back to #1 ({good[:7]}): its checks failed 2 times: smoke failed: works"
    assert told == {
        good: (
            CommitState.SUCCESS,
            CheckStatus.SUCCESS,
            DeploymentState.INACTIVE,
            f"#1 ({good[:7]}) is verified: its checks passed",
        ),
        bad: (CommitState.FAILURE, CheckStatus.FAILURE, DeploymentState.FAILURE, rolled_back),
        better: (
            CommitState.SUCCESS,
            CheckStatus.SUCCESS,
            DeploymentState.SUCCESS,
            f"#3 ({better[:7]}) is verified: its checks passed",
        ),
    }


def plain(comment, world):
    """Without what differs from run to run."""
    told = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", comment.replace(f":{world.port}", ":8080"))
    return TOOK.sub("TIME", told.replace("\u200b", ""))


WHAT_THE_BAD_ONE_IS_TOLD = """\
### ↩️ production: #2 ({bad}) was rolled back to #1 ({good}): its checks failed 2 times: smoke failed: works

**http://production.localhost:8080** · `{bad}` (it runs `#3 ({better})`) · [details](http://localhost:8080/targets/production)

**Rolled back** to `#1 ({good})`, configuration included. \\#1 ({good}) works again.

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › works | ❌ failed | 1 | TIME |
| smoke › works | ❌ failed | 1 | TIME |

```text
smoke › works: $.works is "no", expected "yes"
200 http://127.0.0.1:PORT/

{{"revision": "{whole}", "colour": "red", "works": "no", "tables": ["things", "users"], "things": 1000}}
```

`{bad}` is not deployed again by itself. Push a fix, or try it once more: \
`mayfly redeploy production --to 2 --reason "…"`."""


async def test_people_roll_back_further_each_time_hold_release_and_redeploy(world, ops):
    blue = world.merge("one", WORKS)
    world.until("verified", 1, blue)
    for number, colour in ((2, "green"), (3, "white")):
        head = world.merge(colour, painted(colour))
        world.until("verified", number, head)

    asked = [world.ask("rollback", key="k1", reason="prices are wrong") for _ in range(2)]
    assert [status for status, _ in asked] == [202, 202]
    world.until("restored", 2)
    assert world.shop()["colour"] == "green"
    assert world.ask("rollback", key="k1", reason="prices are wrong")[0] == 202
    assert world.ask("rollback", key="k2", reason="still wrong")[0] == 202
    world.until("restored", 1)
    assert world.shop()["colour"] == "blue"
    assert world.events("rollback") == [("rollback", 3), ("rollback", 2)]
    status, problem = world.ask("rollback", reason="once more")
    assert (status, problem["detail"]) == (422, f"no verified release is older than #1 ({blue[:7]}); there is none")

    assert world.ask("hold", reason="a sale")[0] == 202
    world.wait(lambda: world.target()["state"] == "held", "it is held")
    world.merge("meanwhile", painted("black"))
    head = world.merge("later", painted("yellow"))
    assert world.ask("release", reason="the sale is over")[0] == 202
    world.until("verified", 4, head)

    assert world.ask("redeploy", to=3, reason="prices were right")[0] == 202
    world.until("verified", 5)
    assert world.shop()["colour"] == "white"
    assert world.events("make") == [("make", number) for number in range(1, 6)]
    assert [(one["number"], one["stage"]) for one in world.releases()] == [
        (5, "verified"),
        (4, "retired"),
        (3, "rolled-back"),
        (2, "rolled-back"),
        (1, "retired"),
    ]


async def test_a_migration_that_cannot_be_undone_waits_for_a_person_and_one_that_can_is_undone_once(world, ops):
    good = world.merge("good", WORKS)
    world.until("verified", 1, good)
    bad = world.merge("orders", BROKEN | {"migrate.sql": "CREATE TABLE IF NOT EXISTS orders ();\n"})
    world.until("stopped", 2, bad)
    card = world.target()
    why = f"#2 ({bad[:7]}): its checks failed 2 times: smoke failed: works"
    assert card["stop"]["because"] == (
        f"{why}; not rolled back, as a migration of #2 ({bad[:7]}) is not marked reversible"
    )
    back, stay = card["stop"]["commands"]
    assert back == f'mayfly rollback {TARGET} --to 1 --force --reason "…"'
    assert stay == f'mayfly release {TARGET} --reason "…"'
    world.wait(lambda: ops.titles("page") != [], "a page")
    assert ops.titles("page") == [f"{TARGET}: stopped: a person has to decide"]
    assert world.shop()["tables"] == ["orders", "things", "users"]

    assert world.ask("rollback", to=1, reason="orders can wait")[0] == 202
    world.wait(lambda: world.target()["order"] != card["order"], "it to be thought over")
    assert world.stands("stopped", 2)
    assert world.ask("rollback", to=1, force=True, reason="orders can wait")[0] == 202
    world.until("restored", 1, good)

    undoing = spec(works=False, rollback="python run.py undo.sql")
    undo = "DROP TABLE bills; CREATE TABLE undone ();\n"  # a second time fails
    world.merge("bills", {".preview.yaml": undoing, "migrate.sql": "CREATE TABLE bills ();\n", "undo.sql": undo})
    world.wait(lambda: ("rollback", 3) in world.events("rollback"), "the third to be rolled back")
    world.until("restored", 1, good)
    assert world.shop()["tables"] == ["orders", "things", "undone", "users"]
    assert world.events("rollback") == [("rollback", 2), ("rollback", 3)]
