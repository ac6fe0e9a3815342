"""Two controllers on one cluster: one acts, both show what there is, and a stop hands over at once."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from controller.adapters.git.setup import connect
from controller.settings import Home
from tests.adapters.local.world import git
from tests.scenarios.world import free_port, get

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240), pytest.mark.xdist_group("replicas")]
PATIENCE = 60
SPEC = "services: {web: {image: 'registry.test/shop:{sha}', port: 8000, health: /}}\n"
POLICY = {
    "platform": "kubernetes",
    "previews": {"resync": "5s"},
    "kubernetes": {"namespace": "default", "wait_for_image": "0s", "reach": "port-forward"},
}


def wait(holds, what):
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)
    return found


class Replica:
    """`mayfly serve`, as a process; everything is asked of it over HTTP."""

    def __init__(self, home, kubeconfig, log):
        self.port, self.log = free_port(), log
        words = ["serve", "--home", str(home.path), "--listen", f"127.0.0.1:{self.port}"]
        environment = os.environ | {"KUBECONFIG": str(kubeconfig)}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controller", *words], env=environment, stdout=out, stderr=out
            )

    def cards(self):
        said = get(f"http://127.0.0.1:{self.port}/api/v1/previews")
        return json.loads(said)["previews"] if said else []

    def ready_at(self, revision):
        cards = self.cards()
        return len(cards) == 1 and (cards[0]["state"], cards[0]["revision"]) == ("ready", revision)

    def leads(self):
        return '"event": "leads"' in self.log.read_text()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def a_cluster(kubeconfig) -> Iterator[None]:
    words = [sys.executable, "-m", "tests.fakes.cluster", "--kubeconfig", str(kubeconfig)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield
        process.send_signal(signal.SIGINT)


@pytest.fixture
def place(tmp_path):
    """A checkout with its forge, a cluster, and replicas on demand."""
    checkout, kubeconfig, replicas = tmp_path / "shop", tmp_path / "kubeconfig", []
    checkout.mkdir()
    git(checkout, "init", "--quiet", "--initial-branch=main")
    git(checkout, "commit", "--quiet", "--allow-empty", "--message", "first")
    home = Home(checkout / ".mayfly")
    connect(checkout, home.forge)
    home.policy_file.write_text(json.dumps(POLICY))
    git(checkout, "switch", "--quiet", "--create", "feature")
    (checkout / ".preview.yaml").write_text(SPEC)

    def replica():
        replicas.append(Replica(home, kubeconfig, tmp_path / f"serve-{len(replicas)}.log"))
        return replicas[-1]

    def push(message):
        git(checkout, "add", ".preview.yaml")
        git(checkout, "commit", "--quiet", "--allow-empty", "--message", message)
        git(checkout, "push", "--quiet", "--force", "preview", "feature")
        return git(checkout, "rev-parse", "HEAD")

    with a_cluster(kubeconfig):
        yield replica, push
        for one in replicas:
            if one.process.poll() is None:
                one.end(signal.SIGKILL)


def test_a_stop_hands_over_at_once_and_both_show_the_same(place):
    replica, push = place
    first = replica()
    wait(first.leads, "a leader")
    second = replica()
    head = push("one")
    wait(lambda: first.ready_at(head), "the preview")
    wait(lambda: second.ready_at(head), "the same preview on the replica that only watches")
    assert not second.leads()

    began = time.monotonic()
    assert first.end() == 0
    wait(second.leads, "the other one to lead")
    assert time.monotonic() - began < 15, "it waited for the Lease to run out"
    after = push("two")
    wait(lambda: second.ready_at(after), "the next push, by the other one")


def test_a_leader_that_is_killed_is_followed_when_its_lease_is_over(place):
    replica, push = place
    first = replica()
    wait(first.leads, "a leader")
    second = replica()
    head = push("one")
    time.sleep(0.5)  # somewhere in the middle of the deploy
    first.end(signal.SIGKILL)
    wait(second.leads, "the other one to lead")
    wait(lambda: second.ready_at(head), "the preview that was begun by another")
    assert [card["number"] for card in second.cards()] == [1]


def test_nothing_is_lost_where_the_port_of_a_replica_is_taken(place, tmp_path):
    replica, _ = place
    first = replica()
    wait(first.leads, "a leader")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = ["serve", "--home", str(tmp_path / "shop" / ".mayfly"), "--listen"]
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        env = os.environ | {"KUBECONFIG": str(tmp_path / "kubeconfig")}
        said = subprocess.run(
            [sys.executable, "-m", "controller", *words, address], env=env, capture_output=True, text=True, check=False
        )
    assert said.returncode == 3
    assert "cannot listen" in said.stderr
    assert first.process.poll() is None
