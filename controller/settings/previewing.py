"""How many previews there are, what their specs may do, and where they run on one machine."""

from datetime import timedelta

from pydantic import Field, field_validator

from controller.previews.model import Forks, Verb
from smoke.documents import Duration, Size, Strict


class Limits(Strict):
    """How many previews, and for how long."""

    max_alive: int = Field(30, ge=0)
    """Most previews at once, sleeping ones included; more wait for a place and say so."""
    max_removals: int = Field(5, ge=0)
    """More removals than this in one round stop and ask: a forge that misreads looks like many closed at once."""
    sleep_after: Duration = timedelta(hours=2)
    """Longest idle time before the processes are stopped (the next visit wakes them)."""
    expire_after: Duration = timedelta(days=3)
    """Longest time without a push, command or visit before the preview is removed."""
    max_life: Duration = timedelta(days=14)
    """Nothing lives longer, pinned or not."""
    give_up_after: Duration = timedelta(minutes=15)
    """A preview that did not become ready for this long has failed."""
    quiet_period: Duration = timedelta(milliseconds=350)
    """A push waits this long for another one, so that ten in a row are one deploy."""
    resync: Duration = Field(timedelta(seconds=10), ge=timedelta(seconds=1))
    """How often everything is read again, in case a bell was lost."""


class Allowed(Strict):
    """What a spec may do here."""

    build: bool = True
    command_checks: bool = True
    browser_checks: bool = True
    memory: Size = 2 * 2**30
    """Most memory of one process, in bytes."""
    services: int = Field(10, ge=1)
    """Most services of one preview."""
    forks: Forks | None = None
    """Whether pull requests from forks get previews: `off`; `approve`, each revision once somebody with write
    permission said so; or `on`. Unset: `approve` on a cluster. On one machine only `off`: nothing fences strangers'
    code there."""
    author_may: list[Verb] = []
    """Commands that the author of a pull request may give without write permission (`[checks, wake]`)."""

    @field_validator("author_may")
    @classmethod
    def _none_that_is_for_others(cls, verbs: list[Verb]) -> list[Verb]:
        if theirs := {Verb.APPROVE, Verb.APPROVE_REMOVAL} & set(verbs):
            raise ValueError(f"`{min(theirs)}` is never for the author to say")
        return verbs


class Local(Strict):
    """The embedded platform."""

    path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    """`PATH` of every process of a preview; nothing else of the controller's environment reaches them.
    `mayfly init` writes the one of whoever runs it."""
    log_size: Size = 4 * 2**20
    """Most bytes of one service's log file; two are kept."""
    stop_within: Duration = timedelta(seconds=5)
    """From SIGTERM to SIGKILL."""
    step_timeout: Duration = timedelta(minutes=10)
    """Longest a build, a seed or a migration may take."""
    open_files: int = Field(1024, ge=64)
    file_size: Size = 2 * 2**30
    """Largest file a process may write."""
