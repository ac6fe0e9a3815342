"""A small Kubernetes of our own: a real HTTP server, driven by the real client, with its controllers and one kubelet.

async with FakeCluster() as cluster:
    cluster.kubeconfig(tmp_path / "kubeconfig")     # or cluster.url
    cluster.get("Deployment", "web", "shop")        # read its state
    cluster.faults.fail(503, times=2, verb="list")  # what goes wrong
    cluster.requests["list", "pods"]                # what was asked, for benchmarks
    cluster.compact()                               # watches from before end with 410
"""

from tests.fakes.cluster.cluster import FakeCluster

__all__ = ["FakeCluster"]
