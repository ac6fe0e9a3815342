"""Which previews to make, change, check and remove.

What the forge, the platform, the spec and people say of each pull request comes in; a list of actions comes out, each
with its reason. Nothing here reads a clock, a network or a setting: whatever a decision depends on is an argument.
Creating and reaping are one decision, so they cannot disagree. The first row that fits decides.

    pull request                    preview                     action
    ------------------------------  --------------------------  -----------------------------------------
    any                             terminating                 Hold (wait for the platform)
    unknown to the forge            any                         none, until its longest life is over
    closed, taken down, excluded,   any                         Remove (too many at once: Ask)
      or its time is up             none                        Hold, with the reason
    open, its spec is wrong         any                         Hold, with the line; what runs stays
    open, pushed a moment ago       none, or at another commit  Hold (another push may follow)
    open, at abc                    none                        Deploy abc (no free place: Hold)
    open, at abc                    at 123, whatever phase      Deploy abc
    open, at abc, redeploy asked    at abc, older order         Deploy abc again
    open, at abc                    starting for too long       GiveUp
    open, at abc                    starting or failed at abc   none (until the next push or order)
    open, at abc, sleep asked       ready or asleep             Sleep
    open, at abc, wake asked        ready or asleep             Wake
    open, at abc                    asleep, visited since       Wake
    open, at abc                    ready, a suite not yet run  RunChecks (e2e once smoke has passed)
    open, at abc, idle              ready                       Sleep
    open, at abc                    ready and checked           none
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from controller.previews.commands import order_at
from controller.previews.hosts import host_label
from controller.previews.model import (
    Action,
    Ask,
    Case,
    CheckJob,
    Deploy,
    DeployOrder,
    GiveUp,
    Hold,
    Phase,
    Preview,
    PreviewKey,
    PullRequest,
    Remove,
    Rules,
    RunChecks,
    Sleep,
    Wake,
    short,
)
from controller.previews.spec import Spec, Trigger
from smoke.documents import format_duration
from smoke.model import Outcome


def plan(cases: Iterable[Case], alive: Iterable[Preview], rules: Rules, now: datetime) -> list[Action]:
    """The actions for `cases`, removals first. `alive` is every preview there is, whether its case is here or not."""
    known = tuple(cases)
    actions = [action for case in known if (action := decide(case, rules, now)) is not None]
    by_key = {case.key: case for case in known}
    removals, ask = _removals([action for action in actions if isinstance(action, Remove)], by_key, rules)
    others = [action for action in actions if not isinstance(action, Remove)]
    gone = {removal.uid for removal in removals}
    staying = [preview for preview in alive if preview.uid not in gone]
    return [*ask, *removals, *_with_places(others, staying, by_key, rules)]


def decide(case: Case, rules: Rules, now: datetime) -> Action | None:
    """The one thing to do for one pull request, were it alone. None: all is as it should be."""
    preview, pull = case.preview, case.pull
    if preview is not None and preview.phase is Phase.TERMINATING:
        return Hold(case.key, preview.reason or "the old preview is being removed")
    if unwanted := why_unwanted(case, rules, now):
        return Remove(case.key, preview.uid, unwanted) if preview else Hold(case.key, unwanted)
    if pull is None:
        return None
    if not isinstance(case.spec, Spec):
        return Hold(case.key, case.spec.text if case.spec else "its spec could not be read yet")
    if preview is None or preview.revision != pull.head:
        return _deploy_when_quiet(case, pull, case.spec, rules, now)
    if case.wishes.deploy_order > preview.deploy_order:
        return Deploy(_order(case, pull, case.spec), "a person asked for it")
    return _tend(case, preview, case.spec, rules, now)


def _deploy_when_quiet(case: Case, pull: PullRequest, spec: Spec, rules: Rules, now: datetime) -> Action:
    quiet_at = pull.pushed_at + rules.quiet_period
    if now < quiet_at:
        return Hold(case.key, "it was pushed a moment ago; another push may follow", quiet_at)
    if case.preview is None:
        return Deploy(_order(case, pull, spec), "the pull request has no preview yet")
    return Deploy(_order(case, pull, spec), f"the preview runs {short(case.preview.revision)}")


def _tend(case: Case, preview: Preview, spec: Spec, rules: Rules, now: datetime) -> Action | None:
    """What a preview at the right revision needs."""
    match preview.phase:
        case Phase.STARTING if now - preview.phase_since > rules.give_up_after:
            because = f"it was not ready within {format_duration(rules.give_up_after)}"
            return GiveUp(case.key, preview.uid, preview.revision, because)
        case Phase.STARTING | Phase.FAILED | Phase.TERMINATING:
            return None
        case Phase.READY | Phase.SLEEPING:
            return _rest(case, preview) or _use(case, preview, spec, rules, now)


def _rest(case: Case, preview: Preview) -> Action | None:
    wishes = case.wishes
    if wishes.rest_order <= preview.rest_order:
        return None
    if wishes.resting:
        return Sleep(case.key, preview.uid, wishes.rest_order, "a person asked for it")
    return Wake(case.key, preview.uid, wishes.rest_order, "a person asked for it")


def _use(case: Case, preview: Preview, spec: Spec, rules: Rules, now: datetime) -> Action | None:
    suite = next_suite(case, preview, spec)
    if preview.phase is Phase.SLEEPING:
        if preview.last_visit is not None and preview.last_visit > preview.phase_since:
            return Wake(case.key, preview.uid, preview.rest_order, "somebody visited it")
        if suite and order_at(preview.phase_since) < case.wishes.check_order:
            return Wake(case.key, preview.uid, preview.rest_order, "its checks were asked for")
        return None
    if suite:
        because = "it became ready" if suite == next(iter(spec.checks.suites())) else "the suite before it passed"
        return RunChecks(case.key, preview.uid, preview.revision, suite, case.wishes.check_order, because)
    idle = sleep_after(case, rules)
    if now - max(last_activity(case), preview.phase_since) > idle and not _checking(case, preview):
        return Sleep(case.key, preview.uid, preview.rest_order, f"nobody came for {format_duration(idle)}")
    return None


def next_suite(case: Case, preview: Preview, spec: Spec) -> str:
    """The suite to start now; empty while one runs, after one did not pass, and when all have run."""
    for suite in spec.checks.suites():
        job = current_job(case, preview, suite)
        if job is None:
            return suite
        if job.run is None or job.run.outcome is not Outcome.PASSED:
            return ""
    return ""


def current_job(case: Case, preview: Preview, suite: str) -> CheckJob | None:
    """The run of a suite that speaks for what the preview is now: of its revision, and not older than the order."""
    jobs = [
        job
        for job in preview.jobs
        if (job.suite, job.revision) == (suite, preview.revision) and job.order >= case.wishes.check_order
    ]
    return jobs[-1] if jobs else None


def _checking(case: Case, preview: Preview) -> bool:
    return any(job.run is None for job in preview.jobs if job.revision == preview.revision)


def why_unwanted(case: Case, rules: Rules, now: datetime) -> str:
    """Why there should be no preview; empty means that there should, or that nothing proves otherwise."""
    pull, wishes = case.pull, case.wishes
    if pull is None:
        return _why_over(case, rules, now)
    if not pull.is_open:
        return "the pull request was merged" if pull.merged else "the pull request was closed"
    if pull.from_fork and not rules.forks:
        return "pull requests from forks get no preview here"
    if wishes.down:
        return f"{wishes.down_by} took it down"
    if isinstance(case.spec, Spec) and (excluded := _why_excluded(pull, case.spec.trigger)):
        return excluded
    if case.preview is None and case.ending is not None and not _came_back(case, pull):
        return case.ending.because
    return _why_over(case, rules, now)


def _why_excluded(pull: PullRequest, trigger: Trigger) -> str:
    if pull.draft and not trigger.drafts:
        return "drafts get no preview (`trigger.drafts` in `.preview.yaml`)"
    if trigger.authors and pull.author not in trigger.authors:
        return "its author is not among `trigger.authors` in `.preview.yaml`"
    if trigger.paths and pull.paths is not None and not _touches(pull.paths, trigger.paths):
        return "it changes nothing under `trigger.paths` in `.preview.yaml`"
    return ""


def _touches(paths: Iterable[str], globs: Iterable[str]) -> bool:
    return any(fnmatchcase(path, glob) for path in paths for glob in globs)


def _came_back(case: Case, pull: PullRequest) -> bool:
    """Something happened since the last one ended that asks for a new one."""
    assert case.ending is not None
    return pull.pushed_at > case.ending.at or case.wishes.up_order > order_at(case.ending.at)


def _why_over(case: Case, rules: Rules, now: datetime) -> str:
    ends = expires_at(case, rules)
    if ends is None or now <= ends:
        return ""
    longest = _life_over_at(case, rules)
    if longest is not None and now > longest:
        age = format_duration(_longest_life(case, rules))
        return f"it was {age} old, the longest that a preview lives here"
    return f"nobody pushed, commanded or visited for {format_duration(_expire_after(case, rules))}"


def expires_at(case: Case, rules: Rules) -> datetime | None:
    """When the preview will be removed if nothing happens; None where nothing will."""
    ends = [_life_over_at(case, rules), _idle_over_at(case, rules)]
    return min((end for end in ends if end is not None), default=None)


def _idle_over_at(case: Case, rules: Rules) -> datetime | None:
    if case.pull is None or case.wishes.pinned_by:
        return None
    idle_over = last_activity(case) + _expire_after(case, rules)
    return max(idle_over, case.wishes.extended_until or idle_over)


def _life_over_at(case: Case, rules: Rules) -> datetime | None:
    return case.preview.created_at + _longest_life(case, rules) if case.preview else None


def _longest_life(case: Case, rules: Rules) -> timedelta:
    if case.wishes.pinned_by:
        return rules.max_life
    return _tighter(rules.max_life, case.spec.lifetime.max if isinstance(case.spec, Spec) else None)


def _expire_after(case: Case, rules: Rules) -> timedelta:
    return _tighter(rules.expire_after, case.spec.lifetime.expire_after if isinstance(case.spec, Spec) else None)


def sleep_after(case: Case, rules: Rules) -> timedelta:
    return _tighter(rules.sleep_after, case.spec.lifetime.sleep_after if isinstance(case.spec, Spec) else None)


def _tighter(policy: timedelta, spec: timedelta | None) -> timedelta:
    return policy if spec is None else min(policy, spec)


def last_activity(case: Case) -> datetime:
    """The last push, command, or visit by a person. Our own checks do not count."""
    moments = [
        case.pull.pushed_at if case.pull else None,
        case.wishes.last_at,
        case.preview.last_visit if case.preview else None,
    ]
    return max(moment for moment in moments if moment is not None)


def _order(case: Case, pull: PullRequest, spec: Spec) -> DeployOrder:
    seeded = case.preview.deploy_order if case.preview else 0
    return DeployOrder(
        key=case.key,
        revision=pull.head,
        spec=spec,
        host=host_label(spec.url, number=case.key.number, repo=case.key.repo, service=spec.main_service),
        order=case.wishes.deploy_order,
        fresh_database=case.wishes.reseed_order > seeded,
        branch=pull.branch,
    )


def _removals(removals: list[Remove], by_key: dict[PreviewKey, Case], rules: Rules) -> tuple[list[Remove], list[Ask]]:
    """All of them, or only what a person decided and a question about the rest: many at once look like a misreading."""
    doubtful = [removal for removal in removals if not _decided(by_key[removal.key])]
    if len(doubtful) <= rules.max_removals:
        return removals, []
    because = f"{len(doubtful)} previews would be removed at once; the policy allows {rules.max_removals}"
    sure = [removal for removal in removals if removal not in doubtful]
    return sure, [Ask(because, frozenset(removal.key for removal in doubtful))]


def _decided(case: Case) -> bool:
    """A person wants this very preview gone."""
    assert case.preview is not None
    return case.wishes.down or case.wishes.removal_approved > order_at(case.preview.created_at)


def _with_places(
    actions: Sequence[Action], alive: list[Preview], by_key: dict[PreviewKey, Case], rules: Rules
) -> list[Action]:
    """New previews take the free places and host names, the longest pushed first; the others hold, and say so."""
    hosts = {service.host: preview.key for preview in alive for service in preview.services if service.host}
    taken = {preview.key for preview in alive}
    kept: list[Action] = [action for action in actions if not isinstance(action, Deploy)]
    held: list[Action] = []
    deploys = [action for action in actions if isinstance(action, Deploy)]
    for deploy in sorted(deploys, key=lambda one: (_pushed_at(by_key[one.key]), one.key)):
        if (owner := hosts.setdefault(deploy.order.host, deploy.key)) != deploy.key:
            held.append(Hold(deploy.key, f"the host name `{deploy.order.host}` is taken by {owner}"))
        elif deploy.key not in taken and len(taken) >= rules.max_alive:
            held.append(Hold(deploy.key, f"all {rules.max_alive} places for previews are taken; it waits for one"))
        else:
            taken.add(deploy.key)
            kept.append(deploy)
    return kept + held


def _pushed_at(case: Case) -> datetime:
    assert case.pull is not None  # nothing is deployed for a pull request that was not read
    return case.pull.pushed_at
