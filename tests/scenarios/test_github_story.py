"""The demo's story on GitHub, by `mayfly demo --forge fake-github --once`, played once.

What stands on GitHub after a step is compared whole with `github_story/`: there it can be read in a review, and
MAYFLY_GOLDEN=write writes it anew. Only what is another every time has another name: revisions by their chapter
(`<sha 1>`, `<1>`), times, ports, days and what the shop's database counts.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from controller.adapters.github.markers import topic_of
from controller.cli import demo
from controller.cli.hub_github import AtGitHub
from controller.cli.main import app
from controller.cli.operator import TARGET
from controller.cli.proof import Unmet
from controller.cli.stage import Stage
from controller.cli.story import BRANCH, Step, steps
from tests.traces import processes_in

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.browser,
    pytest.mark.timeout(400),
]

FOLDER = Path(__file__).parent / "github_story"
REVIEWED = {4: "green", 5: "broken-page", 6: "broken-checkout", 7: "broken-migration", 8: "fixed", 9: "merged"}
DEPLOYED = {10: "deployed"}
"""As above: of production, on the commit of main and on the pull request that was merged."""
"""The steps after which GitHub says no more until the next one, and the files of what it then holds."""
WRITES = os.environ.get("MAYFLY_GOLDEN") == "write"
SETTLES_WITHIN = 3 if WRITES else 10
"""Seconds: the last words may follow what the step waits for."""
VARYING = {
    r"(localhost|127\.0\.0\.1):\d+": r"\1:PORT",
    r"\b\d+(\.\d+)? m?s\b": "TIME",
    r"\d{4}-\d\d-\d\dT[\d:.]+Z": "MOMENT",
    r"\b\d+ [A-Z][a-z]+ 20\d\d": "DAY",
    r"the seed `[0-9a-f]{7}`": "the seed `SEED`",
    r"\(\d+ MB\)": "(SIZE)",
    r"/orders/\d+": "/orders/N",
    r'"(id|customer_id)":\d+': r'"\1":N',
    r"at 0x[0-9a-f]+": "at 0xADDRESS",
}


@dataclass
class Played:
    code: int = -1
    said: str = ""
    left: list[str] = field(default_factory=list)
    """Files and processes."""
    stood: dict[int, str] = field(default_factory=dict)
    """On GitHub, by step."""

    def steps(self, stage: Stage) -> Iterator[Step]:
        for number, step in enumerate(steps(stage), start=1):
            yield Step(step.title, self._watched(number, step, stage))

    def _watched(self, number: int, step: Step, stage: Stage) -> Callable[[], str]:
        def play() -> str:
            seen = step.play()
            if number in REVIEWED | DEPLOYED:
                look = told if number in REVIEWED else told_of_main
                self.stood[number] = settled(stage, look, reviewed(number))
            return seen

        return play


def test_what_stands_on_github_is_as_it_was_reviewed(postgres_binaries: Path, subtests: pytest.Subtests):
    """`postgres_binaries` skips where there are none."""
    played = play()
    assert played.code == 0, played.said
    assert re.findall(r"^✓ (\d+)\. ", played.said, re.MULTILINE) == [str(number) for number in range(1, 15)]
    assert played.left == []
    for number, name in (REVIEWED | DEPLOYED).items():
        with subtests.test(name):
            if WRITES:
                (FOLDER / f"{name}.md").write_text(played.stood[number])
            assert played.stood[number] == reviewed(number)


def play() -> Played:
    """The folder is near the root, as a person's is."""
    played = Played()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="mf-") as folder:
        Path(folder).chmod(0o755)
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        patch.setattr(demo, "steps", played.steps)
        result = CliRunner().invoke(app, ["demo", "--forge", "fake-github", "--once"])
        played.code, played.said = result.exit_code, result.output
        played.left = [*map(str, Path(folder).iterdir()), *processes_in(Path(folder))]
    return played


def reviewed(number: int) -> str:
    file = FOLDER / f"{(REVIEWED | DEPLOYED)[number]}.md"
    return file.read_text() if file.exists() else ""


