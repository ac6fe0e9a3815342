"""What an API server does, asked of ours and (marker `cluster`) of a real one: this keeps the fake honest."""

import asyncio
import base64
import os
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.cluster import FakeCluster
from tests.fakes.cluster.resources import (
    ACCOUNT,
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    LEASE,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    QUOTA,
    SECRET,
    Obj,
)
from tests.fakes.cluster.wire import STRATEGIC, Wire, connected, told

pytestmark = pytest.mark.processes

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cluster)])
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Wire]:
    if request.param == "real":
        if "KUBECONFIG" not in os.environ:
            pytest.skip("no cluster: KUBECONFIG is not set")
        async with connected(Path(os.environ["KUBECONFIG"])) as wire:
            yield wire
        return
    async with (
        FakeCluster(bookmark_every=0.05) as cluster,
        connected(cluster.kubeconfig(tmp_path / "kubeconfig")) as wire,
    ):
        yield wire


@pytest.fixture
async def wire(anywhere: Wire) -> AsyncIterator[Wire]:
    """With a namespace of its own."""
    anywhere.namespace = f"honest-{uuid.uuid4().hex[:8]}"
    await anywhere.create(NAMESPACE, named(anywhere.namespace))
    yield anywhere
    await anywhere.delete(NAMESPACE, anywhere.namespace)


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    async with FakeCluster() as cluster:
        yield cluster


@pytest.fixture
async def fake(cluster: FakeCluster, tmp_path: Path) -> AsyncIterator[Wire]:
    """What only ours can be made to do."""
    async with connected(cluster.kubeconfig(tmp_path / "kubeconfig")) as wire:
        wire.namespace = "shop"
        await wire.create(NAMESPACE, named("shop"))
        yield wire


def named(name: str, **metadata: Any) -> Obj:
    return {"metadata": {"name": name, **metadata}}


def config(name: str = "config", data: dict[str, str] | None = None, **metadata: Any) -> Obj:
    return named(name, **metadata) | {"data": data or {}}


def container(name: str = "web", image: str = "registry.test/shop:1", **more: Any) -> Obj:
    return {"name": name, "image": image, **more}


def deployment(*containers: Obj, replicas: int | None = 0) -> Obj:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": list(containers or [container()])}}
    spec: Obj = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    return named("web") | {"spec": spec | ({} if replicas is None else {"replicas": replicas})}


def owners(obj: Obj) -> dict[str, Obj]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def causes(status: Obj) -> list[str]:
    return [cause["reason"] for cause in status["details"]["causes"]]


async def until(wire: Wire, resource: Any, name: str, wanted: Callable[[Obj], bool]) -> Obj:
    async with asyncio.timeout(30):
        while not wanted(found := await wire.get(resource, name)):
            await asyncio.sleep(0.05)
    return found


async def gone(wire: Wire, resource: Any, name: str) -> None:
    await until(wire, resource, name, lambda found: found.get("reason") == "NotFound")


