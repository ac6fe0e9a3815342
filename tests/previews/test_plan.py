"""The table of `plan`, row by row, and the properties that must hold whatever the world looks like."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.previews.commands import order_at
from controller.previews.model import (
    Ask,
    Case,
    Deploy,
    Ending,
    GiveUp,
    Hold,
    Phase,
    PreviewKey,
    Remove,
    Rules,
    RunChecks,
    Service,
    ServiceState,
    Sleep,
    SpecProblem,
    Wake,
    Wishes,
)
from controller.previews.plan import decide, expires_at, plan
from tests.examples import ABC, CHECKED, DEF, KEY, NOON, SPEC, a_case, a_job, a_preview, a_pull, a_spec

RULES = Rules()
LATER = order_at(NOON)
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
    }
    assert {name: action.because for name, action in reasons.items()} == {
        "closed": "the pull request was closed",
        "merged": "the pull request was merged",
        "idle": "nobody pushed, commanded or visited for 3 days",
        "old": "it was 14 days old, the longest that a preview lives here",
        "down": "ada took it down",
        "push": "the preview runs def5678",
        "slow": "it was not ready within 15 min",
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
worlds = st.tuples(
    st.dictionaries(keys, st.tuples(pulls, wishes, st.booleans())),
    st.lists(previews, unique_by=lambda preview: preview.key),
)
LOOSE = Rules(max_removals=99)


def cases_of(open_pulls, world):
    """What `look` would read: every pull request, and every preview whose pull request the forge does not know."""
    found = {
        key: Case(key, replace(pull, key=key), world.get(key), SPEC if good else SpecProblem("line 3"), wish)
        for key, (pull, wish, good) in open_pulls.items()
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


@given(worlds, st.integers(0, 4))
def test_never_more_new_previews_than_places(some, limit):
    open_pulls, _ = some
    actions = plan(cases_of(open_pulls, {}), [], Rules(max_alive=limit), NOON)
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
