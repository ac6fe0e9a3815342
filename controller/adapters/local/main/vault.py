"""Values of secrets, in files named by their digests: a release that is rolled back to has those it was made with."""

from collections.abc import Collection, Mapping
from pathlib import Path

from controller.adapters.local import store
from controller.adapters.shared.disk import discard, trouble
from controller.deploys.secret import secret_digest
from controller.errors import Refused


class Vault:
    """`known` are all values, to be redacted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._values: dict[str, str] = {}

    def open(self) -> None:
        """Raises Unavailable."""
        with trouble("read the secrets"):
            for path in self._folder.glob("[0-9a-f]*"):
                if not path.name.endswith(".new"):
                    self._values[path.name] = path.read_text()

    @property
    def known(self) -> Collection[str]:
        return self._values.values()

    def keep(self, wanted: Mapping[str, str], sources: Mapping[str, str], environment: Mapping[str, str]) -> None:
        """Keeps the values of a release: `wanted` are their digests and `sources` where they come from, by variable.

        Raises Refused where the environment has another value by now.
        """
        for name, digest in wanted.items():
            if digest in self._values:
                continue
            source = sources.get(name, name)
            value = environment.get(source, "")
            if secret_digest(value) != digest:
                raise Refused(f"the secret `{name}` has another value by now (`{source}` of the controller)")
            store.put(self._folder / digest, value.encode(), durable=True)
            self._values[digest] = value

    def value(self, name: str, digest: str) -> str:
        """Raises Refused where it is gone."""
        if digest not in self._values:
            raise Refused(f"the value of the secret `{name}` is gone")
        return self._values[digest]

    def forget_others(self, used: Collection[str]) -> None:
        for digest in self._values.keys() - set(used):
            discard(self._folder / digest)
            del self._values[digest]