class TestObjects:
    async def test_one_of_the_same_name_exists_already(self, wire: Wire) -> None:
        assert (await wire.create(CONFIG_MAP, config()))[0] == 201
        status, answer = await wire.create(CONFIG_MAP, config())
        assert (status, answer["reason"]) == (409, "AlreadyExists")

    async def test_a_generated_name_begins_as_asked(self, wire: Wire) -> None:
        _, made = await wire.create(CONFIG_MAP, {"metadata": {"generateName": "config-"}})
        assert made["metadata"]["name"].startswith("config-")
        assert len(made["metadata"]["name"]) == len("config-") + 5

    async def test_nothing_is_made_where_there_is_no_such_namespace(self, wire: Wire) -> None:
        path = "/api/v1/namespaces/there-is-no-such-one/configmaps"
        status, answer = await wire.send("POST", path, told(CONFIG_MAP, config()))
        assert (status, answer["reason"]) == (404, "NotFound")
        assert answer["message"] == 'namespaces "there-is-no-such-one" not found'

    async def test_a_put_with_an_older_version_is_a_conflict(self, wire: Wire) -> None:
        _, first = await wire.create(CONFIG_MAP, config())
        path = wire.path(CONFIG_MAP, "config")
        assert (await wire.send("PUT", path, first | {"data": {"a": "1"}}))[0] == 200
        status, answer = await wire.send("PUT", path, first | {"data": {"a": "2"}})
        assert (status, answer["reason"]) == (409, "Conflict")
        assert "the object has been modified" in answer["message"]

    async def test_a_lease_is_not_put_without_its_version(self, wire: Wire) -> None:
        await wire.create(LEASE, named("leader") | {"spec": {"holderIdentity": "a"}})
        body = told(LEASE, named("leader") | {"spec": {"holderIdentity": "b"}})
        status, answer = await wire.send("PUT", wire.path(LEASE, "leader"), body)
        assert (status, causes(answer)) == (422, ["FieldValueInvalid"])

    async def test_a_patch_with_an_older_version_is_a_conflict(self, wire: Wire) -> None:
        _, first = await wire.create(CONFIG_MAP, config())
        version = first["metadata"]["resourceVersion"]
        change = {"metadata": {"resourceVersion": version, "annotations": {"a": "1"}}}
        assert (await wire.patch(CONFIG_MAP, "config", change))[0] == 200
        status, answer = await wire.patch(CONFIG_MAP, "config", change)
        assert (status, answer["reason"]) == (409, "Conflict")

    async def test_a_patch_for_another_uid_is_invalid(self, wire: Wire) -> None:
        await wire.create(CONFIG_MAP, config())
        change = {"metadata": {"uid": str(uuid.uuid4()), "annotations": {"a": "1"}}}
        status, answer = await wire.patch(CONFIG_MAP, "config", change)
        assert (status, {cause["field"] for cause in answer["details"]["causes"]}) == (422, {"metadata.uid"})

    async def test_a_merge_patch_with_null_removes(self, wire: Wire) -> None:
        await wire.create(CONFIG_MAP, config(annotations={"a": "1", "b": "2"}))
        _, changed = await wire.patch(CONFIG_MAP, "config", {"metadata": {"annotations": {"a": None, "c": "3"}}})
        assert changed["metadata"]["annotations"] == {"b": "2", "c": "3"}

    async def test_a_write_that_changes_nothing_makes_no_version(self, wire: Wire) -> None:
        _, first = await wire.create(CONFIG_MAP, config(data={"a": "1"}))
        _, second = await wire.patch(CONFIG_MAP, "config", {"data": {"a": "1"}})
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    async def test_a_strategic_patch_knows_containers_by_name(self, wire: Wire) -> None:
        await wire.create(DEPLOYMENT, deployment(container("web"), container("side")))
        change = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "registry.test/side:2"}]}}}}
        _, changed = await wire.patch(DEPLOYMENT, "web", change, STRATEGIC)
        found = {one["name"]: one["image"] for one in changed["spec"]["template"]["spec"]["containers"]}
        assert found == {"web": "registry.test/shop:1", "side": "registry.test/side:2"}

    async def test_a_generation_counts_changes_of_what_is_wanted_only(self, wire: Wire) -> None:
        await wire.create(NETWORK_POLICY, named("deny") | {"spec": {"podSelector": {}}})
        _, labelled = await wire.patch(NETWORK_POLICY, "deny", {"metadata": {"labels": {"a": "1"}}})
        _, changed = await wire.patch(NETWORK_POLICY, "deny", {"spec": {"policyTypes": ["Ingress", "Egress"]}})
        assert [found["metadata"]["generation"] for found in (labelled, changed)] == [1, 2]

    async def test_a_deployment_s_generation_counts_its_annotations_too(self, wire: Wire) -> None:
        _, made = await wire.create(DEPLOYMENT, deployment())
        _, annotated = await wire.patch(DEPLOYMENT, "web", {"metadata": {"annotations": {"a": "1"}}})
        assert annotated["metadata"]["generation"] > made["metadata"]["generation"]

    async def test_a_status_is_only_written_at_its_own_path(self, wire: Wire) -> None:
        _, made = await wire.create(
            QUOTA, named("quota") | {"spec": {"hard": {"pods": "7"}}, "status": {"hard": {"pods": "9"}}}
        )
        assert made.get("status", {}) == {}

    async def test_a_dry_run_answers_and_changes_nothing(self, wire: Wire) -> None:
        path = wire.path(CONFIG_MAP)
        status, made = await wire.send("POST", path, told(CONFIG_MAP, config()), dryRun="All")
        assert (status, made["metadata"]["name"]) == (201, "config")
        assert (await wire.get(CONFIG_MAP, "config"))["reason"] == "NotFound"

    @pytest.mark.parametrize("resource", [SECRET, CONFIG_MAP])
    async def test_what_is_immutable_stays_as_it_is(self, wire: Wire, resource: Any) -> None:
        await wire.create(resource, named("frozen") | {"data": {"a": "MQ=="}, "immutable": True})
        status, answer = await wire.patch(resource, "frozen", {"data": {"a": "Mg=="}})
        assert (status, answer["reason"], causes(answer)) == (422, "Invalid", ["FieldValueForbidden"])
        assert "field is immutable when `immutable` is set" in answer["message"]
        assert (await wire.patch(resource, "frozen", {"metadata": {"labels": {"a": "1"}}}))[0] == 200

    async def test_a_secret_s_plain_text_is_encoded(self, wire: Wire) -> None:
        _, made = await wire.create(SECRET, named("secret") | {"stringData": {"a": "1"}})
        assert (made["data"], made["type"]) == ({"a": base64.b64encode(b"1").decode()}, "Opaque")
        assert "stringData" not in made

    async def test_the_template_of_a_job_stays_as_it_is(self, wire: Wire) -> None:
        spec = {"template": {"spec": {"containers": [container()], "restartPolicy": "Never"}}, "suspend": True}
        await wire.create(JOB, named("seed") | {"spec": spec})
        change = {"spec": {"template": {"spec": {"containers": [container(image="registry.test/shop:2")]}}}}
        status, answer = await wire.patch(JOB, "seed", change)
        assert (status, causes(answer)) == (422, ["FieldValueInvalid"])
        assert "field is immutable" in answer["message"]

    @pytest.mark.parametrize("value", ["a blank", "-a", "x" * 64])
    async def test_a_label_that_is_none_is_refused(self, wire: Wire, value: str) -> None:
        status, answer = await wire.create(CONFIG_MAP, config(labels={"a": value}))
        assert (status, causes(answer)) == (422, ["FieldValueInvalid"])

    async def test_a_selector_that_misses_its_own_template_is_refused(self, wire: Wire) -> None:
        wrong = deployment()
        wrong["spec"]["selector"] = {"matchLabels": {"app": "another"}}
        status, answer = await wire.create(DEPLOYMENT, wrong)
        assert (status, causes(answer)) == (422, ["FieldValueInvalid"])

    async def test_a_version_in_what_is_to_be_made_is_refused(self, wire: Wire) -> None:
        status, answer = await wire.create(CONFIG_MAP, config(resourceVersion="1"))
        assert (status, answer["message"]) == (500, "resourceVersion should not be set on objects to be created")


