"""What the controller may do in a cluster: what the chart grants is what the documentation gives a reason for."""

import re
from pathlib import Path

from controller.adapters.kubernetes import kinds as known
from tests.charts.rendering import Obj, one, rendered

PAGE = Path(__file__).parents[2] / "docs" / "kubernetes.md"
OWN = "own manifests"
Right = tuple[str, str, str]
"""API group, resource, verb."""


def granted(rules: list[Obj]) -> set[Right]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def explained(*, own_manifests: bool) -> set[Right]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.read_text().splitlines()]
    group = re.compile(r"core|apps|batch|autoscaling|policy|[a-z.0-9]+\.k8s\.io")
    table = [row for row in rows if len(row) == 4 and group.fullmatch(row[0])]
    assert len(table) > 10
    assert all(why for *_, why in table)
    return {
        ("" if group == "core" else group, resource.strip(), verb.strip())
        for group, resources, verbs, why in table
        if own_manifests or why != OWN
        for resource in resources.split(",")
        for verb in verbs.split(",")
    }


def test_every_right_has_its_reason_and_every_reason_its_right() -> None:
    objects = rendered()

    assert granted(one(objects, "ClusterRole", "tools-mayfly")["rules"]) == explained(own_manifests=True)


def test_without_own_manifests_their_rights_are_not_granted() -> None:
    objects = rendered({"rbac": {"ownManifests": False}})

    assert granted(one(objects, "ClusterRole", "tools-mayfly")["rules"]) == explained(own_manifests=False)


def test_nothing_is_granted_that_gives_more_rights() -> None:
    objects = rendered()
    rights = granted(one(objects, "ClusterRole", "tools-mayfly")["rules"]) | granted(one(objects, "Role")["rules"])

    forbidden = {"*", "escalate", "bind", "impersonate", "deletecollection"}
    assert not {verb for *_, verb in rights} & forbidden
    assert not {resource for _, resource, _ in rights} & {"*", "roles", "clusterroles", "pods/exec", "nodes"}
    assert ("", "secrets", "list") not in rights


def test_what_is_kept_in_memory_may_be_listed_and_watched() -> None:
    rights = granted(one(rendered(), "ClusterRole", "tools-mayfly")["rules"])

    for kind in (known.NAMESPACE, known.DEPLOYMENT, known.JOB, known.POD):
        group = kind.api_version.rpartition("/")[0]
        assert {(group, kind.plural, "list"), (group, kind.plural, "watch")} <= rights


def test_in_its_own_namespace_it_may_hold_the_lease_and_read_pull_secrets() -> None:
    role = one(rendered(), "Role")

    assert role["metadata"]["namespace"] == "tools"
    assert granted(role["rules"]) == {
        ("coordination.k8s.io", "leases", "get"),
        ("coordination.k8s.io", "leases", "watch"),
        ("coordination.k8s.io", "leases", "create"),
        ("coordination.k8s.io", "leases", "patch"),
        ("", "secrets", "get"),
    }


def test_the_rights_are_given_to_the_account_of_the_controller() -> None:
    objects = rendered({"serviceAccount": {"name": "previewer"}})

    account = [{"kind": "ServiceAccount", "name": "previewer", "namespace": "tools"}]
    assert one(objects, "ClusterRoleBinding", "tools-mayfly")["subjects"] == account
    assert one(objects, "RoleBinding")["subjects"] == account
    assert one(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "previewer"
