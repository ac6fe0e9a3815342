"""The fake cluster in a process of its own, for benchmarks: python -m tests.fakes.cluster --kubeconfig FILE

Prints its URL when it answers. `GET /requests` tells what was asked how often, `POST` counts anew.
"""

import argparse
import asyncio
import contextlib
from pathlib import Path

from tests.fakes.cluster import FakeCluster


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.cluster", description="A small Kubernetes.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="where to write one")
    parser.add_argument("--bookmarks", type=float, default=60.0, help="seconds between two")
    options = parser.parse_args()
    async with FakeCluster(port=options.port, bookmark_every=options.bookmarks) as cluster:
        cluster.kubeconfig(options.kubeconfig)
        print(cluster.url, flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