class TestApply:
    async def test_the_first_apply_makes_it_and_owns_what_it_says(self, wire: Wire) -> None:
        status, made = await wire.apply(CONFIG_MAP, config(data={"a": "1"}, labels={"l": "1"}), "us")
        assert status == 201
        assert owners(made) == {"us": {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:l": {}}}}}

    async def test_the_same_apply_again_makes_no_version(self, wire: Wire) -> None:
        _, first = await wire.apply(DEPLOYMENT, deployment(), "us")
        status, second = await wire.apply(DEPLOYMENT, deployment(), "us")
        assert (status, second["metadata"]["generation"]) == (200, 1)
        assert owners(second)["us"] == owners(first)["us"]

    async def test_another_value_of_somebody_else_s_field_is_a_conflict(self, wire: Wire) -> None:
        await wire.apply(CONFIG_MAP, config(data={"a": "1"}), "them")
        status, answer = await wire.apply(CONFIG_MAP, config(data={"a": "2"}), "us")
        assert (status, causes(answer)) == (409, ["FieldManagerConflict"])
        [cause] = answer["details"]["causes"]
        assert (cause["message"], cause["field"]) == ('conflict with "them"', ".data.a")

    async def test_the_same_value_is_owned_by_both(self, wire: Wire) -> None:
        await wire.apply(CONFIG_MAP, config(data={"a": "1"}), "them")
        status, both = await wire.apply(CONFIG_MAP, config(data={"a": "1"}), "us")
        assert (status, owners(both)["us"], owners(both)["them"]) == (
            200,
            {"f:data": {"f:a": {}}},
            {"f:data": {"f:a": {}}},
        )
        _, left = await wire.apply(CONFIG_MAP, config(data={}), "them")
        assert left["data"] == {"a": "1"}

    async def test_force_takes_the_field_from_them(self, wire: Wire) -> None:
        await wire.apply(CONFIG_MAP, config(data={"a": "1", "b": "1"}), "them")
        status, taken = await wire.apply(CONFIG_MAP, config(data={"a": "2"}), "us", force="true")
        assert (status, taken["data"]) == (200, {"a": "2", "b": "1"})
        assert (owners(taken)["us"], owners(taken)["them"]) == ({"f:data": {"f:a": {}}}, {"f:data": {"f:b": {}}})

    async def test_what_is_not_applied_any_more_is_removed(self, wire: Wire) -> None:
        await wire.apply(CONFIG_MAP, config(data={"a": "1", "b": "1"}), "us")
        await wire.patch(CONFIG_MAP, "config", {"data": {"c": "1"}}, fieldManager="them")
        _, left = await wire.apply(CONFIG_MAP, config(data={"b": "1"}), "us")
        assert left["data"] == {"b": "1", "c": "1"}

    async def test_a_patch_by_somebody_takes_the_field_it_changes(self, wire: Wire) -> None:
        await wire.apply(CONFIG_MAP, config(data={"a": "1"}), "us")
        await wire.patch(CONFIG_MAP, "config", {"data": {"a": "2"}}, fieldManager="kubectl-edit")
        status, answer = await wire.apply(CONFIG_MAP, config(data={"a": "1"}), "us")
        assert status == 409
        assert 'conflict with "kubectl-edit"' in answer["message"]

    async def test_containers_ports_and_variables_are_known_by_their_keys(self, wire: Wire) -> None:
        ours = container(env=[{"name": "A", "value": "1"}], ports=[{"containerPort": 8000}])
        await wire.apply(DEPLOYMENT, deployment(ours), "us")
        theirs = {"name": "web", "env": [{"name": "B", "value": "2"}]}
        status, both = await wire.apply(DEPLOYMENT, deployment(theirs, replicas=None), "them")
        [found] = both["spec"]["template"]["spec"]["containers"]
        assert status == 200
        assert {variable["name"]: variable["value"] for variable in found["env"]} == {"A": "1", "B": "2"}
        assert 'k:{"containerPort":8000,"protocol":"TCP"}' in str(owners(both)["us"])
        changed = container(env=[{"name": "C", "value": "3"}])
        _, left = await wire.apply(DEPLOYMENT, deployment(changed), "us")
        [found] = left["spec"]["template"]["spec"]["containers"]
        assert {variable["name"] for variable in found["env"]} == {"B", "C"}
        assert not found.get("ports")

    async def test_a_container_that_is_not_applied_any_more_goes(self, wire: Wire) -> None:
        await wire.apply(DEPLOYMENT, deployment(container("web"), container("side")), "us")
        _, left = await wire.apply(DEPLOYMENT, deployment(container("web")), "us")
        assert [found["name"] for found in left["spec"]["template"]["spec"]["containers"]] == ["web"]

    async def test_replicas_left_out_are_left_to_who_owns_them(self, wire: Wire) -> None:
        await wire.apply(DEPLOYMENT, deployment(replicas=None), "us")
        await wire.patch(DEPLOYMENT, "web", {"spec": {"replicas": 0}}, fieldManager="autoscaler")
        status, left = await wire.apply(
            DEPLOYMENT, deployment(container(image="registry.test/shop:2"), replicas=None), "us"
        )
        assert (status, left["spec"]["replicas"]) == (200, 0)

    async def test_an_apply_with_an_older_version_is_a_conflict(self, wire: Wire) -> None:
        _, first = await wire.apply(CONFIG_MAP, config(data={"a": "1"}), "us")
        await wire.apply(CONFIG_MAP, config(data={"a": "2"}), "us")
        version = first["metadata"]["resourceVersion"]
        status, answer = await wire.apply(CONFIG_MAP, config(data={"a": "3"}, resourceVersion=version), "us")
        assert (status, answer["reason"]) == (409, "Conflict")
        assert not answer["details"].get("causes")

    async def test_an_apply_for_another_uid_is_invalid(self, wire: Wire) -> None:
        await wire.apply(CONFIG_MAP, config(), "us")
        status, answer = await wire.apply(CONFIG_MAP, config(uid=str(uuid.uuid4())), "us")
        assert (status, {cause["field"] for cause in answer["details"]["causes"]}) == (422, {"metadata.uid"})

    async def test_an_apply_for_one_that_is_gone_makes_no_other(self, wire: Wire) -> None:
        status, answer = await wire.apply(CONFIG_MAP, config(uid=str(uuid.uuid4())), "us")
        assert (status, answer["reason"]) == (409, "Conflict")

    async def test_a_status_has_owners_of_its_own(self, wire: Wire) -> None:
        await wire.apply(QUOTA, named("quota") | {"spec": {"hard": {"pods": "7"}}}, "us")
        await until(wire, QUOTA, "quota", lambda found: "used" in found.get("status", {}))
        await wire.patch(QUOTA, "quota", {"status": {"used": {"pods": "3"}}}, subresource="status", fieldManager="them")
        found = await wire.get(QUOTA, "quota")
        assert owners(found)["us"] == {"f:spec": {"f:hard": {"f:pods": {}}}}
        entries = [one for one in found["metadata"]["managedFields"] if one.get("subresource") == "status"]
        assert entries
        assert all(one["operation"] == "Update" and set(one["fieldsV1"]) == {"f:status"} for one in entries)

    async def test_an_apply_says_who_it_is(self, wire: Wire) -> None:
        status, answer = await wire.apply(CONFIG_MAP, config(), "")
        assert status in {400, 422}
        assert "fieldManager" in answer["message"]

    async def test_an_apply_with_managers_in_it_is_refused(self, wire: Wire) -> None:
        _, made = await wire.apply(CONFIG_MAP, config(), "us")
        status, answer = await wire.apply(CONFIG_MAP, config(managedFields=made["metadata"]["managedFields"]), "us")
        assert status == 400
        assert "managedFields must be nil" in answer["message"]


class TestDeleting:
    async def test_only_the_one_with_the_uid_is_deleted(self, wire: Wire) -> None:
        await wire.create(CONFIG_MAP, config())
        status, answer = await wire.delete(CONFIG_MAP, "config", preconditions={"uid": str(uuid.uuid4())})
        assert (status, answer["reason"]) == (409, "Conflict")
        assert "the UID in the precondition" in answer["message"]

    async def test_only_the_very_version_is_deleted(self, wire: Wire) -> None:
        _, first = await wire.create(CONFIG_MAP, config())
        version = first["metadata"]["resourceVersion"]
        await wire.patch(CONFIG_MAP, "config", {"data": {"a": "1"}})
        status, answer = await wire.delete(CONFIG_MAP, "config", preconditions={"resourceVersion": version})
        assert (status, answer["reason"]) == (409, "Conflict")

    async def test_what_is_gone_is_not_found(self, wire: Wire) -> None:
        await wire.create(CONFIG_MAP, config())
        status, answer = await wire.delete(CONFIG_MAP, "config")
        assert (status, answer["status"]) == (200, "Success")
        status, answer = await wire.delete(CONFIG_MAP, "config")
        assert (status, answer["message"]) == (404, 'configmaps "config" not found')

    async def test_a_finalizer_keeps_it_until_it_is_taken_off(self, wire: Wire) -> None:
        await wire.create(CONFIG_MAP, config(finalizers=["mayfly.test/wait"]))
        status, kept = await wire.delete(CONFIG_MAP, "config")
        assert (status, "deletionTimestamp" in kept["metadata"]) == (200, True)
        assert (await wire.get(CONFIG_MAP, "config"))["metadata"]["finalizers"] == ["mayfly.test/wait"]
        await wire.patch(CONFIG_MAP, "config", {"metadata": {"finalizers": None}})
        assert (await wire.get(CONFIG_MAP, "config"))["reason"] == "NotFound"

    async def test_what_it_owned_goes_too(self, wire: Wire) -> None:
        _, owner = await wire.create(CONFIG_MAP, config("owner"))
        await wire.create(CONFIG_MAP, config("owned", ownerReferences=[reference(owner)]))
        await wire.delete(CONFIG_MAP, "owner", propagationPolicy="Background")
        await gone(wire, CONFIG_MAP, "owned")

    async def test_what_it_owned_stays_where_it_is_orphaned(self, wire: Wire) -> None:
        _, owner = await wire.create(CONFIG_MAP, config("owner"))
        await wire.create(CONFIG_MAP, config("owned", ownerReferences=[reference(owner)]))
        await wire.delete(CONFIG_MAP, "owner", propagationPolicy="Orphan")
        await gone(wire, CONFIG_MAP, "owner")
        assert not (await wire.get(CONFIG_MAP, "owned"))["metadata"].get("ownerReferences")

    async def test_in_the_foreground_it_goes_after_what_it_owns(self, wire: Wire) -> None:
        _, owner = await wire.create(CONFIG_MAP, config("owner"))
        kept = [reference(owner) | {"blockOwnerDeletion": True}]
        await wire.create(CONFIG_MAP, config("owned", ownerReferences=kept, finalizers=["mayfly.test/wait"]))
        await wire.delete(CONFIG_MAP, "owner", propagationPolicy="Foreground")
        await until(wire, CONFIG_MAP, "owned", lambda found: "deletionTimestamp" in found["metadata"])
        assert (await wire.get(CONFIG_MAP, "owner"))["metadata"]["finalizers"] == ["foregroundDeletion"]
        await wire.patch(CONFIG_MAP, "owned", {"metadata": {"finalizers": None}})
        await gone(wire, CONFIG_MAP, "owner")

    async def test_a_job_leaves_its_pods_unless_told_otherwise(self, wire: Wire) -> None:
        spec = {"template": {"spec": {"containers": [container()], "restartPolicy": "Never"}}, "suspend": True}
        _, job = await wire.create(JOB, named("seed") | {"spec": spec})
        await wire.create(CONFIG_MAP, config("owned", ownerReferences=[reference(job)]))
        await wire.delete(JOB, "seed")
        await gone(wire, JOB, "seed")
        assert not (await wire.get(CONFIG_MAP, "owned"))["metadata"].get("ownerReferences")

    async def test_all_that_a_selector_finds_are_deleted(self, wire: Wire) -> None:
        for name, label in (("a", "1"), ("b", "2")):
            await wire.create(CONFIG_MAP, config(name, labels={"l": label}))
        await wire.send("DELETE", wire.path(CONFIG_MAP), labelSelector="l=1")
        found = await wire.list(CONFIG_MAP, labelSelector="l")
        assert [item["metadata"]["name"] for item in found["items"]] == ["b"]

    async def test_a_namespace_goes_with_what_is_in_it(self, wire: Wire) -> None:
        await wire.create(CONFIG_MAP, config(finalizers=["mayfly.test/wait"]))
        status, answer = await wire.delete(NAMESPACE, wire.namespace)
        assert (status, answer["status"]["phase"]) == (200, "Terminating")
        status, answer = await wire.create(CONFIG_MAP, config("late"))
        assert (status, answer["reason"], causes(answer)) == (403, "Forbidden", ["NamespaceTerminating"])

        def diagnosed(found: Obj) -> bool:
            conditions = {one["type"]: one for one in found["status"].get("conditions", ())}
            return "NamespaceFinalizersRemaining" in {
                name for name, one in conditions.items() if one["status"] == "True"
            }

        stuck = await until(wire, NAMESPACE, wire.namespace, diagnosed)
        told = {one["type"]: one["message"] for one in stuck["status"]["conditions"]}
        assert told["NamespaceFinalizersRemaining"] == (
            "Some content in the namespace has finalizers remaining: mayfly.test/wait in 1 resource instances"
        )
        assert told["NamespaceContentRemaining"] == "Some resources are remaining: configmaps. has 1 resource instances"
        await wire.patch(CONFIG_MAP, "config", {"metadata": {"finalizers": None}})
        await gone(wire, NAMESPACE, wire.namespace)


def reference(owner: Obj) -> Obj:
    about = {key: owner["metadata"][key] for key in ("name", "uid")}
    return about | {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}


class TestLists:
    async def test_items_come_without_their_kind_and_in_order(self, wire: Wire) -> None:
        for name in ("b", "a"):
            await wire.create(CONFIG_MAP, config(name, labels={"l": "1"}))
        found = await wire.list(CONFIG_MAP, labelSelector="l=1")
        assert (found["kind"], [item["metadata"]["name"] for item in found["items"]]) == ("ConfigMapList", ["a", "b"])
        assert "kind" not in found["items"][0]

    @pytest.mark.parametrize(
        ("selector", "names"),
        [
            ("l=1", "a"),
            ("l==1", "a"),
            ("l!=1,l", "b"),
            ("l in (1,2)", "ab"),
            ("l notin (1),l", "b"),
            ("!l,m", "c"),
        ],
    )
    async def test_a_selector_finds_its_own(self, wire: Wire, selector: str, names: str) -> None:
        for name, labels in (("a", {"l": "1"}), ("b", {"l": "2"}), ("c", {"m": "1"})):
            await wire.create(CONFIG_MAP, config(name, labels=labels))
        found = await wire.list(CONFIG_MAP, labelSelector=selector)
        assert "".join(item["metadata"]["name"] for item in found["items"]) == names

    async def test_a_list_comes_in_pages_of_one_moment(self, wire: Wire) -> None:
        for name in "abc":
            await wire.create(CONFIG_MAP, config(name, labels={"l": "1"}))
        first = await wire.list(CONFIG_MAP, limit="2", labelSelector="l")
        await wire.delete(CONFIG_MAP, "c")
        rest = await wire.list(CONFIG_MAP, limit="2", labelSelector="l", **{"continue": first["metadata"]["continue"]})
        assert [item["metadata"]["name"] for page in (first, rest) for item in page["items"]] == ["a", "b", "c"]
        assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        assert "continue" not in rest["metadata"]

    async def test_one_is_found_by_its_name(self, wire: Wire) -> None:
        for name in "ab":
            await wire.create(CONFIG_MAP, config(name))
        found = await wire.list(CONFIG_MAP, fieldSelector="metadata.name=b")
        assert [item["metadata"]["name"] for item in found["items"]] == ["b"]


class TestWatches:
    async def test_a_watch_tells_what_happens_after_the_list(self, wire: Wire) -> None:
        await wire.create(CONFIG_MAP, config("before"))
        since = (await wire.list(CONFIG_MAP))["metadata"]["resourceVersion"]
        async with wire.watch(CONFIG_MAP, resourceVersion=since, labelSelector="l=1") as events:
            await wire.create(CONFIG_MAP, config("ours", labels={"l": "1"}))
            await wire.create(CONFIG_MAP, config("theirs"))
            await wire.patch(CONFIG_MAP, "ours", {"data": {"a": "1"}})
            await wire.delete(CONFIG_MAP, "ours")
            told = [await anext(events) for _ in range(3)]
        assert [event["type"] for event in told] == ["ADDED", "MODIFIED", "DELETED"]
        assert {event["object"]["metadata"]["name"] for event in told} == {"ours"}
        assert told[2]["object"]["data"] == {"a": "1"}
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in told]
        assert versions == sorted(set(versions))
        assert told[0]["object"]["kind"] == "ConfigMap"

    async def test_what_stops_matching_is_deleted_for_the_one_who_watches(self, wire: Wire) -> None:
        await wire.create(CONFIG_MAP, config(labels={"l": "1"}))
        since = (await wire.list(CONFIG_MAP))["metadata"]["resourceVersion"]
        async with wire.watch(CONFIG_MAP, resourceVersion=since, labelSelector="l=1") as events:
            await wire.patch(CONFIG_MAP, "config", {"metadata": {"labels": {"l": "2"}}})
            await wire.patch(CONFIG_MAP, "config", {"metadata": {"labels": {"l": "1"}}})
            told = [await anext(events) for _ in range(2)]
        assert [event["type"] for event in told] == ["DELETED", "ADDED"]

    async def test_without_a_version_it_begins_with_what_there_is(self, wire: Wire) -> None:
        await wire.create(CONFIG_MAP, config(labels={"l": "1"}))
        async with wire.watch(CONFIG_MAP, labelSelector="l=1") as events:
            event = await anext(events)
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "config")

    async def test_it_ends_when_its_time_is_over(self, wire: Wire) -> None:
        async with asyncio.timeout(30), wire.watch(CONFIG_MAP, timeoutSeconds="1") as events:
            assert {event["type"] async for event in events} <= {"ADDED"}

    async def test_a_bookmark_says_how_far_it_came(self, wire: Wire) -> None:
        query = {"timeoutSeconds": "4", "allowWatchBookmarks": "true", "labelSelector": "l=1"}
        since = (await wire.list(CONFIG_MAP))["metadata"]["resourceVersion"]
        async with asyncio.timeout(30), wire.watch(CONFIG_MAP, resourceVersion=since, **query) as events:
            _, other = await wire.create(CONFIG_MAP, config())
            told = [event async for event in events if event["type"] == "BOOKMARK"]
        assert int(told[-1]["object"]["metadata"]["resourceVersion"]) >= int(other["metadata"]["resourceVersion"])
        assert told[-1]["object"]["kind"] == "ConfigMap"

    async def test_a_watch_from_the_beginning_of_time_is_expired(self, wire: Wire) -> None:
        async with wire.watch(CONFIG_MAP, resourceVersion="1") as events:
            event = await anext(events)
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


