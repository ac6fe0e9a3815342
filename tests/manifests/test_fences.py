"""What a preview may take and reach."""

from ipaddress import ip_address, ip_network

import pytest

from controller.adapters.kubernetes import render
from tests.manifests.wanted import EVERYTHING, PLACE, a_policy

METADATA = ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fe80::a9fe:a9fe", "100.100.100.200", "168.63.129.16"]


def fence(policy=None, database_port=None, kind="NetworkPolicy"):
    made = render.fences(PLACE, policy or a_policy(), database_port)
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
