"""Pull requests at GitHub, Ada's as anybody's: she pushes by HTTP and does the rest through the API."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import JsonValue

from controller.adapters.github.markers import topic_of
from controller.cli.checkout import REMOTE, Checkout
from controller.cli.fake_github import APP, PERSON, FakeGitHub
from controller.cli.hubs import OnMain, url_in
from controller.cli.person import Answer, CheckRuns, Comment, CommitStatus, Deployment, Person, Pull, Status
from controller.cli.proof import until
from controller.settings import WEBHOOK_SECRET, Home

TOLD_WITHIN = 60
"""Seconds from the push to the first comment."""


class AtGitHub:
    """The GitHub is a fake one, which nothing here relies on but `open` and `stop`."""

    repo = "acme/shop"
    pause = 0.5
    """A look costs up to three requests, and a person has 900 a minute.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
    """

    def __init__(self) -> None:
        self.policy: Mapping[str, Any] = {}
        self.environment: Mapping[str, str] = {}
        self.ada = Person("", "")
        self._numbers: dict[str, int] = {}
        """Of pull requests, by branch."""
        self._github: FakeGitHub | None = None

    def open(self, checkout: Checkout, home: Home, webhooks: str) -> None:
        self._checkout = checkout
        self._github = FakeGitHub(checkout.path.parent / "github", webhooks)
        about = self._github.start()
        self.repo, token = about.repository, about.tokens[PERSON]
        self.ada = Person(about.api, token)
        self.policy = {
            "forge": "github",
            "github": {"api": about.api, "app_id": APP, "private_key_file": str(self._github.key)},
        }
        self.environment = {WEBHOOK_SECRET: self._github.secret, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        where = urlsplit(about.url)
        checkout.git("remote", "add", REMOTE, f"{where.scheme}://{PERSON}:{token}@{where.netloc}/{self.repo}.git")
        checkout.git("push", "--quiet", "--force", REMOTE, "main")
        home.path.mkdir()

    def push(self, branch: str) -> int:
        self._checkout.git("push", "--quiet", REMOTE, branch)
        if branch not in self._numbers:
            title = self._checkout.git("log", "-1", "--format=%s", branch).strip()
            opened = self._ask("POST", "pulls", Pull, {"title": title, "head": branch, "base": "main"})
            self._numbers[branch] = opened.number
        return self._numbers[branch]

    def url(self, branch: str) -> str:
        said = ""

        def missing() -> str:
            nonlocal said
            said = "\n".join(self.reports(self._numbers[branch]))
            return "" if "http://pr-" in said else said or "no comment"

        expected = "a comment tells the URL of the preview"
        until(expected, TOLD_WITHIN, missing, self.pause)
        return url_in(said, expected)

    def reports(self, number: int) -> list[str]:
        return self._comments(number, "")

    def checks(self, number: int, revision: str) -> dict[str, str]:
        del number
        runs = self._ask("GET", f"commits/{revision}/check-runs", CheckRuns).check_runs
        return {run.name: run.conclusion or run.status for run in runs}

    def deployment(self, number: int, revision: str) -> str:
        del number
        return self._deployment(f"sha={revision}")

    def on_main(self, revision: str, target: str) -> OnMain:
        name = f"mayfly/{target}"
        statuses = self._ask("GET", f"commits/{revision}/statuses", list[CommitStatus])
        mine = [status for status in statuses if status.context == name]
        if not mine:
            return OnMain()
        latest = max(mine, key=lambda status: status.id)
        deployment = self._deployment(f"sha={revision}&environment={target}")
        return OnMain(latest.state, latest.description, self.checks(0, revision).get(name, ""), deployment)

    def deployed(self, number: int, target: str) -> str:
        return "\n\n".join(self._comments(number, f"deploy-{target}"))

    def finish(self, branch: str) -> None:
        """As with the button; then the branch goes, as with the other one."""
        self._ask("PUT", f"pulls/{self._numbers[branch]}/merge", dict[str, JsonValue], {})
        self._checkout.git("push", "--quiet", REMOTE, "--delete", branch)

    def close(self, pulls: Mapping[int, str]) -> None:
        for number in pulls:
            self._ask("PATCH", f"pulls/{number}", Pull, {"state": "closed"})

    def invitation(self) -> str:
        wanted = json.dumps({"title": "My change", "head": "my-branch", "base": "main"})
        headers = f"-H 'Authorization: Bearer {self.ada.token}' -H 'Content-Type: application/json'"
        return f"git push {REMOTE} my-branch && curl {headers} -d '{wanted}' {self.ada.api}/repos/{self.repo}/pulls"

    def stop(self) -> None:
        if self._github is not None:
            self._github.stop()

    def _comments(self, number: int, topic: str) -> list[str]:
        comments = self._ask("GET", f"issues/{number}/comments", list[Comment])
        return [one.body for one in comments if one.user.type == "Bot" and topic_of(one.body) == topic]

    def _deployment(self, which: str) -> str:
        """The state of the latest one."""
        deployments = self._ask("GET", f"deployments?{which}", list[Deployment])
        if not deployments:
            return ""
        latest = max(one.id for one in deployments)
        statuses = self._ask("GET", f"deployments/{latest}/statuses", list[Status])
        return max(statuses, key=lambda status: status.id).state if statuses else ""

    def _ask(self, method: str, path: str, answer: type[Answer], body: Mapping[str, JsonValue] | None = None) -> Answer:
        return self.ada.ask(method, f"/repos/{self.repo}/{path}", answer, body)
