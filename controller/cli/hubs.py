"""Where the demo's pull requests live, and what is seen of them there: the embedded forge. `hub_github` has the other.

                           embedded                        GitHub
-------------------------  ------------------------------  --------------------------------------------
a pull request opens       with the push of its branch     Ada opens it after the push
she is told the URL        by the push                     by the comment
it is merged               she pushes its branch to main   she presses the button
it is given up             its branch is deleted           she closes it
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from controller.adapters.git.forge import GitForge
from controller.cli.beginning import init
from controller.cli.checkout import REMOTE, Checkout
from controller.cli.proof import Unmet
from controller.common.nouns import PreviewKey
from controller.common.words import Conversation
from controller.settings import Home


@dataclass(frozen=True, slots=True)
class OnMain:
    """What a commit of main says of its deploy, in GitHub's words; all of it empty where it says nothing."""

    status: str = ""
    says: str = ""
    """The status, for people."""
    check: str = ""
    deployment: str = ""


class Hub(Protocol):
    """All raise Unmet, Failure or MayflyError."""

    repo: str
    pause: float
    """Seconds between two looks at it, where something is waited for."""
    policy: Mapping[str, Any]
    """What the policy says of it; as `environment`, complete once it is opened."""
    environment: Mapping[str, str]
    """What `mayfly serve` is given besides."""

    def open(self, checkout: Checkout, home: Home, webhooks: str) -> None:
        """Is there from now on: what is committed on `main` stands there, and the checkout has it as its remote."""
        ...

    def push(self, branch: str) -> int:
        """Its pull request, opened where there was none."""
        ...

    def url(self, branch: str) -> str:
        """Of the preview, as Ada is told it."""
        ...

    def reports(self, number: int) -> list[str]:
        """Mayfly's comments on a pull request, but for what targets say there."""
        ...

    def checks(self, number: int, revision: str) -> dict[str, str]:
        """How they stand on a revision, by name, in GitHub's words: its conclusion, or else its status."""
        ...

    def deployment(self, number: int, revision: str) -> str:
        """The latest one's state, in GitHub's words; empty where there is none."""
        ...

    def on_main(self, revision: str, target: str) -> OnMain: ...

    def deployed(self, number: int, target: str) -> str:
        """The comment on a merged pull request that tells of its deploy; empty where there is none."""
        ...

    def finish(self, branch: str) -> None:
        """Its pull request is merged, and the branch deleted."""
        ...

    def close(self, pulls: Mapping[int, str]) -> None:
        """Pull requests, with their branches by number, end unfinished."""
        ...

    def invitation(self) -> str:
        """How whoever plays the demo opens a pull request of their own, in the checkout."""
        ...

    def stop(self) -> None:
        """Ends what `open` started. May be called twice. Raises Unmet where it had something to complain of."""
        ...


class Embedded:
    repo = "shop"
    pause = 0.1

    def __init__(self) -> None:
        self.policy: Mapping[str, Any] = {}
        self.environment: Mapping[str, str] = {}
        self._said: dict[str, str] = {}
        """By the latest push, by branch."""

    def open(self, checkout: Checkout, home: Home, webhooks: str) -> None:
        """`mayfly init`, as a person would."""
        del webhooks
        self._checkout, self._forge = checkout, GitForge(home.forge)
        init(checkout.path, None, force=False)

    def push(self, branch: str) -> int:
        self._said[branch] = self._checkout.git("push", REMOTE, branch)
        pulls = asyncio.run(self._forge.open_pulls(self.repo))
        number = next((pull.key.number for pull in pulls if pull.branch == branch), None)
        if number is None:
            raise Unmet(f"the push of `{branch}` opens a pull request", self._said[branch])
        return number

    def url(self, branch: str) -> str:
        return url_in(self._said[branch], "the push answers with the URL of the preview")

    def reports(self, number: int) -> list[str]:
        return [entry.body for entry in self._conversation(number).entries if entry.sticky and not entry.topic]

    def checks(self, number: int, revision: str) -> dict[str, str]:
        checks = self._conversation(number).checks
        return {check.name: check.status.value for check in checks if check.revision == revision}

    def deployment(self, number: int, revision: str) -> str:
        del revision
        found = self._conversation(number).deployment
        return found.state.value if found else ""

    def on_main(self, revision: str, target: str) -> OnMain:
        said, name = asyncio.run(self._forge.said_of(self.repo, revision)), f"mayfly/{target}"
        status = next((one for one in said.statuses if one.context == name), None)
        check = next((one.status.value for one in said.checks if one.name == name), "")
        deployment = next((one.state.value for one in said.deployments if one.environment == target), "")
        return OnMain(status.state.value, status.description, check, deployment) if status else OnMain()

    def deployed(self, number: int, target: str) -> str:
        topic = f"deploy-{target}"
        return next((entry.body for entry in self._conversation(number).entries if entry.topic == topic), "")

    def finish(self, branch: str) -> None:
        self._checkout.git("push", REMOTE, f"{branch}:main", f":{branch}")

    def close(self, pulls: Mapping[int, str]) -> None:
        self._checkout.git("push", REMOTE, "--delete", *pulls.values())

    def invitation(self) -> str:
        return f"git push {REMOTE} my-branch"

    def stop(self) -> None:
        """No process of its own."""

    def _conversation(self, number: int) -> Conversation:
        return asyncio.run(self._forge.conversation(PreviewKey(self.repo, number)))


def url_in(said: str, expected: str) -> str:
    """The URL of a preview. Raises Unmet, with what was expected, where there is none."""
    found = re.search(r"http://pr-[a-z0-9.:-]+", said)
    if found is None:
        raise Unmet(expected, said)
    return found[0]