class TestPolicies:
    async def test_a_quota_refuses_the_pod_that_is_one_too_many(self, wire: Wire) -> None:
        await wire.create(QUOTA, named("quota") | {"spec": {"hard": {"pods": "0"}}})
        await until(wire, QUOTA, "quota", lambda found: "used" in found.get("status", {}))
        await settled_account(wire)
        status, answer = await wire.create(POD, named("web") | {"spec": {"containers": [container()]}})
        assert (status, answer["reason"]) == (403, "Forbidden")
        assert answer["message"] == (
            'pods "web" is forbidden: exceeded quota: quota, requested: pods=1, used: pods=0, limited: pods=0'
        )

    async def test_a_quota_of_memory_wants_to_know_how_much(self, wire: Wire) -> None:
        await wire.create(QUOTA, named("quota") | {"spec": {"hard": {"limits.memory": "1Gi"}}})
        await until(wire, QUOTA, "quota", lambda found: "used" in found.get("status", {}))
        await settled_account(wire)
        status, answer = await wire.create(POD, named("web") | {"spec": {"containers": [container()]}})
        assert (status, answer["message"]) == (
            403,
            'pods "web" is forbidden: failed quota: quota: must specify limits.memory for: web',
        )

    async def test_a_deployment_says_why_it_gets_no_pods(self, wire: Wire) -> None:
        await wire.create(QUOTA, named("quota") | {"spec": {"hard": {"pods": "0"}}})
        await until(wire, QUOTA, "quota", lambda found: "used" in found.get("status", {}))
        await wire.create(DEPLOYMENT, deployment(replicas=1))

        def failed(found: Obj) -> bool:
            return "ReplicaFailure" in {one["type"] for one in found.get("status", {}).get("conditions", ())}

        found = await until(wire, DEPLOYMENT, "web", failed)
        [condition] = [one for one in found["status"]["conditions"] if one["type"] == "ReplicaFailure"]
        assert (condition["status"], condition["reason"]) == ("True", "FailedCreate")
        assert "is forbidden: exceeded quota: quota, requested: pods=1" in condition["message"]

    async def test_a_restricted_namespace_takes_restricted_pods_only(self, wire: Wire) -> None:
        label = {"pod-security.kubernetes.io/enforce": "restricted"}
        await wire.patch(NAMESPACE, wire.namespace, {"metadata": {"labels": label}})
        await settled_account(wire)
        status, answer = await wire.create(POD, named("web") | {"spec": {"containers": [container()]}})
        assert status == 403
        assert answer["message"] == (
            'pods "web" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
            '(container "web" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities '
            '(container "web" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or '
            'container "web" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "web" must '
            'set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
        )
        fine = named("web") | {"spec": {"containers": [container(securityContext=RESTRICTED)]}}
        assert (await wire.create(POD, fine))[0] == 201

    async def test_a_pod_needs_its_service_account(self, wire: Wire) -> None:
        spec = {"serviceAccountName": "preview", "containers": [container()]}
        status, answer = await wire.create(POD, named("web") | {"spec": spec})
        assert (status, answer["reason"]) == (403, "Forbidden")
        assert 'serviceaccount "preview" not found' in answer["message"]


