"""From a pushed branch to a checked, reported, reaped preview, on real parts; and with the controller killed."""

import json
import socket
import time

import pytest

from controller.common.words import CheckStatus
from tests.scenarios.world import World

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.timeout(420), pytest.mark.xdist_group("story")]


@pytest.fixture
async def world(tmp_path):
    world = World(tmp_path)
    world.start()
    yield world
    world.kill()
    await world.clean()


def checked(world, revision):
    """Ready at the revision, and its checks passed."""
    card = world.card()
    return card.get("revision") == revision and "its check passed" in card["headline"]


def green(revision):
    """The forge shows one passed check, of the revision, and one comment of ours."""

    def holds(talk):
        checks = [(check.name, check.status, check.revision) for check in talk.checks]
        ours = [entry for entry in talk.entries if entry.sticky and not entry.topic]
        return checks == [("mayfly/smoke", CheckStatus.SUCCESS, revision)] and len(ours) == 1

    return holds


def says(*words):
    """Our one comment has all these words, and there is no other entry."""

    def holds(talk):
        return len(talk.entries) == 1 and all(word in talk.entries[0].body for word in words)

    return holds


def failed(revision, *words):
    """Our one comment has all these words, and the one check, of the revision, has failed: told one after the other."""

    def holds(talk):
        return says(*words)(talk) and {(check.revision, check.status) for check in talk.checks} == {
            (revision, CheckStatus.FAILURE)
        }

    return holds


async def test_the_whole_story(world):
    said = world.push()
    assert f"http://pr-1-shop.localhost:{world.port}" in said
    head = world.git("rev-parse", "HEAD")
    world.wait(lambda: checked(world, head), "a checked preview")
    assert world.page() == {"revision": head, "things": 1000}
    await world.until_said(green(head))

    world.write({"seed.sql": "CREATE TABLE things (n int);\n"})
    empty = world.commit("no things any more")
    world.push()
    world.wait(lambda: "smoke failed" in str(world.card().get("headline")), "smoke to fail")
    await world.until_said(failed(empty, "smoke failed: things"))

    world.write({"migrate.py": "raise SystemExit('column is null')"})
    world.commit("a migration that fails")
    world.push()
    world.wait(lambda: world.card().get("state") == "failed", "the migration to fail")
    await world.until_said(says("**What failed:** migrate", "column is null"))

    world.push(":feature")
    world.wait(lambda: world.card().get("state") == "removed", "the removal")
    await world.nothing_is_left()
    await world.until_said(says("removed: the pull request was closed"))


async def test_ten_pushes_within_two_seconds_are_one_deploy_of_the_last(world):
    pauses, before = [], time.monotonic()
    for n in range(10):
        last = world.commit(f"push {n}")
        world.push()
        pauses.append(time.monotonic() - before)
        before = time.monotonic()
    world.wait(lambda: checked(world, last), "the last push")
    deploys = [event["text"] for event in world.timeline() if event["kind"] == "deploy"]
    assert deploys[-1].startswith(f"deploying {last[:7]}")
    if max(pauses[1:]) < 0.3:  # a machine too busy to push that fast lets the quiet period pass in between
        assert len(deploys) == 1
    assert len(deploys) < 10
    await world.until_said(green(last))


HOSTILE = ["it's/$(touch${IFS}pwned)`id`", 'x"y;z&w|v#1', "größe/日本語-🦋", "long-" + "n" * 230, "--upload-pack=id"]


async def test_hostile_branch_names_get_previews_of_their_own_and_run_nothing(world):
    for name in HOSTILE:
        world.git("update-ref", f"refs/heads/{name}", "HEAD")
    world.push(*(f"refs/heads/{name}" for name in HOSTILE))
    world.wait(lambda: world.ready() == len(HOSTILE), "a preview for each")
    cards = json.loads(world.get("/api/v1/previews"))["previews"]
    assert sorted(card["branch"] for card in cards) == sorted(HOSTILE)
    assert len({card["url"] for card in cards}) == len(HOSTILE)
    assert len(world.directories()) == len(HOSTILE)
    page = world.get("/")
    assert "$(touch${IFS}pwned)" in page
    assert "日本語" in page
    world.push(*(f":refs/heads/{name}" for name in HOSTILE))
    await world.nothing_is_left()
    assert not list(world.checkout.parent.rglob("pwned"))


MOMENTS = [0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1.1, 1.4, 1.8, 2.5]
"""Seconds from a push to SIGKILL: unseen, waiting, checking out, cloning, migrating, starting, being checked."""


async def test_killed_at_any_moment_of_the_story_it_converges_to_the_same_end(world):
    for n, moment in enumerate(MOMENTS):
        head = world.commit(f"push {n}")
        world.push()
        world.restart(after=moment)
        world.wait(lambda head=head: checked(world, head), f"convergence after a kill at {moment} s")
        assert world.page()["revision"] == head
    await world.until_said(green(head))

    world.command("/preview pin")
    world.kill()
    world.start()
    world.wait(lambda: world.card().get("pinned_by") == "ada", "the pin, kept")

    world.push(":feature")
    for moment in (0.0, 0.1, 0.3):
        world.restart(after=moment)
    world.wait(lambda: world.card().get("state") == "removed", "the removal")
    await world.nothing_is_left()
    await world.until_said(says("removed: the pull request was closed"))


async def test_a_stop_is_quick_and_leaves_the_preview_running(world):
    world.push()
    head = world.git("rev-parse", "HEAD")
    world.wait(lambda: checked(world, head), "a checked preview")
    before = world.processes()
    assert world.stop() == 0
    assert world.processes() == before
    world.start()
    world.wait(lambda: world.page().get("revision") == head, "the same preview")
    assert world.processes() == before


async def test_mayfly_stop_ends_everything_and_serve_goes_on_from_there(world):
    world.push()
    head = world.git("rev-parse", "HEAD")
    world.wait(lambda: checked(world, head), "a checked preview")
    assert "goes on from here" in world.mayfly("stop")
    assert world.processes() == []
    assert world.get("/healthz") is None
    world.start()
    world.wait(lambda: world.page() == {"revision": head, "things": 1000}, "the same preview with its data")
    assert [event["kind"] for event in world.timeline()].count("deploy") == 1


async def test_after_a_power_cut_the_databases_are_made_anew_from_their_seeds(world):
    world.push()
    head = world.git("rev-parse", "HEAD")
    world.wait(lambda: checked(world, head), "a checked preview")
    world.kill()
    world.power_cut()
    world.start()
    world.wait(lambda: checked(world, head) and world.page() == {"revision": head, "things": 1000}, "it, made anew")
    assert "its databases are made anew from their seeds" in world.log()


async def test_only_one_controller_looks_after_a_home(world):
    assert "already looks after" in world.mayfly("serve", "--listen", "127.0.0.1:0", code=3)
    assert world.get("/healthz") is not None


async def test_a_port_that_is_taken_is_said(world, tmp_path):
    world.kill()
    with socket.create_server(("127.0.0.1", world.port)):
        said = world.mayfly("serve", code=3)
    assert f"cannot listen on 127.0.0.1:{world.port}: Address already in use" in said
    assert "use --listen" in said
    world.start()