def settled(stage: Stage, look: Callable[[Stage], str], expected: str) -> str:
    """What stands there once it is as expected, or in the end."""
    deadline = time.monotonic() + SETTLES_WITHIN
    while (stands := look(stage)) != expected and time.monotonic() < deadline:
        time.sleep(0.5)
    return stands


def told(stage: Stage) -> str:
    assert isinstance(stage.hub, AtGitHub)
    hub, git = stage.hub, stage.checkout.git
    shas = git("rev-list", "--reverse", f"main..{BRANCH}").split()

    def ask(path: str) -> Any:
        return hub.ada.ask("GET", f"/repos/{hub.repo}/{path}", Any)

    comments = [one for one in ask("issues/1/comments") if not topic_of(one["body"])]
    parts = ["# Comments", *(f"{one['user']['login']}:\n\n{one['body']}" for one in comments)]
    parts.append(f"# Checks at {shas[-1]}")
    for run in ask(f"commits/{shas[-1]}/check-runs?filter=all")["check_runs"]:
        parts += check(run, ask(f"check-runs/{run['id']}/annotations"))
    parts.append("# Deployments, the latest status of each")
    previews = [one for one in ask("deployments") if one["environment"] != TARGET]
    parts += [deployment(one, ask(f"deployments/{one['id']}/statuses")[0]) for one in previews]
    parts.append(environment(ask, "preview%2Facme%2Fshop%2F1"))
    return varying("\n\n".join(parts) + "\n", shas)


def told_of_main(stage: Stage) -> str:
    """The latest status says all that the others said before."""
    assert isinstance(stage.hub, AtGitHub)
    hub, merged = stage.hub, stage.checkout.main()

    def ask(path: str) -> Any:
        return hub.ada.ask("GET", f"/repos/{hub.repo}/{path}", Any)

    status = ask(f"commits/{merged}/statuses")[0]
    parts = ["# Comment", hub.deployed(1, TARGET), f"# Status of {merged}"]
    parts += [f"{status['context']}: {status['state']}: {status['description']} · {status['target_url']}", "# Check"]
    for run in ask(f"commits/{merged}/check-runs?filter=all")["check_runs"]:
        parts += check(run, ask(f"check-runs/{run['id']}/annotations"))
    deployments = ask(f"deployments?environment={TARGET}")
    parts.append("# Deployments, the latest status of each")
    parts += [deployment(one, ask(f"deployments/{one['id']}/statuses")[0]) for one in deployments]
    shas = stage.checkout.git("rev-list", "--first-parent", "--reverse", merged).split()
    return varying("\n\n".join(parts) + "\n", shas)


def check(run: dict[str, Any], annotations: list[dict[str, Any]]) -> Iterator[str]:
    yield f"## {run['name']}: {run['status']}, {run['conclusion']}: {run['output']['title']}"
    yield f"{run['external_id']} · {run['details_url']}"
    yield run["output"]["summary"]
    for one in annotations:
        place = f"{one['path']}:{one['start_line']}-{one['end_line']}"
        yield f"- {one['annotation_level']} at {place}: {one['title']}: {one['message']}"


def deployment(made: dict[str, Any], latest: dict[str, Any]) -> str:
    kind = "transient" if made["transient_environment"] and not made["production_environment"] else "lasting"
    about = f"{made['sha']} in {made['environment']} ({kind}), {made['task']}: {made['description']}"
    links = " · ".join(filter(None, [latest["environment_url"], latest["log_url"]]))
    return f"- {about}\n  {latest['state']}: {latest['description']}" + (f"\n  {links}" if links else "")


def environment(ask: Callable[[str], Any], name: str) -> str:
    try:
        return f"The environment {ask(f'environments/{name}')['name']} is there."
    except Unmet as unmet:
        return f"The environment: {unmet.seen.partition(' ')[0]}."


def varying(text: str, shas: list[str]) -> str:
    for number, sha in enumerate(shas, start=1):
        text = text.replace(sha, f"<sha {number}>").replace(sha[:7], f"<{number}>")
    for pattern, name in VARYING.items():
        text = re.sub(pattern, name, text)
    return text