async def settled_account(wire: Wire) -> None:
    """The account that every namespace has is made a moment after it."""
    await until(wire, ACCOUNT, "default", lambda found: found["kind"] == "ServiceAccount")


class TestFaults:
    """What only ours does, on demand."""

    async def test_a_watch_from_before_a_compaction_is_expired(self, cluster: FakeCluster, fake: Wire) -> None:
        since = (await fake.list(CONFIG_MAP))["metadata"]["resourceVersion"]
        await fake.create(CONFIG_MAP, config())
        cluster.compact()
        async with fake.watch(CONFIG_MAP, resourceVersion=since) as events:
            event = await anext(events)
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        cluster.faults.expire_as_status = True
        status, answer = await fake.send("GET", fake.path(CONFIG_MAP), watch="1", resourceVersion=since)
        assert (status, answer["reason"]) == (410, "Expired")

    async def test_a_watch_from_after_it_goes_on(self, cluster: FakeCluster, fake: Wire) -> None:
        cluster.compact()
        since = (await fake.list(CONFIG_MAP))["metadata"]["resourceVersion"]
        await fake.create(CONFIG_MAP, config())
        async with fake.watch(CONFIG_MAP, resourceVersion=since) as events:
            assert (await anext(events))["type"] == "ADDED"

    async def test_a_list_that_was_cut_by_a_compaction_begins_anew(self, cluster: FakeCluster, fake: Wire) -> None:
        for name in "ab":
            await fake.create(CONFIG_MAP, config(name))
        token = (await fake.list(CONFIG_MAP, limit="1"))["metadata"]["continue"]
        cluster.compact()
        answer = await fake.list(CONFIG_MAP, limit="1", **{"continue": token})
        assert (answer["code"], answer["reason"]) == (410, "Expired")

    async def test_requests_fail_as_often_as_they_should(self, cluster: FakeCluster, fake: Wire) -> None:
        cluster.faults.fail(429, times=2, verb="list", retry_after=3)
        statuses = [(await fake.send("GET", fake.path(CONFIG_MAP)))[0] for _ in range(3)]
        assert statuses == [429, 429, 200]
        assert cluster.requests["list", "configmaps"] == 3

    async def test_a_lost_answer_is_to_something_that_was_done(self, cluster: FakeCluster, fake: Wire) -> None:
        cluster.faults.lose_answer(verb="create", resource="configmaps")
        with pytest.raises(aiohttp.ClientError):
            await fake.create(CONFIG_MAP, config())
        assert cluster.get("ConfigMap", "config", "shop") is not None

    async def test_a_cluster_that_is_down_answers_nobody_and_forgets_nothing(
        self, cluster: FakeCluster, fake: Wire
    ) -> None:
        await fake.create(CONFIG_MAP, config())
        async with fake.watch(CONFIG_MAP, labelSelector="l=1") as events:
            cluster.faults.down = True
            with pytest.raises(aiohttp.ClientError):
                await anext(events)
        with pytest.raises(aiohttp.ClientError):
            await fake.get(CONFIG_MAP, "config")
        cluster.faults.down = False
        assert (await fake.get(CONFIG_MAP, "config"))["metadata"]["name"] == "config"

    async def test_watches_are_cut_without_a_word(self, cluster: FakeCluster, fake: Wire) -> None:
        async with fake.watch(CONFIG_MAP, labelSelector="l=1") as events:
            pending = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            cluster.faults.cut_watches()
            with pytest.raises((aiohttp.ClientError, StopAsyncIteration)):
                await pending

    async def test_a_watch_is_cut_in_the_middle_of_an_event(self, cluster: FakeCluster, fake: Wire) -> None:
        cluster.faults.cut_at_random(1.0)
        await fake.create(CONFIG_MAP, config())
        async with fake.watch(CONFIG_MAP) as events:
            with pytest.raises((aiohttp.ClientError, ValueError)):
                await anext(events)

    async def test_a_silent_watch_says_nothing_and_stays(self, fake: Wire, cluster: FakeCluster) -> None:
        cluster.faults.silent = True
        await fake.create(CONFIG_MAP, config())
        async with fake.watch(CONFIG_MAP, timeoutSeconds="1") as events:
            assert [event async for event in events] == []

    async def test_what_is_forbidden_is_refused_with_the_words_of_rbac(self, cluster: FakeCluster, fake: Wire) -> None:
        cluster.faults.forbid("create", "configmaps")
        status, answer = await fake.create(CONFIG_MAP, config())
        assert (status, answer["reason"]) == (403, "Forbidden")
        assert 'cannot create resource "configmaps"' in answer["message"]

    async def test_a_dead_api_service_keeps_namespaces_from_going(self, cluster: FakeCluster, fake: Wire) -> None:
        cluster.dead_api_services.add("metrics.k8s.io/v1beta1")
        await fake.delete(NAMESPACE, "shop")
        await cluster.settled()
        found = {one["type"]: one for one in (await fake.get(NAMESPACE, "shop"))["status"]["conditions"]}
        assert found["NamespaceDeletionDiscoveryFailure"]["status"] == "True"
        assert (
            "metrics.k8s.io/v1beta1: stale GroupVersion discovery"
            in (found["NamespaceDeletionDiscoveryFailure"]["message"])
        )
        cluster.dead_api_services.clear()
        cluster.look_again()
        await gone(fake, NAMESPACE, "shop")
