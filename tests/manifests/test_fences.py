"""What a preview may take and reach."""

from ipaddress import ip_address, ip_network

import pytest

from controller.adapters.kubernetes import render, strangers
from tests.manifests.wanted import EVERYTHING, PLACE, a_policy, everything, pod_of

METADATA = ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fe80::a9fe:a9fe", "100.100.100.200", "168.63.129.16"]


def fence(policy=None, database_port=None, kind="NetworkPolicy", **more):
    made = render.fences(PLACE, policy or a_policy(), database_port, **more)
    (found,) = (obj for obj in made if obj["kind"] == kind)
    return found


def reaches(policy, address, port):
    """Whether a rule with a block lets a preview connect there, as the NetworkPolicy API defines it."""
    wanted = ip_address(address)
    for rule in policy["spec"]["egress"]:
        ports = [one["port"] for one in rule.get("ports", [])]
        blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
        inside = any(
            wanted in ip_network(block["cidr"])
            and not any(wanted in ip_network(but) for but in block.get("except", []))
            for block in blocks
        )
        if inside and (not ports or port in ports):
            return True
    return False


def test_nothing_is_let_in_but_the_preview_itself_and_the_controller():
    spec = fence(a_policy(namespace="tools"))["spec"]
    assert (spec["podSelector"], spec["policyTypes"]) == ({}, ["Ingress", "Egress"])
    controller = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}}}
    assert spec["ingress"] == [{"from": [{"podSelector": {}}, controller]}]


@pytest.mark.parametrize(
    ("address", "port", "can"),
    [("10.1.2.3", 80, False), ("93.184.216.34", 443, False), ("2001:db8::1", 443, False), ("10.96.0.10", 53, True)],
)
def test_a_preview_reaches_names_and_itself_and_nothing_else(address, port, can):
    policy = fence()
    assert reaches(policy, address, port) is can
    assert policy["spec"]["egress"][0] == {"to": [{"podSelector": {}}]}


@pytest.mark.parametrize(
    ("address", "port", "can"),
    [("10.1.2.3", 80, True), ("93.184.216.34", 443, True), ("93.184.216.34", 80, False), ("2001:db8::1", 443, False)],
)
def test_a_preview_reaches_what_the_policy_says(address, port, can):
    assert reaches(fence(EVERYTHING), address, port) is can


@pytest.mark.parametrize("address", ["10.1.2.3", "93.184.216.34", "2001:db8::1"])
def test_a_database_may_be_anywhere(address):
    policy = fence(database_port=6543)
    assert reaches(policy, address, 6543)
    assert not reaches(policy, address, 5432)


@pytest.mark.parametrize("port", [80, 53, 443, 5432])
@pytest.mark.parametrize("address", METADATA)
def test_the_metadata_address_is_never_reached(address, port):
    blocks = ("0.0.0.0/0", "::/0", "169.254.0.0/16", "160.0.0.0/3", "100.64.0.0/10", "fd00::/8", f"{address}")
    for block in blocks:
        cidr = block if "/" in block else f"{block}/{ip_address(block).max_prefixlen}"
        assert not reaches(fence(a_policy(egress=[{"cidr": cidr}]), 5432), address, port), cidr


def test_a_rule_for_nothing_but_metadata_is_left_out():
    """As an empty `to` would mean everywhere."""
    policy = a_policy(egress=[{"cidr": "169.254.169.254/32", "ports": [80]}, {"cidr": "fe80::/64"}])
    assert fence(policy) == fence()


def test_an_exception_lies_within_its_block():
    """The API server refuses any other."""
    for rule in fence(a_policy(egress=[{"cidr": "128.0.0.0/1"}]), 5432)["spec"]["egress"]:
        for block in (peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer):
            whole = ip_network(block["cidr"])
            for but in map(ip_network, block.get("except", [])):
                assert but.subnet_of(whole)
                assert but != whole


def test_a_block_is_told_by_its_first_address():
    assert reaches(fence(a_policy(egress=[{"cidr": "10.1.2.3/8"}])), "10.9.9.9", 80)


def test_a_preview_takes_no_more_than_the_policy_says():
    assert fence(EVERYTHING, kind="ResourceQuota")["spec"]["hard"] == {
        "requests.cpu": "1500m",
        "limits.memory": "3072Mi",
        "pods": "12",
        "requests.storage": "20480Mi",
        "persistentvolumeclaims": "10",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }


def test_a_pod_that_names_no_resources_is_admitted_all_the_same():
    """The quota wants to know `requests.cpu` and `limits.memory` of every container."""
    (limit,) = fence(kind="LimitRange")["spec"]["limits"]
    assert limit["type"] == "Container"
    assert "cpu" in limit["defaultRequest"]
    assert "memory" in limit["default"]


def test_the_account_of_pods_has_no_token_and_pulls_with_the_policys_secrets():
    account = fence(EVERYTHING, kind="ServiceAccount")
    assert account["metadata"]["name"] == "preview"
    assert account["automountServiceAccountToken"] is False
    assert account["imagePullSecrets"] == [{"name": "ghcr"}]


FORK = strangers.policy(EVERYTHING, fork=True)
"""The policy that lets others out, gives them pull secrets and much room, as it holds for a fork."""
PODS = [obj for obj in everything() if "template" in obj.get("spec", {})]


def test_strangers_reach_names_and_their_own_preview_and_nothing_else():
    assert fence(FORK) == fence()
    for address in ("10.1.2.3", "93.184.216.34", *METADATA):
        assert not reaches(fence(FORK), address, 443), address


def test_strangers_reach_the_server_for_all_at_its_address_and_port_alone():
    policy = fence(FORK, 5432, database_at=("10.9.8.7/32", "2001:db8::7/128"))
    assert reaches(policy, "10.9.8.7", 5432)
    assert reaches(policy, "2001:db8::7", 5432)
    for address, port in (("10.9.8.7", 443), ("10.9.8.8", 5432), ("93.184.216.34", 5432), ("2001:db8::8", 5432)):
        assert not reaches(policy, address, port), (address, port)


@pytest.mark.parametrize("address", METADATA)
def test_a_database_is_never_at_the_metadata_address(address):
    cidr = f"{address}/{ip_address(address).max_prefixlen}"
    assert fence(FORK, 80, database_at=(cidr,)) == fence()


def test_strangers_have_an_account_without_token_or_pull_secrets():
    account = fence(FORK, kind="ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert "imagePullSecrets" not in account


def test_strangers_take_no_more_than_the_policy_has_for_them():
    hard = fence(FORK, kind="ResourceQuota")["spec"]["hard"]
    assert (hard["requests.cpu"], hard["limits.memory"], hard["pods"]) == ("2000m", "4096Mi", "15")
    assert hard["requests.storage"] == "5120Mi"


def test_nobodys_code_is_held_to_the_fences_of_strangers_but_theirs():
    assert strangers.policy(EVERYTHING, fork=False) is EVERYTHING


@pytest.mark.parametrize("obj", PODS, ids=lambda obj: f"{obj['kind']} {obj['metadata']['name']}")
def test_no_pod_has_a_token(obj):
    assert pod_of(obj)["automountServiceAccountToken"] is False
    assert pod_of(obj)["serviceAccountName"] == "preview"
