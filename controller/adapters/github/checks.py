"""Check runs: what a suite says about a commit. Only an App may write them; a token has `statuses`.

| the latest run of ours with this name and `external_id`             | what is done                         |
| ------------------------------------------------------------------- | ------------------------------------ |
| (there is one of a later order)                                     | nothing: this report comes late      |
| none                                                                | a new run                            |
| it is not over                                                      | it is updated, unless it says so     |
| it is over, and the report is not                                   | a new run                            |
| it is over, with annotations of other words, or more than there are | a new run: they cannot be taken back |
| it is over otherwise                                                | it is updated, unless it says so     |

GitHub adds annotations and takes none back; so those are sent that come after the ones it counts.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum, auto

from pydantic import JsonValue

from controller.adapters.github import limits
from controller.adapters.github.annotations import batches, cleaned
from controller.adapters.github.client import Client, NotThere
from controller.adapters.github.credentials import Credentials
from controller.adapters.github.shapes import Seen
from controller.adapters.github.sound import alike, sound, stamp
from controller.adapters.github.thread import NOW
from controller.common.markdown import inline, one_line
from controller.common.nouns import PreviewKey, short
from controller.common.words import CheckReport, CheckStatus
from controller.errors import Refused

TITLE = 255
"""Characters of a title; GitHub names no limit, and a longer one is not shown whole."""


class Output(Seen):
    title: str | None = None
    summary: str | None = None
    annotations_count: int = 0


class App(Seen):
    slug: str | None = None


class Run(Seen):
    """A check run, as far as it matters here."""

    id: int
    status: str
    conclusion: str | None = None
    external_id: str | None = None
    output: Output = Output()
    app: App | None = None


class Step(Enum):
    NOTHING = auto()
    UPDATE = auto()
    NEW = auto()


class Checks:
    """`page` gives where the dashboard shows a preview. Raises Refused for a revision that GitHub does not know."""

    def __init__(
        self, client: Client, credentials: Credentials, page: Callable[[PreviewKey], str] | None = None
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._page = page

    async def report(self, key: PreviewKey, report: CheckReport) -> None:
        await self.put(key.repo, report, self._page(key) if self._page else "")

    async def put(self, repo: str, report: CheckReport, page: str) -> None:
        """`page` is where its details are; empty where nowhere."""
        if len(report.summary) > limits.OUTPUT:
            count = len(report.summary)
            raise Refused(f"a check's summary has at most {limits.OUTPUT:,} characters; this one has {count:,}")
        try:
            runs = await self._ours(repo, report)
            await self._bring(repo, report, runs, page)
        except NotThere:
            raise Refused(f"{repo} has no revision {short(report.revision)}, or we may not see it") from None

    async def _ours(self, repo: str, report: CheckReport) -> tuple[Run, ...]:
        slug = (await self._credentials.login()).removesuffix("[bot]").casefold()
        path = f"commits/{report.revision}/check-runs"
        runs = await self._client.pages(
            repo, path, Run, of="check_runs", fresh=NOW, check_name=report.name, filter="all"
        )
        return tuple(run for run in runs if run.app is not None and (run.app.slug or "").casefold() == slug)

    async def _bring(self, repo: str, report: CheckReport, runs: Iterable[Run], page: str) -> None:
        runs = sorted(runs, key=lambda run: run.id)
        if any(is_later(run.external_id or "", report.external_id) for run in runs):
            return
        run = next((run for run in reversed(runs) if run.external_id == report.external_id), None)
        annotations = cleaned(report.annotations)
        match next_step(run, report, len(annotations)):
            case Step.NEW:
                await self._send(repo, report, None, annotations, page)
            case Step.UPDATE:
                assert run is not None
                await self._send(repo, report, run.id, annotations[run.output.annotations_count :], page)
            case Step.NOTHING:
                return

    async def _send(self, repo: str, report: CheckReport, run: int | None, more: list[JsonValue], page: str) -> None:
        """The verdict goes with the first request, so that it stands even where a later one is lost."""
        for batch in batches(more):
            body = content(report, batch, page)
            if run is None:
                body |= {"name": report.name, "head_sha": report.revision}
                run = (await self._client.send("POST", repo, "check-runs", body, Run, creates=True)).id
            else:
                await self._client.send("PATCH", repo, f"check-runs/{run}", body, Run, creates=False)


def next_step(run: Run | None, report: CheckReport, annotations: int) -> Step:
    """See the table. `annotations` is how many there are to be."""
    if run is None:
        return Step.NEW
    status, conclusion = verdict(report.status)
    same_words = run.conclusion == conclusion and alike(run.output.title, title(report))
    count = run.output.annotations_count
    if run.status == "completed" and status != "completed":
        return Step.NEW
    if count and (count > annotations or not same_words):
        return Step.NEW
    if same_words and run.status == status and count == annotations and alike(run.output.summary, summary(report)):
        return Step.NOTHING
    return Step.UPDATE


def is_later(there: str, ours: str) -> bool:
    """Whether a run's `external_id` differs from ours in nothing but a higher order, which it ends with (`…:12`)."""
    what, _, order = there.rpartition(":")
    our_what, _, our_order = ours.rpartition(":")
    return what == our_what and order.isdecimal() and our_order.isdecimal() and int(order) > int(our_order)


def content(report: CheckReport, annotations: Sequence[JsonValue], page: str) -> dict[str, JsonValue]:
    """The part of a request that is the same for a new run and for an update."""
    status, conclusion = verdict(report.status)
    output: dict[str, JsonValue] = {"title": title(report), "summary": summary(report)}
    if annotations:
        output["annotations"] = list(annotations)
    return {
        "status": status,
        "external_id": report.external_id,
        "output": output,
        **({"conclusion": conclusion} if conclusion else {}),
        **_moment("started_at", report.started_at),
        **_moment("completed_at", report.completed_at if conclusion else None),
        **({"details_url": page} if page else {}),
    }


def verdict(status: CheckStatus) -> tuple[str, str | None]:
    """GitHub's status and conclusion."""
    match status:
        case CheckStatus.QUEUED | CheckStatus.IN_PROGRESS:
            return status.value, None
        case CheckStatus.SUCCESS | CheckStatus.FAILURE | CheckStatus.ACTION_REQUIRED | CheckStatus.NEUTRAL:
            return "completed", status.value


def title(report: CheckReport) -> str:
    return one_line(report.title, TITLE) or report.name


def summary(report: CheckReport) -> str:
    """GitHub wants one; where there is nothing to add, it is the title."""
    return sound(report.summary) or inline(title(report))


def _moment(name: str, moment: datetime | None) -> dict[str, JsonValue]:
    return {name: stamp(moment)} if moment is not None else {}
