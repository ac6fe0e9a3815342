"""Comments and reactions: what happens when somebody writes."""

from typing import TYPE_CHECKING

from tests.fakes.github.people import App, User
from tests.fakes.github.things import Comment, Reaction

if TYPE_CHECKING:
    from tests.fakes.github.pulls import Pull


def comment(pull: "Pull", body: str, by: User, app: App | None = None) -> Comment:
    state = pull.repo.state
    now = state.clock.stamp()
    made = Comment(state.next_id(), pull.number, by, body, now, now, app)
    pull.repo.comments[made.id] = made
    pull.touch()
    state.tell.comment(pull, made, "created", by)
    return made


def edit(pull: "Pull", found: Comment, body: str, by: User) -> None:
    """The pull request's own `updated_at` stays, so that nobody relies on it."""
    found.body, found.updated_at = body, pull.repo.state.clock.stamp()
    pull.repo.state.tell.comment(pull, found, "edited", by)


def delete(pull: "Pull", found: Comment, by: User) -> None:
    del pull.repo.comments[found.id]
    pull.repo.state.tell.comment(pull, found, "deleted", by)


def react(pull: "Pull", found: Comment, content: str, by: User) -> tuple[Reaction, bool]:
    """The reaction, and whether it is new: one of each kind and person."""
    for known in found.reactions:
        if known.user is by and known.content == content:
            return known, False
    state = pull.repo.state
    made = Reaction(state.next_id(), by, content, state.clock.stamp())
    found.reactions.append(made)
    return made, True
