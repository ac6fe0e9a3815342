"""Pull request conversations in memory, about the pull requests of `FakeDesk`. Read and change `threads`."""

from dataclasses import replace
from datetime import timedelta

from controller.common.nouns import PreviewKey
from controller.common.words import (
    Annotation,
    CheckReport,
    CheckStatus,
    CommitSaid,
    Conversation,
    DeploymentReport,
    DeploymentState,
    Entry,
)
from controller.errors import Refused, Unavailable
from tests.fakes.desk import READY, FakeDesk
from tests.fakes.examples import a_head

STICKY = """<!-- mayfly shop#7 -->
### ✅ Preview ready · all 3 checks passed

**http://pr-7-shop.localhost:8080** · at `0c1d2e3` · [details](http://localhost:8080/previews/shop/7)

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › home page | ✅ passed | 1 | 120 ms |
| smoke › checkout | ⚠️ flaky: passed on attempt 2 | 2 | 210 ms |

<details><summary>What the first attempt said</summary>

```text
answered 500, wanted 200
<h1>Oops & more</h1>
```

</details>

**Database:** PostgreSQL (104 MB), cloned in 210 ms from the seed `9c1e52` (used again), migrated in 650 ms.

**Expires** on 17 March 2026, unless somebody pushes, commands or visits before. `/preview help` lists all commands.
"""


class FakeConversations:
    """`down` makes every call Unavailable. A comment rings the desk's bell, as it would change the page."""

    def __init__(self, desk: FakeDesk) -> None:
        self.desk = desk
        self.down = ""
        self.threads: dict[PreviewKey, Conversation] = {
            key: Conversation((), (), None) for key, card in desk.world.items() if card.pull
        }
        self.threads[READY] = self._example()
        self.commits: dict[tuple[str, str], CommitSaid] = {}

    async def conversation(self, key: PreviewKey) -> Conversation:
        return self._thread(key)

    async def comment(self, key: PreviewKey, author: str, body: str) -> str:
        thread = self._thread(key)
        number = str(len(thread.entries) + 1)
        entry = Entry(number, author, body, self.desk.now, self.desk.now)
        self.threads[key] = replace(thread, entries=(*thread.entries, entry))
        self.desk.ring(key)
        return number

    async def said_of(self, repo: str, revision: str) -> CommitSaid:
        if self.down:
            raise Unavailable(self.down)
        return self.commits.get((repo, revision), CommitSaid())

    def _thread(self, key: PreviewKey) -> Conversation:
        if self.down:
            raise Unavailable(self.down)
        if key not in self.threads:
            raise Refused(f"there is no pull request {key}")
        return self.threads[key]

    def _example(self) -> Conversation:
        now, head = self.desk.now, a_head(READY)
        said = now - timedelta(minutes=11)
        asked = Entry("2", "grace", "/preview pin\nuntil the demo", now - timedelta(minutes=5), now)
        entries = (
            Entry("1", "mayfly", STICKY, said, now - timedelta(minutes=2), sticky=True),
            replace(asked, updated_at=asked.created_at),
            Entry("3", "mayfly", "**Pinned**, @grace: the clock stands still.", now, now, answers="2"),
        )
        annotation = Annotation("tests/test_shop.py", 41, "checkout › adds up", "expected <b>12</b>, got 11")
        checks = (
            CheckReport("mayfly/smoke", head, CheckStatus.SUCCESS, "passed in 3 s, 1 flaky", STICKY[80:], "a"),
            CheckReport(
                "mayfly/e2e",
                head,
                CheckStatus.FAILURE,
                "e2e failed: checkout",
                "**checkout** failed",
                "b",
                (annotation,),
            ),
        )
        url = "http://pr-7-shop.localhost:8080"
        words = "ready · all 3 checks passed"
        return Conversation(
            entries, checks, DeploymentReport("preview/shop/7", head, DeploymentState.SUCCESS, url, words)
        )
