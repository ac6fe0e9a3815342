"""A whole life of a preview, and of main, as the chart's account: it may do enough, and no more than the table says."""

import json
import secrets
import shutil
import subprocess

import pytest
import yaml

from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.leader import Leader
from controller.common.nouns import Phase
from controller.settings import Kubernetes
from smoke.model import Outcome
from tests.charts.rendering import rendered
from tests.cluster.target_world import ClusterTargetWorld
from tests.cluster.world import ClusterWorld
from tests.contracts import targets
from tests.contracts.platform import KEY, settled, until

pytestmark = [pytest.mark.cluster, pytest.mark.processes, pytest.mark.timeout(900)]


def kubectl(*words, given=""):
    done = subprocess.run(["kubectl", *words], input=given, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def account(image, tmp_path):
    """The chart's account in a namespace of its own: that namespace, and a kubeconfig."""
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")
    name = f"account-{secrets.token_hex(4)}"
    roles = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
    made = [obj for obj in rendered(namespace=name, name=name) if obj["kind"] in roles]
    everything = yaml.safe_dump_all(made)
    kubectl("create", "namespace", name)
    kubectl("apply", "--namespace", name, "--filename", "-", given=everything)
    (mine,) = [obj["metadata"]["name"] for obj in made if obj["kind"] == "ServiceAccount"]
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "--output", "json"))
    token = kubectl("create", "token", mine, "--namespace", name).strip()
    config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": {"token": token}}]
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    yield name, file
    kubectl("delete", "--namespace", name, "--ignore-not-found", "--filename", "-", given=everything)
    kubectl("delete", "namespace", name, "--wait=false")


async def test_a_preview_lives_and_goes_with_what_the_account_may_do(account, image, patience, tmp_path):
    namespace, kubeconfig = account
    world = ClusterWorld(tmp_path / "world", image, "namespace", kubeconfig=kubeconfig, namespace=namespace)
    await world.open()
    order = world.push()
    await world.platform.deploy(order)
    preview = await settled(world.platform, Phase.READY)
    await world.platform.run_checks(KEY, preview.uid, order.revision, "smoke", 3)
    checked = await until(world.platform, lambda now: bool(now and now.jobs and now.jobs[-1].run))
    assert checked is not None
    assert checked.jobs[-1].run.outcome is Outcome.PASSED
    assert "listening" in [line async for line in world.platform.logs(KEY, "web", 10, follow=False)]
    await world.platform.sleep(KEY, preview.uid, 5)
    await settled(world.platform, Phase.SLEEPING)
    await world.platform.wake(KEY, preview.uid, 6)
    await settled(world.platform, Phase.READY)
    await world.platform.remove(KEY, preview.uid)
    await until(world.platform, lambda preview: preview is None)
    await world.end()


async def test_main_is_deployed_checked_and_rolled_back_with_what_the_account_may_do(
    account, image, tmp_path, monkeypatch
):
    monkeypatch.setattr(targets, "SOON", 240.0)
    namespace, kubeconfig = account
    mine = {"kubeconfig": str(kubeconfig), "namespace": namespace, "reach": "direct"}  # it may not forward ports
    world = ClusterTargetWorld(tmp_path / "world", image, "namespace", mine)
    await world.open()
    await targets.deploy(world, world.release(1, secret="the first one"))
    await targets.deploy(world, world.release(2, "two services", version="two"))
    await world.targets.run_checks(targets.TARGET, 2, 3)
    [job] = (await targets.until(world, lambda seen: bool(seen.jobs and seen.jobs[-1].run))).jobs
    assert job.run.outcome is Outcome.PASSED
    await targets.roll_back(world, bad=2, to=1)
    await targets.rolled_out(world, 1)
    await targets.eventually(lambda: world.running() == {(1, "web")})
    assert "listening" in [line async for line in world.targets.logs(targets.TARGET, "web", 10, follow=False)]
    await world.end()


async def test_the_account_holds_the_lease_of_its_own_namespace(account):
    namespace, kubeconfig = account
    api = await connect(Kubernetes(kubeconfig=str(kubeconfig)))
    led = []

    async def lead():
        led.append(namespace)

    await Leader(api, namespace, "mayfly", "me").run(lead)
    await api.close()
    assert led == [namespace]


def test_the_account_reads_no_secret_of_another_namespace_by_listing_them(account):
    _, kubeconfig = account
    for asked in ("list secrets", "create clusterroles", "create pods --subresource=exec", "get nodes"):
        words = ["kubectl", "auth", "can-i", *asked.split(), "--all-namespaces", "--kubeconfig", str(kubeconfig)]
        said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert said.stdout.strip() == "no", f"{asked}: {said.stdout}{said.stderr}"
