"""Observed states of workloads, each with what `kubectl rollout status` answers: `waits` (it goes on), `done`, or
`error`. A row states what differs from a workload that is rolled out."""

import pytest

from controller.deploys.model import RolloutState
from controller.deploys.rollout import COMPLETE, DEADLINE, DaemonSet, Deployment, Standing, StatefulSet, overall
from controller.deploys.rollout import rollout_status as status

ANSWERS = {
    "waits": RolloutState.PROGRESSING,
    "done": RolloutState.COMPLETE,
    "error": RolloutState.FAILED,
}


def a_deployment(**changes):
    known = {"generation": 4, "observed": 4, "wanted": 3, "replicas": 3, "updated": 3, "available": 3}
    return Deployment("web", **known | {"progressing": "NewReplicaSetAvailable"} | changes)


def a_stateful_set(**changes):
    known = {"generation": 4, "observed": 4, "wanted": 3, "ready": 3, "updated": 3, "rolling": True, "partition": 0}
    return StatefulSet("db", **known | {"current_revision": "db-b", "update_revision": "db-b"} | changes)


def an_undetailed(**changes):
    """A StatefulSet without `rollingUpdate`, whose revisions count."""
    return a_stateful_set(**{"rolling": False, "partition": None} | changes)


def a_daemon_set(**changes):
    return DaemonSet("agent", **{"generation": 4, "observed": 4, "wanted": 3, "updated": 3, "available": 3} | changes)


@pytest.mark.parametrize(
    ("workload", "answer", "says"),
    [
        pytest.param(a_deployment(), "done", "", id="deployment"),
        pytest.param(a_deployment(observed=5), "done", "", id="deployment, observed later"),
        pytest.param(a_deployment(generation=5), "waits", "not seen", id="deployment, not observed"),
        pytest.param(
            a_deployment(generation=5, progressing=DEADLINE),
            "waits",
            "not seen",
            id="an old deadline, not observed yet",
        ),
        pytest.param(a_deployment(progressing=DEADLINE), "error", "deadline", id="deadline, though all are there"),
        pytest.param(a_deployment(progressing=DEADLINE, updated=1), "error", "deadline", id="deadline before updated"),
        pytest.param(a_deployment(progressing="ReplicaSetUpdated"), "done", "", id="the reason alone does not wait"),
        pytest.param(a_deployment(progressing=""), "done", "", id="no condition"),
        pytest.param(a_deployment(updated=2), "waits", "2 of 3 new pods are there", id="one is not updated"),
        pytest.param(
            a_deployment(updated=1, replicas=4, available=0), "waits", "1 of 3 new pods are there", id="updated first"
        ),
        pytest.param(a_deployment(replicas=5), "waits", "2 old pods have", id="two old ones end"),
        pytest.param(a_deployment(replicas=4, available=1), "waits", "1 old pod has", id="old ones before available"),
        pytest.param(a_deployment(available=2), "waits", "2 of 3 new pods are available", id="one is not available"),
        pytest.param(
            a_deployment(wanted=None, updated=0, replicas=0, available=0), "done", "", id="no number of replicas"
        ),
        pytest.param(a_deployment(wanted=0, updated=0, replicas=0, available=0), "done", "", id="scaled to nothing"),
        pytest.param(a_deployment(wanted=0, updated=0, replicas=2), "waits", "2 old pods", id="scaling to nothing"),
        pytest.param(a_deployment(wanted=2), "done", "", id="more updated than wanted"),
        pytest.param(Deployment("web"), "waits", "not seen", id="made just now"),
        pytest.param(a_stateful_set(), "done", "", id="stateful set"),
        pytest.param(a_stateful_set(strategy="OnDelete"), "error", "OnDelete", id="stateful set, on delete"),
        pytest.param(
            a_stateful_set(strategy="OnDelete", generation=5), "error", "OnDelete", id="on delete before observed"
        ),
        pytest.param(a_stateful_set(generation=5), "waits", "not seen", id="stateful set, not observed"),
        pytest.param(a_stateful_set(generation=0, observed=0), "waits", "not seen", id="stateful set, never observed"),
        pytest.param(a_stateful_set(ready=2), "waits", "2 of 3 pods are ready", id="one is not ready"),
        pytest.param(a_stateful_set(ready=2, updated=1), "waits", "are ready", id="ready before updated"),
        pytest.param(a_stateful_set(updated=2), "waits", "2 of 3 new pods", id="one is not updated, partition 0"),
        pytest.param(a_stateful_set(partition=2, updated=1), "done", "", id="those above the partition are updated"),
        pytest.param(a_stateful_set(partition=1, updated=1), "waits", "1 of 2 new pods", id="one above it is not"),
        pytest.param(a_stateful_set(partition=5, updated=0), "done", "", id="a partition above all"),
        pytest.param(
            a_stateful_set(current_revision="db-a"), "done", "", id="with a partition revisions are not compared"
        ),
        pytest.param(a_stateful_set(partition=None, updated=0), "done", "", id="rollingUpdate without a partition"),
        pytest.param(a_stateful_set(wanted=None, ready=0, updated=0), "done", "", id="stateful set, no number"),
        pytest.param(an_undetailed(), "done", "", id="no rollingUpdate, one revision"),
        pytest.param(an_undetailed(current_revision="db-a", updated=1), "waits", "db-b", id="two revisions"),
        pytest.param(an_undetailed(updated=1), "done", "", id="no rollingUpdate: updated does not count"),
        pytest.param(a_daemon_set(), "done", "", id="daemon set"),
        pytest.param(a_daemon_set(strategy="OnDelete"), "error", "OnDelete", id="daemon set, on delete"),
        pytest.param(a_daemon_set(generation=5), "waits", "not seen", id="daemon set, not observed"),
        pytest.param(
            a_daemon_set(updated=2, available=1), "waits", "2 of 3 new pods are there", id="not on every node"
        ),
        pytest.param(
            a_daemon_set(available=2), "waits", "2 of 3 new pods are available", id="not available everywhere"
        ),
        pytest.param(a_daemon_set(wanted=0, updated=0, available=0), "done", "", id="no node wants it"),
    ],
)
def test_a_rollout_is_judged_as_kubectl_does(workload, answer, says):
    standing = status(workload)
    assert standing.state is ANSWERS[answer]
    assert says in standing.message
    assert bool(standing.message) is (answer != "done")


GOES_ON, FAILED = Standing(RolloutState.PROGRESSING, "it goes on"), Standing(RolloutState.FAILED, "it failed")


@pytest.mark.parametrize(
    ("standings", "whole"),
    [([], COMPLETE), ([COMPLETE, COMPLETE], COMPLETE), ([COMPLETE, GOES_ON], GOES_ON), ([GOES_ON, FAILED], FAILED)],
)
def test_a_set_is_as_far_as_what_is_behind_and_failed_once_one_is(standings, whole):
    assert overall(standings) == whole
