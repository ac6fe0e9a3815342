"""How the embedded platform makes what a spec says: sources, builds, seeds, services, checks."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from controller.adapters.local import store
from controller.adapters.local.platform import SMOKE
from controller.common.nouns import Phase, PreviewKey, StepState
from controller.errors import Refused, Unavailable
from controller.previews.model import DeployOrder, Preview
from controller.settings import Local, Policy
from smoke.model import Outcome
from tests.adapters.local.world import APP, DATA, PYTHON, LocalWorld, git
from tests.contracts.platform import KEY, eventually, settled, until
from tests.fakes.databases import PASSWORD

pytestmark = pytest.mark.processes

WEB: Mapping[str, object] = {"command": [*PYTHON, "app.py"], "port": 8000, "health": "/"}


async def ready(world: LocalWorld, order: DeployOrder) -> Preview:
    await world.platform.deploy(order)
    preview = await until(world.platform, lambda now: now is not None and now.phase is not Phase.STARTING)
    assert preview is not None
    assert preview.phase is Phase.READY, preview.reason + preview.logs
    return preview


async def why_failed(world: LocalWorld, order: DeployOrder) -> str:
    await world.platform.deploy(order)
    return (await settled(world.platform, Phase.FAILED)).reason


def steps(preview: Preview) -> dict[str, StepState]:
    return {step.name: step.state for step in preview.steps}


def building(
    world: LocalWorld, *, files: Mapping[str, str] | None = None, command: str = "", **build: object
) -> DeployOrder:
    """A service whose version is what its build made."""
    code = command or "import pathlib as p; p.Path('version').write_text('built from ' + p.Path('source').read_text())"
    spec = {"inputs": ["source"], "outputs": ["version"]} | build | {"command": [*PYTHON, "-c", code]}
    revision = world.commit({"app.py": APP, "source": "one"} | dict(files or {}))
    return world.order(revision, {"services": {"web": {**WEB, "build": spec}}})


async def test_a_build_is_used_again_by_every_revision_with_the_same_inputs(world: LocalWorld) -> None:
    first = await ready(world, building(world))
    assert steps(first)["build web"] is StepState.DONE
    second = await ready(world, building(world, files={"README": "more"}))
    assert steps(second)["build web"] is StepState.REUSED
    assert await world.ask("pr-7-shop") == "built from one"
    third = await ready(world, building(world, files={"source": "two"}))
    assert steps(third)["build web"] is StepState.DONE
    assert await world.ask("pr-7-shop") == "built from two"


async def test_a_build_without_inputs_is_made_for_every_tree(world: LocalWorld) -> None:
    await ready(world, building(world, inputs=[]))
    again = await ready(world, building(world, inputs=[], files={"README": "more"}))
    assert steps(again)["build web"] is StepState.DONE


@pytest.mark.parametrize(
    ("command", "build", "reason"),
    [
        pytest.param("raise SystemExit('error: no compiler')", {}, "build web: error: no compiler", id="it fails"),
        pytest.param(
            "pass",
            {},
            "build web: `version` is not in the repository, or leads nowhere",
            id="it does not make its output",
        ),
        pytest.param(
            "import os; os.symlink('/etc/passwd', 'version')",
            {},
            "build web: `version` leads out of the repository",
            id="its output is a link to elsewhere",
        ),
        pytest.param(
            "import os; os.mkdir('real'); os.symlink('real', 'version')",
            {},
            "build web: the output `version` is a link, or lies behind one",
            id="its output is a link",
        ),
        pytest.param(
            "pass", {"inputs": ["missing"]}, "`missing` is not in the repository, or leads nowhere", id="no input"
        ),
        pytest.param("import time; time.sleep(60)", {}, "build web: it took longer than 1 s", id="it takes too long"),
    ],
)
async def test_a_build_that_cannot_be_used_is_explained(
    world: LocalWorld, command: str, build: dict[str, object], reason: str
) -> None:
    world.use(Policy(local=Local(path=os.environ["PATH"], step_timeout=timedelta(seconds=1))))
    assert await why_failed(world, building(world, command=command, **build)) == reason
    assert world.processes() == []


async def test_a_failed_build_can_be_read(world: LocalWorld) -> None:
    await why_failed(world, building(world, command="print('compiling'); raise SystemExit('error: no compiler')"))
    lines = [line async for line in world.platform.logs(KEY, "build", 10, follow=False)]
    assert sorted(lines) == ["compiling", "error: no compiler"]


async def test_previews_share_one_seeding(world: LocalWorld) -> None:
    keys = [PreviewKey("shop", number) for number in (1, 2, 3)]
    await asyncio.gather(*(world.platform.deploy(world.push(number=key.number)) for key in keys))
    previews = [await settled(world.platform, Phase.READY, key=key) for key in keys]
    assert len(world.databases.seeded) == 1
    seeded = [preview.database.seeded_in for preview in previews if preview.database]
    assert [time is None for time in sorted(seeded, key=lambda time: time is None)] == [False, True, True]


async def test_a_seed_that_changes_is_made_again(world: LocalWorld) -> None:
    order = world.push()
    await ready(world, order)
    revision = world.commit({"data.py": DATA.replace('"seeded"', '"seeded anew"')})
    await ready(world, world.order(revision, order.spec.model_dump(exclude_unset=True)))
    assert await world.ask("pr-7-shop") == "one seeded anew,migrated"


async def test_a_seed_that_fails_says_so_and_leaves_no_template(world: LocalWorld) -> None:
    revision = world.commit({"app.py": APP, "seed.py": "raise SystemExit('ERROR: relation exists')"})
    seed = {"command": [*PYTHON, "seed.py"], "inputs": ["seed.py"]}
    spec = {"services": {"web": WEB}, "database": {"postgres": {"seed": seed}}}
    assert await why_failed(world, world.order(revision, spec)) == "seed: relation exists"
    assert await world.databases.templates() == {}
    assert list((world.databases.root / "unfinished").iterdir()) == []


def seeding(world: LocalWorld, files: Mapping[str, str]) -> DeployOrder:
    """SQL files, loaded in the order given."""
    revision = world.commit({"app.py": APP, "version": "one"} | dict(files))
    return world.order(revision, {"services": {"web": WEB}, "database": {"postgres": {"seed": list(files)}}})


async def test_sql_files_are_loaded_in_their_order(world: LocalWorld) -> None:
    preview = await ready(world, seeding(world, {"z -f x.sql": "first", "sql/a.sql": "second"}))
    assert await world.ask("pr-7-shop") == "one first+second"
    assert preview.database is not None
    again = await ready(world, seeding(world, {"sql/a.sql": "second", "z -f x.sql": "first"}))
    assert await world.ask("pr-7-shop") == "one second+first"
    assert again.database is not None
    assert again.database.seed != preview.database.seed


async def test_sql_that_is_wrong_is_told_as_psql_tells_it(world: LocalWorld) -> None:
    reason = await why_failed(world, seeding(world, {"seed.sql": "BROKEN"}))
    assert reason == 'seed: syntax error at or near "BROKEN"'


@pytest.mark.parametrize("leads_to", ["/etc/passwd", "../outside.sql", "nowhere"])
async def test_a_seed_file_that_leads_out_of_the_repository_is_refused(world: LocalWorld, leads_to: str) -> None:
    (world.root / "outside.sql").write_text("select 1")
    world.commit({"app.py": APP})
    (world.checkout / "seed.sql").symlink_to(leads_to)
    spec = {"services": {"web": WEB}, "database": {"postgres": {"seed": ["seed.sql"]}}}
    reason = await why_failed(world, world.order(world.commit({}), spec))
    assert reason.startswith("`seed.sql` ")
    assert await world.databases.names() == frozenset()


async def test_a_database_the_spec_no_longer_wants_is_dropped(world: LocalWorld) -> None:
    await ready(world, world.push())
    preview = await ready(world, world.app())
    assert preview.database is None
    assert await world.databases.names() == frozenset()


async def test_the_password_is_in_nothing_that_is_said(world: LocalWorld) -> None:
    await world.platform.deploy(world.push("bad migration"))
    preview = await settled(world.platform, Phase.FAILED)
    said = [line async for line in world.platform.logs(KEY, "migrate", 50, follow=False)]
    assert any("postgresql://ada:•••@" in line for line in said)
    assert PASSWORD not in preview.logs + preview.reason + "".join(said) + str(preview)
    assert (world.folder() / "preview.json").stat().st_mode & 0o077 == 0


async def test_services_start_after_those_they_need_and_are_told_where_they_are(world: LocalWorld) -> None:
    revision = world.commit({"app.py": APP, "version": "one"})
    api = {"command": [*PYTHON, "app.py", "late"], "port": 9000}
    spec = {"services": {"web": {**WEB, "depends_on": ["api"]}, "api": api}}
    preview = await ready(world, world.order(revision, spec))
    begun = {step.name: step.started_at for step in preview.steps}
    assert begun["start api"] < begun["start web"]
    assert [service.host for service in preview.services] == ["pr-7-shop", "pr-7-shop--api"]
    told = dict(line.split("=", 1) for line in (await world.ask("pr-7-shop", "/environment")).splitlines())
    route = world.platform.route("PR-7-shop--api")
    assert route is not None
    assert route.address is not None
    assert told["API_URL"] == f"http://127.0.0.1:{route.address[1]}"


async def test_when_one_service_fails_the_others_are_stopped(world: LocalWorld) -> None:
    revision = world.commit({"app.py": APP, "version": "one"})
    bad = {"command": [*PYTHON, "app.py", "crashing"], "port": 9000}
    spec = {"services": {"web": WEB, "worker": bad}}
    assert await why_failed(world, world.order(revision, spec)) == "start worker: it exited with status 3"
    await eventually(lambda: not world.processes())


async def test_a_worker_without_a_port_needs_only_to_run(world: LocalWorld) -> None:
    revision = world.commit({"app.py": APP, "version": "one"})
    worker = {"command": [*PYTHON, "-c", "import time; print('working', flush=True); time.sleep(3600)"]}
    preview = await ready(world, world.order(revision, {"services": {"web": WEB, "worker": worker}}))
    assert [service.host for service in preview.services] == ["pr-7-shop", ""]


async def test_a_service_that_answers_with_an_error_is_not_healthy(world: LocalWorld) -> None:
    code = APP.replace("200 OK", "503 Soon")
    revision = world.commit({"app.py": code, "version": "one"})
    await world.platform.deploy(world.order(revision, {"services": {"web": WEB}}))
    preview = await until(world.platform, lambda now: bool(now and now.services[0].reason.startswith("GET")))
    assert preview is not None
    assert (preview.phase, preview.services[0].reason) == (Phase.STARTING, "GET / answered 503")
    await world.platform.give_up(KEY, preview.uid, revision, "it was not ready within 15 min")
    failed = await settled(world.platform, Phase.FAILED)
    assert failed.services[0].reason == "GET / answered 503"
    assert "listening" in failed.logs


@pytest.mark.parametrize("revision", ["1e10000", "HEAD", "--upload-pack=id", "f" * 39, "$(id)", "..", ""])
async def test_a_revision_that_is_none_is_refused(world: LocalWorld, revision: str) -> None:
    world.commit({"app.py": APP})
    assert "is not a whole revision" in await why_failed(world, world.order(revision, {"services": {"web": WEB}}))


async def test_a_revision_that_cannot_be_fetched_is_waited_for(world: LocalWorld) -> None:
    await world.platform.deploy(world.order("f" * 40, {"services": {"web": WEB}}))
    waiting = await until(world.platform, lambda now: bool(now and now.reason))
    assert waiting is not None
    assert waiting.phase is Phase.STARTING
    assert waiting.reason.startswith("cannot fetch fffffff: ")


async def test_no_hook_and_no_filter_of_the_repository_runs(world: LocalWorld, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    hook = world.checkout / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {touched}\n")
    hook.chmod(0o755)
    revision = world.commit({"app.py": APP, "version": "one", ".gitattributes": "* filter=evil\n"})
    git(world.checkout, "config", "filter.evil.smudge", f"touch {touched}")
    await ready(world, world.order(revision, {"services": {"web": WEB}}))
    assert not touched.exists()


async def test_locks_of_a_git_that_was_killed_are_taken_away_after_a_restart(world: LocalWorld) -> None:
    await ready(world, world.app())
    [mirror] = (world.home / "sources").iterdir()
    for name in ("packed-refs.lock", f"refs/previews/{world.folder().name}.lock"):
        (mirror / name).write_text("")
    await world.reopen()
    await ready(world, world.push(version="two"))


async def test_only_the_tree_that_is_deployed_is_kept(world: LocalWorld) -> None:
    for version in ("one", "two", "three"):
        await ready(world, world.push(version=version))
    await eventually(lambda: len(list((world.folder() / "trees").iterdir())) == 1)


async def checked(world: LocalWorld, name: str, suite: str = "smoke") -> Preview:
    order = world.push()
    spec = order.spec.model_dump(exclude_unset=True) | {"checks": {suite: [world.check(name)]}}
    preview = await ready(world, world.order(order.revision, spec))
    await world.platform.run_checks(KEY, preview.uid, order.revision, suite, 1)
    found = await until(world.platform, lambda now: bool(now and now.jobs and now.jobs[-1].run))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "error"),
    [
        pytest.param("it dies", "the checks left no result: their process exited with status 1", id="it dies"),
        pytest.param(
            "it lies", "the checks left no result: their process exited with status 0", id="of another revision"
        ),
        pytest.param("it hangs", "it took longer than 2 s", id="it hangs"),
    ],
)
async def test_checks_that_tell_nothing_are_broken(world: LocalWorld, name: str, error: str) -> None:
    world.use(
        Policy(
            local=Local(path=os.environ["PATH"], step_timeout=timedelta(seconds=2), stop_within=timedelta(seconds=1))
        )
    )
    run = (await checked(world, name)).jobs[-1].run
    assert run is not None
    assert run.outcome is Outcome.BROKEN
    assert run.error.startswith(error)
    assert PASSWORD not in run.error


async def test_a_file_that_a_check_left_can_be_had_and_nothing_else(world: LocalWorld) -> None:
    await checked(world, "it answers")
    names = ["page.png", "link.png", "../result.json", "..", "", ".hidden", "/etc/passwd", "missing.png"]
    found = {name: await world.platform.artifact(KEY, "smoke", name) for name in names}
    assert found == dict.fromkeys(names) | {"page.png": b"a picture"}
    assert await world.platform.artifact(KEY, "../smoke", "page.png") is None
    assert await world.platform.artifact(PreviewKey("shop", 99), "smoke", "page.png") is None


async def test_the_real_checks_run(world: LocalWorld) -> None:
    world.smoke = SMOKE
    await world.reopen()
    order = world.push()
    preview = await ready(world, order)
    await world.platform.run_checks(KEY, preview.uid, order.revision, "smoke", 1)
    done = await until(world.platform, lambda now: bool(now and now.jobs and now.jobs[-1].run))
    assert done is not None
    run = done.jobs[-1].run
    assert run is not None
    assert (run.outcome, run.error) == (Outcome.PASSED, "")
    assert [(result.name, result.kind) for result in run.results] == [("it answers", "http")]


async def test_checks_go_on_over_a_restart(world: LocalWorld) -> None:
    order = world.push()
    preview = await ready(world, order)
    await world.platform.run_checks(KEY, preview.uid, order.revision, "smoke", 1)
    await eventually(lambda: world.cell().checks("smoke").state() is not None)
    await world.reopen()
    done = await until(world.platform, lambda now: bool(now and now.jobs and now.jobs[-1].run))
    assert done is not None
    assert done.jobs[-1].run is not None
    assert done.jobs[-1].run.outcome is Outcome.PASSED


async def test_a_push_ends_the_checks_under_way(world: LocalWorld) -> None:
    order = world.push()
    spec = order.spec.model_dump(exclude_unset=True) | {"checks": {"smoke": [world.check("it hangs")]}}
    preview = await ready(world, world.order(order.revision, spec))
    await world.platform.run_checks(KEY, preview.uid, order.revision, "smoke", 1)
    await ready(world, world.push(version="two"))
    after = await world.platform.preview(KEY)
    assert after is not None
    assert after.jobs == ()
    assert not any("/checks/" in mark for mark in world.marks())


async def test_an_unknown_suite_and_a_preview_that_is_not_ready_are_told_apart(world: LocalWorld) -> None:
    order = world.push()
    preview = await ready(world, order)
    with pytest.raises(Refused, match="no `e2e` checks"):
        await world.platform.run_checks(KEY, preview.uid, order.revision, "e2e", 1)
    await world.platform.sleep(KEY, preview.uid, 1)
    await settled(world.platform, Phase.SLEEPING)
    with pytest.raises(Unavailable, match="sleeping"):
        await world.platform.run_checks(KEY, preview.uid, order.revision, "smoke", 1)


async def test_logs_are_followed_over_rotation(world: LocalWorld) -> None:
    world.use(Policy(local=Local(path=os.environ["PATH"], log_size=4096, stop_within=timedelta(seconds=1))))
    code = "import time, itertools\nfor n in itertools.count(): print(f'line {n:06}', flush=True); time.sleep(0.002)"
    worker = {"command": [*PYTHON, "-c", code]}
    revision = world.commit({"app.py": APP, "version": "one"})
    await ready(world, world.order(revision, {"services": {"web": WEB, "worker": worker}}))
    seen: list[int] = []
    async with asyncio.timeout(60), aclosing(world.platform.logs(KEY, "worker", 1, follow=True)) as lines:  # type: ignore[type-var]
        async for line in lines:
            seen.append(int(line.removeprefix("line ")))
            if len(seen) == 1500:
                break
    assert seen == list(range(seen[0], seen[0] + 1500))


async def test_a_full_disk_is_waited_for(world: LocalWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    order = world.app()
    write = store.write

    def full(*_words: object, **_named: object) -> None:
        raise Unavailable("cannot write preview.json: No space left on device")

    monkeypatch.setattr(store, "write", full)
    with pytest.raises(Unavailable, match="No space left"):
        await world.platform.deploy(order)
    assert await world.platform.preview(KEY) is None
    monkeypatch.setattr(store, "write", write)
    await ready(world, order)
    await world.reopen()
    monkeypatch.setattr(store, "write", full)
    with pytest.raises(Unavailable, match="No space left"):
        await world.platform.deploy(world.app("late"))
    monkeypatch.setattr(store, "write", write)
    assert (await settled(world.platform, Phase.READY)).revision == order.revision
