"""The table of `plan`, row by row, and the properties that must hold whatever the world looks like."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.common.nouns import Phase, PreviewKey, Service, ServiceState
from controller.common.spec import SpecProblem
from controller.previews.actions import Ask, Deploy, GiveUp, Hold, Remove, RunChecks, Sleep, Wake
from controller.previews.commands import order_at
from controller.previews.lifetime import expires_at
from controller.previews.model import Awaited, Case, Ending, Forks, Rules, Wishes
from controller.previews.plan import decide, plan
from tests.examples import ABC, CHECKED, DEF, KEY, NOON, SPEC, a_case, a_job, a_preview, a_pull, a_spec

RULES = Rules()
LATER = order_at(NOON)
LATE = Awaited(missing=("build",))
ENDED = Ending(KEY, "nobody pushed, commanded or visited for 3 days", NOON)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(a_case(), Deploy, id="a new pull request gets a preview"),
        pytest.param(a_case(a_pull(pushed_at=NOON)), Hold, id="a push waits for another one"),
        pytest.param(a_case(preview=a_preview(revision=DEF)), Deploy, id="a push redeploys"),
        pytest.param(
            a_case(preview=a_preview(revision=DEF, phase=Phase.STARTING)), Deploy, id="a push supersedes a deploy"
        ),
        pytest.param(
            a_case(preview=a_preview(revision=DEF, phase=Phase.FAILED)), Deploy, id="a push is tried after a failure"
        ),
        pytest.param(
            a_case(preview=a_preview(revision=DEF, phase=Phase.SLEEPING)), Deploy, id="a push wakes with a deploy"
        ),
        pytest.param(a_case(preview=a_preview(phase=Phase.STARTING)), None, id="a deploy under way is left to it"),
        pytest.param(a_case(preview=a_preview(phase=Phase.FAILED)), None, id="a failure is not tried again"),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.STARTING, phase_since=NOON - HOUR)), GiveUp, id="too long a start"
        ),
        pytest.param(a_case(preview=a_preview()), RunChecks, id="a ready preview is checked"),
        pytest.param(a_case(preview=a_preview(jobs=(a_job(run=None),))), None, id="checks under way are left to it"),
        pytest.param(a_case(preview=a_preview(jobs=(a_job("smoke"),))), RunChecks, id="e2e follows smoke"),
        pytest.param(
            a_case(preview=a_preview(jobs=(a_job("smoke", "failed"),))), None, id="e2e does not follow failed smoke"
        ),
        pytest.param(
            a_case(preview=a_preview(jobs=(a_job("smoke", "broken"),))), None, id="e2e does not follow broken smoke"
        ),
        pytest.param(
            a_case(preview=a_preview(jobs=(a_job(revision=DEF),))),
            RunChecks,
            id="checks of another revision say nothing",
        ),
        pytest.param(a_case(preview=a_preview(jobs=CHECKED)), None, id="checked and ready: all is well"),
        pytest.param(
            a_case(preview=a_preview(jobs=CHECKED), wishes=Wishes(check_order=LATER)),
            RunChecks,
            id="checks that are asked for run again",
        ),
        pytest.param(
            a_case(preview=a_preview(jobs=CHECKED), wishes=Wishes(deploy_order=LATER)),
            Deploy,
            id="a redeploy that is asked for",
        ),
        pytest.param(
            a_case(preview=a_preview(jobs=CHECKED, deploy_order=LATER), wishes=Wishes(deploy_order=LATER)),
            None,
            id="a redeploy that was done",
        ),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.FAILED), wishes=Wishes(deploy_order=LATER)),
            Deploy,
            id="a failure is tried again when asked",
        ),
        pytest.param(a_case(a_pull(is_open=False), a_preview()), Remove, id="a closed one is removed"),
        pytest.param(a_case(a_pull(is_open=False)), Hold, id="a closed one without a preview"),
        pytest.param(a_case(a_pull(from_fork=True)), Hold, id="forks get nothing"),
        pytest.param(a_case(a_pull(from_fork=True), a_preview()), Remove, id="one that became a fork's is removed"),
        pytest.param(a_case(preview=a_preview(), wishes=Wishes(down=True, down_by="ada")), Remove, id="taken down"),
        pytest.param(a_case(wishes=Wishes(down=True, down_by="ada")), Hold, id="stays down"),
        pytest.param(a_case(None, a_preview()), None, id="one the forge does not know is kept"),
        pytest.param(
            a_case(None, a_preview(created_at=NOON - 15 * DAY)), Remove, id="one the forge does not know, in the end"
        ),
        pytest.param(a_case(preview=a_preview(phase=Phase.TERMINATING)), Hold, id="one dying is left alone"),
        pytest.param(a_case(spec=SpecProblem("line 3")), Hold, id="a wrong spec makes nothing"),
        pytest.param(
            a_case(preview=a_preview(revision=DEF), spec=SpecProblem("line 3")), Hold, id="a wrong spec changes nothing"
        ),
        pytest.param(a_case(spec=None), Hold, id="a spec that could not be read decides nothing"),
        pytest.param(a_case(a_pull(pushed_at=NOON - 4 * DAY), a_preview()), Remove, id="an idle one expires"),
        pytest.param(a_case(a_pull(pushed_at=NOON - 4 * DAY)), Hold, id="an old branch gets no preview"),
        pytest.param(a_case(ending=ENDED), Hold, id="what expired stays away"),
        pytest.param(
            a_case(a_pull(pushed_at=NOON - timedelta(seconds=1)), ending=replace(ENDED, at=NOON - HOUR)),
            Deploy,
            id="what expired comes back with a push",
        ),
        pytest.param(
            a_case(ending=ENDED, wishes=Wishes(up_order=LATER + 1)), Deploy, id="what expired comes back when asked"
        ),
        pytest.param(
            a_case(preview=a_preview(jobs=CHECKED), wishes=Wishes(rest_order=LATER, resting=True)), Sleep, id="sleep"
        ),
        pytest.param(
            a_case(preview=a_preview(jobs=CHECKED, rest_order=LATER), wishes=Wishes(rest_order=LATER, resting=True)),
            None,
            id="an old sleep order does not hold for ever",
        ),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.SLEEPING, jobs=CHECKED), wishes=Wishes(rest_order=LATER)),
            Wake,
            id="wake",
        ),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.SLEEPING, jobs=CHECKED, last_visit=NOON)), Wake, id="a visit wakes"
        ),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.SLEEPING, jobs=CHECKED, last_visit=NOON - HOUR)),
            None,
            id="a visit before the sleep does not",
        ),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.SLEEPING, jobs=CHECKED), wishes=Wishes(check_order=LATER)),
            Wake,
            id="checks that are asked for wake it",
        ),
        pytest.param(
            a_case(
                a_pull(pushed_at=NOON - 3 * HOUR),
                a_preview(jobs=CHECKED, phase_since=NOON - 3 * HOUR),
            ),
            Sleep,
            id="an idle one sleeps",
        ),
        pytest.param(
            a_case(
                a_pull(pushed_at=NOON - 3 * HOUR),
                a_preview(jobs=(a_job("smoke"), a_job("e2e", None)), phase_since=NOON - 3 * HOUR),
            ),
            None,
            id="not while it is checked",
        ),
        pytest.param(
            a_case(
                a_pull(pushed_at=NOON - 3 * HOUR),
                a_preview(jobs=CHECKED, phase_since=NOON - 3 * HOUR, last_visit=NOON - HOUR),
            ),
            None,
            id="a visit keeps it awake",
        ),
        pytest.param(a_case(a_pull(draft=True), spec=a_spec("trigger: {drafts: false}")), Hold, id="no drafts"),
        pytest.param(a_case(a_pull(author="eve"), spec=a_spec("trigger: {authors: [ada]}")), Hold, id="authors"),
        pytest.param(
            a_case(a_pull(paths=frozenset({"README.md"})), spec=a_spec("trigger: {paths: ['src/**']}")),
            Hold,
            id="paths",
        ),
        pytest.param(
            a_case(a_pull(paths=frozenset({"src/a/b.py"})), spec=a_spec("trigger: {paths: ['src/**']}")),
            Deploy,
            id="paths that match",
        ),
        pytest.param(a_case(spec=a_spec("trigger: {paths: ['src/**']}")), Deploy, id="paths that are not known"),
        pytest.param(a_case(awaited=LATE), Hold, id="a check that is not over"),
        pytest.param(a_case(awaited=Awaited(failed=("build",))), Hold, id="a check that failed"),
        pytest.param(a_case(awaited=Awaited(unread="502")), Hold, id="checks that could not be read"),
        pytest.param(a_case(preview=a_preview(revision=DEF), awaited=LATE), Hold, id="the older one stays meanwhile"),
        pytest.param(
            a_case(preview=a_preview(revision=DEF, phase=Phase.SLEEPING, last_visit=NOON), awaited=LATE),
            Wake,
            id="the older one wakes meanwhile",
        ),
        pytest.param(
            a_case(preview=a_preview(revision=DEF), awaited=LATE, wishes=Wishes(deploy_order=LATER, up_order=LATER)),
            Hold,
            id="nobody can ask it past a check",
        ),
        pytest.param(a_case(a_pull(is_open=False), a_preview(revision=DEF), awaited=LATE), Remove, id="closed waiting"),
    ],
)
def test_one_pull_request(case, expected):
    action = decide(case, RULES, NOON)
    assert (type(action) if action else None) is expected


def test_reasons_are_for_people():
    reasons = {
        "closed": decide(a_case(a_pull(is_open=False), a_preview()), RULES, NOON),
        "merged": decide(a_case(a_pull(is_open=False, merged=True), a_preview()), RULES, NOON),
        "idle": decide(a_case(a_pull(pushed_at=NOON - 4 * DAY), a_preview()), RULES, NOON),
        "old": decide(a_case(preview=a_preview(created_at=NOON - 15 * DAY)), RULES, NOON),
        "down": decide(a_case(preview=a_preview(), wishes=Wishes(down=True, down_by="ada")), RULES, NOON),
        "push": decide(a_case(preview=a_preview(revision=DEF)), RULES, NOON),
        "slow": decide(a_case(preview=a_preview(phase=Phase.STARTING, phase_since=NOON - HOUR)), RULES, NOON),
        "late": decide(a_case(awaited=LATE), RULES, NOON),
        "late, two": decide(a_case(awaited=Awaited(missing=("build", "CI / image"))), RULES, NOON),
        "red": decide(a_case(awaited=Awaited(missing=("lint",), failed=("build",))), RULES, NOON),
        "unread": decide(a_case(awaited=Awaited(unread="GitHub does not work (502)")), RULES, NOON),
    }
    assert {name: action.because for name, action in reasons.items()} == {
        "closed": "the pull request was closed",
        "merged": "the pull request was merged",
        "idle": "nobody pushed, commanded or visited for 3 days",
        "old": "it was 14 days old, the longest that a preview lives here",
        "down": "ada took it down",
        "push": "the preview runs def5678",
        "slow": "it was not ready within 15 min",
        "late": "it waits for the check `build`",
        "late, two": "it waits for the checks `build`, `CI / image`",
        "red": "the check `build` failed; it waits until it has succeeded",
        "unread": "the checks it waits for could not be read: GitHub does not work (502)",
    }


def test_a_deploy_carries_everything_the_platform_needs():
    case = a_case(a_pull(branch="cart"), wishes=Wishes(deploy_order=5, reseed_order=5))
    [action] = plan([case], [], RULES, NOON)
    assert action.order.host == "pr-7-shop"
    assert (action.order.revision, action.order.spec, action.order.branch) == (ABC, SPEC, "cart")
    assert (action.order.order, action.order.fresh_database) == (5, True)


class TestWhenItExpires:
    def test_idle_time_counts_from_the_last_push_command_or_visit(self):
        case = a_case(
            a_pull(pushed_at=NOON - DAY),
            a_preview(last_visit=NOON - HOUR),
            wishes=Wishes(last_at=NOON - 2 * HOUR),
        )
        assert expires_at(case, RULES) == NOON - HOUR + RULES.expire_after

    def test_an_extension_moves_it_and_never_forward(self):
        until = NOON + 5 * DAY
        assert expires_at(a_case(preview=a_preview(), wishes=Wishes(extended_until=until)), RULES) == until
        short = Wishes(extended_until=NOON + HOUR)
        assert expires_at(a_case(a_pull(pushed_at=NOON), a_preview(), wishes=short), RULES) == NOON + 3 * DAY

    def test_a_pin_stops_the_clock_but_not_the_longest_life(self):
        pinned = a_case(a_pull(pushed_at=NOON - 9 * DAY), a_preview(created_at=NOON - 9 * DAY))
        pinned = replace(pinned, wishes=Wishes(pinned_by="ada"))
        assert decide(pinned, RULES, NOON) != Remove
        assert expires_at(pinned, RULES) == NOON + 5 * DAY

    def test_the_spec_tightens_and_never_loosens(self):
        tight = a_case(a_pull(pushed_at=NOON), a_preview(), spec=a_spec("lifetime: {expire_after: 1h}"))
        loose = a_case(a_pull(pushed_at=NOON), a_preview(), spec=a_spec("lifetime: {expire_after: 99 days}"))
        assert expires_at(tight, RULES) == NOON + HOUR
        assert expires_at(loose, RULES) == NOON + 3 * DAY

    def test_the_specs_longest_life_holds_unless_pinned(self):
        case = a_case(a_pull(pushed_at=NOON), a_preview(created_at=NOON), spec=a_spec("lifetime: {max: 1 day}"))
        assert expires_at(case, RULES) == NOON + DAY
        assert expires_at(replace(case, wishes=Wishes(pinned_by="ada")), RULES) == NOON + 14 * DAY


def many(count, **changes):
    keys = [PreviewKey("shop", number) for number in range(1, count + 1)]
    return [a_case(a_pull(key=key, **changes), a_preview(key=key, jobs=CHECKED)) for key in keys]


class TestManyRemovals:
    def test_more_than_the_policy_allows_ask_a_person_and_remove_nothing(self):
        cases = many(20, is_open=False)
        [ask] = plan(cases, [case.preview for case in cases], RULES, NOON)
        assert ask == Ask(
            "20 previews would be removed at once; the policy allows 5", frozenset(case.key for case in cases)
        )

    def test_as_many_as_the_policy_allows_go(self):
        cases = many(5, is_open=False)
        assert [type(one) for one in plan(cases, [case.preview for case in cases], RULES, NOON)] == [Remove] * 5

    def test_what_a_person_took_down_is_not_counted(self):
        cases = [replace(case, wishes=Wishes(down=True, down_by="ada")) for case in many(20)]
        assert [type(one) for one in plan(cases, [case.preview for case in cases], RULES, NOON)] == [Remove] * 20

    def test_a_person_lets_them_go(self):
        cases = [replace(case, wishes=Wishes(removal_approved=LATER)) for case in many(20, is_open=False)]
        assert [type(one) for one in plan(cases, [case.preview for case in cases], RULES, NOON)] == [Remove] * 20

    def test_an_approval_does_not_hold_for_an_environment_made_later(self):
        approved = Wishes(removal_approved=order_at(NOON - DAY))
        cases = [replace(case, wishes=approved) for case in many(20, is_open=False)]
        assert [type(one) for one in plan(cases, [case.preview for case in cases], RULES, NOON)] == [Ask]

    def test_an_empty_list_of_pull_requests_does_not_empty_the_platform(self):
        cases = [replace(case, pull=None) for case in many(20)]
        assert plan(cases, [case.preview for case in cases], RULES, NOON) == []


class TestPlaces:
    def test_the_longest_pushed_take_the_free_places_and_the_others_say_why_they_wait(self):
        new = [
            a_case(a_pull(key=PreviewKey("shop", n), pushed_at=NOON - timedelta(minutes=n)), None) for n in (1, 2, 3)
        ]
        *deployed, held = plan(new, [], Rules(max_alive=2), NOON)
        assert held == Hold(PreviewKey("shop", 1), "all 2 places for previews are taken; it waits for one")
        assert [action.key.number for action in deployed] == [3, 2]

    def test_a_removal_frees_a_place_at_once(self):
        old = a_case(a_pull(key=PreviewKey("shop", 1), is_open=False), a_preview(key=PreviewKey("shop", 1)))
        actions = plan([old, a_case()], [old.preview], Rules(max_alive=1), NOON)
        assert [type(action) for action in actions] == [Remove, Deploy]

    def test_a_preview_that_has_a_place_keeps_it(self):
        alive = [a_preview(revision=DEF), a_preview(key=PreviewKey("shop", 8))]
        assert isinstance(plan([a_case(preview=alive[0])], alive, Rules(max_alive=1), NOON)[0], Deploy)

    def test_two_pull_requests_never_share_a_host_name(self):
        other = a_preview(
            key=PreviewKey("other/shop", 7), services=(Service("web", ServiceState.HEALTHY, "pr-7-shop"),)
        )
        assert plan([a_case()], [other], RULES, NOON) == [
            Hold(KEY, "the host name `pr-7-shop` is taken by other/shop#7")
        ]


FORK = a_pull(from_fork=True)
APPROVED = Wishes(approved=frozenset({ABC}))
OLDER = a_preview(revision=DEF, jobs=CHECKED)
DOZING = a_preview(phase=Phase.SLEEPING, last_visit=NOON)


@pytest.mark.parametrize(
    ("case", "forks", "expected"),
    [
        pytest.param(a_case(FORK), Forks.OFF, Hold, id="off: none is made"),
        pytest.param(a_case(FORK, OLDER), Forks.OFF, Remove, id="off: the one that was there goes"),
        pytest.param(a_case(FORK), Forks.ON, Deploy, id="on: as any other"),
        pytest.param(a_case(FORK), Forks.APPROVE, Hold, id="approve: it waits"),
        pytest.param(a_case(FORK, wishes=APPROVED), Forks.APPROVE, Deploy, id="approve: the approved revision"),
        pytest.param(
            a_case(FORK, wishes=Wishes(approved=frozenset({DEF}))), Forks.APPROVE, Hold, id="another was approved"
        ),
        pytest.param(a_case(FORK, OLDER), Forks.APPROVE, Hold, id="the next push asks again, and what runs stays"),
        pytest.param(
            a_case(FORK, OLDER, wishes=Wishes(deploy_order=LATER)), Forks.APPROVE, Hold, id="redeploy is no way"
        ),
        pytest.param(a_case(FORK, OLDER, spec=SpecProblem("3")), Forks.APPROVE, Hold, id="nor is a wrong spec"),
        pytest.param(
            a_case(FORK, replace(DOZING, revision=DEF)), Forks.APPROVE, Wake, id="a visit wakes what was approved"
        ),
        pytest.param(
            a_case(replace(FORK, pushed_at=NOON - 3 * HOUR), replace(OLDER, phase_since=NOON - 3 * HOUR)),
            Forks.APPROVE,
            Sleep,
            id="what runs still falls asleep",
        ),
        pytest.param(a_case(replace(FORK, is_open=False), OLDER), Forks.APPROVE, Remove, id="a closed one is removed"),
    ],
)
def test_strangers_code_runs_only_as_the_policy_says(case, forks, expected):
    action = decide(case, Rules(forks=forks), NOON)
    assert isinstance(action, expected)
    if expected is Hold and forks is Forks.APPROVE:
        assert action.because == "it comes from a fork, and abc1234 is not approved"


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(
            a_case(a_pull(is_open=False), a_preview(jobs=CHECKED)), type(None), id="closed, it was said before"
        ),
        pytest.param(
            a_case(a_pull(pushed_at=NOON - 4 * DAY), a_preview(jobs=CHECKED, phase_since=NOON - DAY)),
            Sleep,
            id="idle: somebody may have pushed",
        ),
        pytest.param(a_case(), Hold, id="nothing new is made"),
        pytest.param(a_case(preview=OLDER), Hold, id="nothing is moved to a head that may have moved"),
        pytest.param(a_case(preview=a_preview()), RunChecks, id="checks go on"),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.STARTING, phase_since=NOON - HOUR)), GiveUp, id="a start ends"
        ),
        pytest.param(a_case(preview=DOZING), Wake, id="a visit wakes"),
        pytest.param(a_case(None, DOZING), Wake, id="a visit wakes one of which nothing is known"),
        pytest.param(a_case(None, a_preview()), type(None), id="one of which nothing is known is left alone"),
        pytest.param(
            a_case(preview=a_preview(), wishes=Wishes(down=True, down_by="ada")), Remove, id="a person took it down"
        ),
        pytest.param(a_case(preview=a_preview(created_at=NOON - 15 * DAY)), Remove, id="the longest life ends"),
        pytest.param(a_case(spec=None, preview=a_preview()), Hold, id="a spec that is not known changes nothing"),
    ],
)
def test_while_the_forge_cannot_be_read_what_runs_goes_on(case, expected):
    assert isinstance(decide(replace(case, stale=True), Rules(), NOON), expected)


def apply(action, world):
    """A platform in which everything starts at once."""
    match action:
        case Deploy(order):
            old = world.get(order.key)
            made = a_preview(key=order.key, uid=old.uid if old else f"uid-{order.key.number}", revision=order.revision)
            return world | {order.key: replace(made, deploy_order=order.order, created_at=NOON, phase_since=NOON)}
        case RunChecks(key, _, revision, suite, number):
            job = replace(a_job(suite), revision=revision, order=number)
            return world | {key: replace(world[key], jobs=(*world[key].jobs, job))}
        case GiveUp(key):
            return world | {key: replace(world[key], phase=Phase.FAILED)}
        case Sleep(key, _, number):
            return world | {key: replace(world[key], phase=Phase.SLEEPING, phase_since=NOON, rest_order=number)}
        case Wake(key, _, number):
            return world | {key: replace(world[key], phase=Phase.READY, phase_since=NOON, rest_order=number)}
        case Remove(key):
            return {other: preview for other, preview in world.items() if other != key}
        case _:
            return world


def never_starts(action, world):
    """A platform in which nothing ever becomes ready, and what is given up stays so."""
    world = apply(action, world)
    if isinstance(action, Deploy):
        preview = world[action.key]
        world |= {action.key: replace(preview, phase=Phase.STARTING, phase_since=NOON - HOUR)}
    return world


numbers = st.integers(1, 6)
keys = st.builds(PreviewKey, st.just("shop"), numbers)
orders = st.sampled_from([0, LATER - 10, LATER + 10])
wishes = st.builds(
    Wishes,
    down=st.booleans(),
    pinned_by=st.sampled_from(["", "ada"]),
    deploy_order=orders,
    check_order=orders,
    up_order=orders,
    rest_order=orders,
    resting=st.booleans(),
    approved=st.sampled_from([frozenset(), frozenset({ABC})]),
)
pulls = st.builds(
    a_pull,
    key=keys,
    head=st.sampled_from([ABC, DEF]),
    is_open=st.booleans(),
    from_fork=st.booleans(),
    pushed_at=st.sampled_from([NOON - timedelta(minutes=1), NOON - 3 * HOUR, NOON - 4 * DAY]),
)
previews = st.builds(
    a_preview,
    key=keys,
    revision=st.sampled_from([ABC, DEF]),
    phase=st.sampled_from([Phase.READY, Phase.STARTING, Phase.FAILED, Phase.SLEEPING]),
    phase_since=st.sampled_from([NOON - timedelta(minutes=1), NOON - HOUR]),
    last_visit=st.sampled_from([None, NOON - timedelta(seconds=1)]),
    jobs=st.sampled_from([(), CHECKED, (a_job("smoke", "failed"),)]),
)
awaits = st.sampled_from([Awaited(), LATE, Awaited(failed=("build",)), Awaited(unread="502")])
worlds = st.tuples(
    st.dictionaries(keys, st.tuples(pulls, wishes, st.booleans(), st.booleans(), awaits)),
    st.lists(previews, unique_by=lambda preview: preview.key),
)
LOOSE = Rules(max_removals=99, forks=Forks.APPROVE)


def cases_of(open_pulls, world):
    """What `look` would read: every pull request, and every preview whose pull request the forge does not know."""
    found = {
        key: Case(
            key,
            replace(pull, key=key),
            world.get(key),
            SPEC if good else SpecProblem("3"),
            wish,
            stale=stale,
            awaited=Awaited() if key in world and world[key].revision == pull.head else awaited,
        )
        for key, (pull, wish, good, stale, awaited) in open_pulls.items()
    }
    return [*found.values(), *(Case(key, None, world[key]) for key in world.keys() - found.keys())]


@given(worlds, st.integers(0, 9))
def test_a_plan_cut_short_after_any_action_still_converges(some, cut):
    open_pulls, some_previews = some
    world = {preview.key: preview for preview in some_previews}
    for action in plan(cases_of(open_pulls, world), world.values(), LOOSE, NOON)[:cut]:  # killed here
        world = apply(action, world)
    for _ in range(6):
        for action in plan(cases_of(open_pulls, world), world.values(), LOOSE, NOON):
            world = apply(action, world)
    rest = plan(cases_of(open_pulls, world), world.values(), LOOSE, NOON)
    assert [action for action in rest if not isinstance(action, Hold)] == []


@given(worlds)
def test_it_converges_in_a_world_where_nothing_ever_starts(some):
    open_pulls, some_previews = some
    world = {preview.key: preview for preview in some_previews}
    for _ in range(6):
        for action in plan(cases_of(open_pulls, world), world.values(), LOOSE, NOON):
            world = never_starts(action, world)
    rest = plan(cases_of(open_pulls, world), world.values(), LOOSE, NOON)
    assert [action for action in rest if not isinstance(action, Hold)] == []


@given(worlds)
def test_what_nobody_approved_is_never_deployed_checked_or_woken_for_its_checks(some):
    open_pulls, some_previews = some
    world = {preview.key: preview for preview in some_previews}
    for action in plan(cases_of(open_pulls, world), world.values(), LOOSE, NOON):
        if isinstance(action, Deploy | RunChecks):
            pull, wish, *_ = open_pulls[action.key]
            assert not pull.from_fork or pull.head in wish.approved
            assert not isinstance(action, Deploy) or action.order.fork == pull.from_fork


@given(worlds)
def test_what_waits_for_a_check_is_not_deployed_and_what_runs_stays(some):
    open_pulls, some_previews = some
    world = {preview.key: preview for preview in some_previews}
    cases = {case.key: case for case in cases_of(open_pulls, world)}
    for action in plan(cases.values(), world.values(), LOOSE, NOON):
        if isinstance(action, Deploy):
            assert cases[action.key].awaited == Awaited()
        if isinstance(action, Remove):
            assert decide(replace(cases[action.key], awaited=Awaited()), LOOSE, NOON) == action


@given(worlds, st.integers(0, 4))
def test_never_more_new_previews_than_places(some, limit):
    open_pulls, _ = some
    actions = plan(cases_of(open_pulls, {}), [], Rules(max_alive=limit, forks=Forks.ON), NOON)
    assert sum(isinstance(action, Deploy) for action in actions) <= limit


@given(worlds, st.integers(0, 6))
def test_nothing_is_removed_without_evidence(some, limit):
    open_pulls, some_previews = some
    world = {preview.key: preview for preview in some_previews}
    unread = {key: value for key, value in open_pulls.items() if key.number > limit}  # a half-read list
    removed = {
        action.key for action in plan(cases_of(unread, world), world.values(), LOOSE, NOON) if type(action) is Remove
    }
    assert all(key in unread for key in removed)
