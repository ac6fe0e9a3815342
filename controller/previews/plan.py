"""Which previews to make, change, check and remove.

What the forge, the platform, the spec and people say of each pull request comes in; a list of actions comes out, each
with its reason. Nothing here reads a clock, a network or a setting: whatever a decision depends on is an argument.
Creating and reaping are one decision, so they cannot disagree. The first row that fits decides.

    pull request                    preview                     action
    ------------------------------  --------------------------  -----------------------------------------
    any                             terminating                 Hold (wait for the platform)
    unknown to the forge            any                         none, until its longest life is over (visited: Wake)
    read last before an outage      any                         what runs is looked after; nothing new or removed
    closed, taken down, excluded,   any                         Remove (too many at once: Ask)
      or its time is up             none                        Hold, with the reason
    open, of a fork, not approved   any                         Hold (ask for approval); what runs stays
    open, its spec is wrong         any                         Hold, with the line; what runs stays
    open, pushed a moment ago       none, or at another commit  Hold (another push may follow)
    open, a check of `after` has    none, or at another commit  Hold (for the check); what runs stays
      not succeeded
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
from datetime import datetime
from fnmatch import fnmatchcase

from controller.common.nouns import CheckJob, Phase, PreviewKey, short
from controller.common.spec import Spec, Trigger
from controller.previews.actions import Action, Ask, Deploy, GiveUp, Hold, Remove, RunChecks, Sleep, Wake
from controller.previews.commands import order_at
from controller.previews.hosts import host_label
from controller.previews.lifetime import last_activity, sleep_after, why_over
from controller.previews.model import Case, DeployOrder, Forks, Preview, PullRequest, Rules
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
        return Remove(case.key, preview.uid, unwanted) if preview else Hold(case.key, unwanted, quiet=_unasked(case))
    if pull is None:
        return _wake(case, preview) if preview else None
    if needs_approval(case, rules):
        return _keep(case, rules, now) or Hold(
            case.key, f"it comes from a fork, and {short(pull.head)} is not approved"
        )
    if not isinstance(case.spec, Spec):
        because = case.spec.text if case.spec else "its spec could not be read yet"
        quiet = case.spec is not None and case.spec.absent and _unasked(case)
        return _keep(case, rules, now) or Hold(case.key, because, quiet=quiet)
    if preview is None or preview.revision != pull.head:
        if case.stale:
            return _keep(case, rules, now) or Hold(case.key, "the forge cannot be read")
        return _deploy_when_quiet(case, pull, case.spec, rules, now)
    if case.wishes.deploy_order > preview.deploy_order:
        return Deploy(_order(case, pull, case.spec), "a person asked for it")
    return _tend(case, preview, case.spec, rules, now)


def _unasked(case: Case) -> bool:
    """It never had a preview, and nobody ever asked for one: its people need not hear of previews at all."""
    return case.preview is None and case.ending is None and case.wishes.last_at is None


def needs_approval(case: Case, rules: Rules) -> bool:
    """Its head is strangers' code that nobody with write permission has let run."""
    pull = case.pull
    if pull is None or not pull.from_fork:
        return False
    return rules.forks is Forks.APPROVE and pull.head not in case.wishes.approved


def _deploy_when_quiet(case: Case, pull: PullRequest, spec: Spec, rules: Rules, now: datetime) -> Action:
    quiet_at = pull.pushed_at + rules.quiet_period
    if now < quiet_at:
        return Hold(case.key, "it was pushed a moment ago; another push may follow", quiet_at)
    if waits := why_waiting(case):
        return _keep(case, rules, now) or Hold(case.key, waits)
    if case.preview is None:
        return Deploy(_order(case, pull, spec), "the pull request has no preview yet")
    return Deploy(_order(case, pull, spec), f"the preview runs {short(case.preview.revision)}")


def why_waiting(case: Case) -> str:
    """Why the head is not deployed yet; empty means that it waits for no check, whatever else it waits for."""
    awaited = case.awaited
    if awaited.unread:
        return f"the checks it waits for could not be read: {awaited.unread}"
    if awaited.failed:
        return f"{_checks(awaited.failed)} failed; it waits until {_they(awaited.failed)} succeeded"
    return f"it waits for {_checks(awaited.missing)}" if awaited.missing else ""


def _checks(names: Sequence[str]) -> str:
    return f"the check{'s' * (len(names) > 1)} {', '.join(f'`{name}`' for name in names)}"


def _they(names: Sequence[str]) -> str:
    return "they have" if len(names) > 1 else "it has"


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


def _keep(case: Case, rules: Rules, now: datetime) -> Action | None:
    """What a preview needs where nothing is to be deployed or checked: to sleep and to wake."""
    preview = case.preview
    if preview is None or preview.phase not in {Phase.READY, Phase.SLEEPING}:
        return None
    return _rest(case, preview) or _wake(case, preview) or _doze(case, preview, rules, now)


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
        if suite and order_at(preview.phase_since) < case.wishes.checks_since(suite):
            return Wake(case.key, preview.uid, preview.rest_order, "its checks were asked for")
        return _wake(case, preview)
    if suite:
        because = "it became ready" if suite == next(iter(spec.checks.suites())) else "the suite before it passed"
        return RunChecks(case.key, preview.uid, preview.revision, suite, case.wishes.checks_since(suite), because)
    return _doze(case, preview, rules, now)


def _wake(case: Case, preview: Preview) -> Action | None:
    visited = preview.last_visit is not None and preview.last_visit > preview.phase_since
    if preview.phase is Phase.SLEEPING and visited:
        return Wake(case.key, preview.uid, preview.rest_order, "somebody visited it")
    return None


def _doze(case: Case, preview: Preview, rules: Rules, now: datetime) -> Action | None:
    idle = sleep_after(case, rules)
    if preview.phase is not Phase.READY or now - max(last_activity(case), preview.phase_since) <= idle:
        return None
    if _checking(case, preview):
        return None
    return Sleep(case.key, preview.uid, preview.rest_order, f"nobody came for {format_duration(idle)}")


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
        if (job.suite, job.revision) == (suite, preview.revision) and job.order >= case.wishes.checks_since(suite)
    ]
    return jobs[-1] if jobs else None


def _checking(case: Case, preview: Preview) -> bool:
    return any(job.run is None for job in preview.jobs if job.revision == preview.revision)


def why_unwanted(case: Case, rules: Rules, now: datetime) -> str:
    """Why there should be no preview; empty means that there should, or that nothing proves otherwise."""
    pull, wishes = case.pull, case.wishes
    if pull is not None and wishes.down and pull.is_open:
        return f"{wishes.down_by} took it down"
    if pull is None or case.stale:
        return why_over(case, rules, now)
    if not pull.is_open:
        return why_closed(pull)
    if pull.from_fork and rules.forks is Forks.OFF:
        return "pull requests from forks get no preview here"
    if isinstance(case.spec, Spec) and (excluded := _why_excluded(pull, case.spec.trigger)):
        return excluded
    if case.preview is None and case.ending is not None and not _came_back(case, pull):
        return case.ending.because
    return why_over(case, rules, now)


def why_closed(pull: PullRequest) -> str:
    return "the pull request was merged" if pull.merged else "the pull request was closed"


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
        fork=pull.from_fork,
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
