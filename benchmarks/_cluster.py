"""The fake cluster in a process of its own, so that what it costs is not counted: `python -m benchmarks._cluster FILE`.

Writes a kubeconfig to FILE and says so in a line of JSON; to every line that it reads it answers with one: how many
requests of each sort it has had so far. It ends with its input.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.adapters.kubernetes import programs
from tests.fakes.cluster import FakeCluster


class Cluster:
    """The other end: asks the process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def requests(self) -> dict[str, int]:
        """By verb and resource, `patch namespaces`, since it began."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return dict(json.loads(self.line()))

    def line(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"the fake cluster ended with {self._process.wait()}")
        return line


@contextmanager
def cluster(kubeconfig: Path) -> Iterator[Cluster]:
    command = [sys.executable, "-m", "benchmarks._cluster", str(kubeconfig)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = Cluster(process)
            found.line()
            yield found
        finally:
            process.terminate()


async def _serve(kubeconfig: Path) -> None:
    async with FakeCluster() as fake:
        programs.add(fake.programs, kubeconfig.parent)
        fake.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mayfly"}})
        print(json.dumps(str(fake.kubeconfig(kubeconfig))), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            counted = {f"{verb} {resource}": count for (verb, resource), count in fake.requests.items()}
            print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
