"""What a pull request is told once it was merged: whole words, pure.

The comment answers, in this order: how does it stand, where, why, what runs instead, what did the checks say, which
lines matter, and what can I do about any of it.
"""

from collections.abc import Iterator, Mapping

from controller.common.markdown import COMMENT_LIMIT, block, code, fit, inline
from controller.common.nouns import PreviewKey, short
from controller.deploys.commit_report import attempts
from controller.deploys.fate import Stage, fate, named, runs_of
from controller.deploys.model import Case, Release
from controller.deploys.runs import name_of

ICONS = {
    Stage.UNKNOWN: "⚠️",
    Stage.VERIFIED: "✅",
    Stage.RETIRED: "✅",
    Stage.SUPERSEDED: "💤",
    Stage.NOT_RESTORED: "🛑",
    Stage.NOT_MADE: "❌",
    Stage.BAD: "🛑",
    Stage.ROLLED_BACK: "↩️",
}
"""Of the others, something is to come."""
REJECTED = {Stage.NOT_MADE, Stage.BAD, Stage.ROLLED_BACK}


def comments(case: Case, link: str) -> Mapping[PreviewKey, str]:
    """By the pull request that was merged, of its latest release. `link` is the target's page. What is long over is
    left as it was told then: its runs may be forgotten."""
    latest = {release.pull: release for release in case.seen.record.releases}
    return {pull: comment(case, release, link) for pull, release in latest.items() if pull and _is_news(case, release)}


def _is_news(case: Case, release: Release) -> bool:
    back, stage = case.seen.record.rollback, fate(case, release).stage
    older = stage is Stage.ROLLED_BACK and (back is None or back.bad != release.number)
    return not older and stage is not Stage.RETIRED


def comment(case: Case, release: Release, link: str) -> str:
    """At most 65,536 characters. What matters most stands first, so that cutting takes the least."""
    became = fate(case, release)
    line = inline(f"{case.target}: {name_of(release)} {became.line}")
    parts = [f"### {ICONS.get(became.stage, '⏳')} {line}", _where(case, release, link)]
    if became.stage in REJECTED:
        parts += [*_instead(case, release), *_stop(case)]
    elif became.stage is Stage.NOT_RESTORED:
        parts += _stop(case)
    parts += attempts(release, [job for job in runs_of(case, release) if job.run is not None])
    return fit([*parts, *_next(case, release, became.stage)], COMMENT_LIMIT)


def _where(case: Case, release: Release, link: str) -> str:
    place = f"**{case.seen.url}**" if case.seen.url else f"**{inline(case.target)}**"
    live = case.seen.record.running
    runs = f" (it runs {code(name_of(live))})" if live is not None and live is not release else ""
    return f"{place} · `{short(release.revision)}`{runs} · [details]({link})"


def _instead(case: Case, release: Release) -> Iterator[str]:
    back = case.seen.record.rollback
    if back is None or back.bad != release.number:
        return
    to = code(named(case.seen.record, back.to))
    by = "" if back.actor == "mayfly" else f" by {inline(back.actor, 80)}"
    if back.restored is None:
        yield f"**Rolled back{by}** to {to}, which is checked again now."
    elif back.restored:
        yield f"**Rolled back{by}** to {to}, configuration included. {inline(_sentence(back.outcome))}"
    else:
        yield f"**Rolled back{by}** to {to}, and that did not help. {inline(_sentence(back.outcome))}"


def _sentence(outcome: str) -> str:
    return f"{outcome[:1].upper()}{outcome[1:]}." if outcome else ""


def _stop(case: Case) -> list[str]:
    stop = case.seen.record.stop
    if stop is None:
        return []
    told = f"**Stopped:** {inline(stop.because)}. Nothing is deployed or rolled back until somebody says so"
    return [f"{told}:", block("\n".join(stop.commands))] if stop.commands else [f"{told}."]


def _next(case: Case, release: Release, stage: Stage) -> Iterator[str]:
    again = code(f'mayfly redeploy {case.target} --to {release.number} --reason "…"')
    if stage is Stage.BAD and case.seen.record.stop is None:
        yield "It still runs. Push a fix, or go back with " + code(f'mayfly rollback {case.target} --reason "…"') + "."
    elif stage in {Stage.NOT_MADE, Stage.ROLLED_BACK}:
        yield f"`{short(release.revision)}` is not deployed again by itself. Push a fix, or try it once more: {again}."
    elif stage is Stage.UNKNOWN:
        yield "It is left as it is, and its checks are tried again: a check that cannot be run says nothing of it."
