"""A pull request, as the people who work on it see it."""

from typing import TYPE_CHECKING

from tests.fakes.github import checks, render, talk
from tests.fakes.github.git import ZERO, Files
from tests.fakes.github.people import App, User
from tests.fakes.github.things import CheckRun, Comment, Deployment, Status

if TYPE_CHECKING:
    from tests.fakes.github.repositories import Repository


class Pull:
    """`head_repo` is where it comes from; a fork that is gone has `deleted`. `shas`: head and base, if known."""

    def __init__(
        self,
        repo: "Repository",
        head_repo: "Repository",
        branch: str,
        base: str,
        author: User,
        *,
        title: str,
        body: str = "",
        draft: bool = False,
        labels: tuple[str, ...] = (),
        shas: tuple[str, str] = ("", ""),
    ) -> None:
        self.repo, self.head_repo, self.branch, self.base = repo, head_repo, branch, base
        self.author, self.title, self.body, self.draft, self.labels = author, title, body, draft, list(labels)
        self.id, self.number = repo.state.next_id(), repo.number()
        head, base_sha = shas
        self.head = head or head_repo.git.resolve(f"refs/heads/{branch}") or ZERO
        self.heads = [self.head]
        """Every one it had."""
        self.base_sha = base_sha or repo.git.resolve(f"refs/heads/{base}") or ZERO
        self.open, self.merged, self.locked = True, False, False
        self.merged_by: User | None = None
        self.merge_commit: str | None = None
        self.mergeable_state = "clean"
        self.created_at = self.updated_at = repo.state.clock.stamp()
        self.closed_at: str | None = None

    @property
    def key(self) -> str:
        return f"{self.repo.full_name}#{self.number}"

    @property
    def url(self) -> str:
        return f"{self.repo.url}/pull/{self.number}"

    @property
    def from_fork(self) -> bool:
        return self.head_repo is not self.repo

    # What people do.

    def push(self, files: Files, by: User | None = None, message: str = "") -> str:
        return self.head_repo.push(files, self.branch, by or self.author, message)

    def force_push(self, files: Files | None = None, by: User | None = None) -> str:
        content = {f"{self.branch}.txt": f"anew, after {self.head}\n"} if files is None else files
        return self.head_repo.force_push(content, self.branch, by or self.author)

    def comment(self, body: str, by: User | None = None) -> int:
        return talk.comment(self, body, by or self.author).id

    def edit_comment(self, comment: int, body: str, by: User | None = None) -> None:
        found = self.repo.comments[comment]
        talk.edit(self, found, body, by or found.user)

    def delete_comment(self, comment: int, by: User | None = None) -> None:
        found = self.repo.comments[comment]
        talk.delete(self, found, by or found.user)

    def close(self, by: User | None = None) -> None:
        if self.open:
            self.open, self.closed_at = False, self._now()
            self.tell("closed", by)

    def reopen(self, by: User | None = None) -> None:
        """Where its branch has moved meanwhile, it has that head."""
        found = None if self.head_repo.deleted else self.head_repo.git.resolve(f"refs/heads/{self.branch}")
        if self.open or self.merged or found is None:
            raise ValueError(f"{self.key} cannot be reopened")
        self.open, self.closed_at = True, None
        self._take(found)
        self.tell("reopened", by)

    def merge(self, by: User | None = None) -> str:
        """With a merge commit; its sha. Raises ValueError where it conflicts."""
        git, person = self.repo.git, by or self.author
        base = git.resolve(f"refs/heads/{self.base}") or ZERO
        tree = git.merged_tree(base, self.head)
        if tree is None or not self.open:
            raise ValueError(f"{self.key} cannot be merged")
        sha = git.commit_tree(tree, [base, self.head], f"Merge pull request #{self.number}", person.login)
        git.update(f"refs/heads/{self.base}", sha)
        self._merged(sha, person)
        self.repo.moved(f"refs/heads/{self.base}", base, sha, person)
        return sha

    def ready(self, by: User | None = None) -> None:
        self.draft = False
        self.tell("ready_for_review", by)

    def back_to_draft(self, by: User | None = None) -> None:
        self.draft = True
        self.tell("converted_to_draft", by)

    def edit(self, *, title: str | None = None, body: str | None = None, by: User | None = None) -> None:
        self.title = self.title if title is None else title
        self.body = self.body if body is None else body
        self.tell("edited", by)

    def label(self, name: str, by: User | None = None) -> None:
        self.labels.append(name)
        self.tell("labeled", by, label=render.label(self.repo, name))

    def unlabel(self, name: str, by: User | None = None) -> None:
        self.labels.remove(name)
        self.tell("unlabeled", by, label=render.label(self.repo, name))

    def lock(self, by: User | None = None) -> None:
        self.locked = True
        self.tell("locked", by)

    def unlock(self, by: User | None = None) -> None:
        self.locked = False
        self.tell("unlocked", by)

    def rerun(self, check: str, by: User | None = None) -> None:
        """Presses `Re-run` at a check."""
        found = next(run for run in self.checks if run.name == check)
        checks.rerequest_run(self.repo, found, by or self.author)

    def press(self, check: str, action: str, by: User | None = None) -> None:
        """Presses the button of a check that has this identifier."""
        found = next(run for run in self.checks if run.name == check)
        assert action in [known["identifier"] for known in found.actions]
        tell = self.repo.state.tell
        tell.run(self.repo, found, "requested_action", by or self.author, requested_action={"identifier": action})

    def check(self, app: App, name: str, conclusion: str | None = "success") -> CheckRun:
        """Another App says this of the head; without a conclusion it has only begun."""
        return checks.report(self.repo, app, self.head, name, conclusion)

    def status(self, context: str, state: str = "success", by: User | None = None) -> None:
        """Somebody's commit status of the head."""
        stamp = self.repo.state.clock.stamp()
        made = Status(self.repo.state.next_id(), self.head, state, context, None, None, by or self.author, stamp)
        checks.set_status(self.repo, made)

    def rerun_all(self, app: App, by: User | None = None) -> None:
        checks.rerequest_suite(self.repo, checks.suite_of(self.repo, app, self.head), by or self.author)

    # What can be read.

    @property
    def comments(self) -> list[Comment]:
        """Oldest first."""
        return [comment for comment in self.repo.comments.values() if comment.number == self.number]

    def sticky(self, holds: str = "") -> str | None:
        """The one comment of a Bot that holds these words; None: there is none. Two are one too many."""
        found = [one.body for one in self.comments if one.user.type == "Bot" and holds in one.body]
        assert len(found) < 2, f"{len(found)} comments: {found}"
        return found[0] if found else None

    @property
    def checks(self) -> list[CheckRun]:
        """The latest of each name at the head."""
        return checks.latest([run for run in self.repo.check_runs.values() if run.head_sha == self.head])

    @property
    def deployments(self) -> list[Deployment]:
        """Of any head it had, oldest first."""
        return [one for one in self.repo.deployments.values() if one.sha in self.heads]

    @property
    def statuses(self) -> dict[str, str]:
        """Commit statuses of the head: the latest state by context."""
        return {status.context: status.state for status in self.repo.statuses if status.sha == self.head}

    def reactions(self, comment: int) -> list[tuple[str, str]]:
        """(login, content)"""
        return [(reaction.user.login, reaction.content) for reaction in self.repo.comments[comment].reactions]

    # What follows from it.

    def begin(self) -> None:
        self.repo.pulls[self.number] = self
        self._bring(self.head)
        self.tell("opened", self.author)

    def follow(self, head: str, by: User) -> None:
        """Its branch was pushed, or (ZERO) deleted."""
        if head == ZERO:
            self.close(by)
        elif head != self.head:
            before = self.head
            self._take(head)
            self.tell("synchronize", by, before=before, after=head)

    def look_at_base(self, base: str, by: User) -> None:
        """Pushed to the base branch by hand, it counts as merged."""
        if self.head != base and self.repo.git.merge_base(base, self.head) == self.head:
            self._merged(base, by)

    def touch(self) -> None:
        self.updated_at = self._now()

    def tell(self, action: str, by: User | None, **more: object) -> None:
        self.touch()
        self.repo.state.tell.pull(self, action, by or self.author, **more)

    def _merged(self, sha: str, by: User) -> None:
        self.merged, self.merged_by, self.merge_commit = True, by, sha
        self.close(by)

    def _take(self, head: str) -> None:
        if head != self.head:
            self.head = head
            self.base_sha = self.repo.git.resolve(f"refs/heads/{self.base}") or ZERO
            self.heads.append(head)
            self._bring(head)

    def _bring(self, head: str) -> None:
        if self.from_fork:
            source = str(self.head_repo.git.path)
            self.repo.git.run("fetch", "--quiet", "--no-tags", source, f"refs/heads/{self.branch}")
        self.repo.git.update(f"refs/pull/{self.number}/head", head)

    def _now(self) -> str:
        return self.repo.state.clock.stamp()
