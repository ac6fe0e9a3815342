"""The previews that there are, found by key, by namespace and by host."""

from collections.abc import Iterator

from controller.adapters.kubernetes.cell import Cell
from controller.adapters.shared.orders import Aim, service_host
from controller.common.nouns import PreviewKey


class Roster:
    def __init__(self) -> None:
        self._by_key: dict[PreviewKey, Cell] = {}
        self._by_name: dict[str, Cell] = {}
        self._by_host: dict[str, tuple[Cell, str]] = {}

    def __iter__(self) -> Iterator[Cell]:
        return iter(list(self._by_key.values()))

    def get(self, key: PreviewKey) -> Cell | None:
        return self._by_key.get(key)

    def of(self, key: PreviewKey, uid: str) -> Cell | None:
        """The very environment that is meant, if it is still there."""
        cell = self._by_key.get(key)
        return cell if cell is not None and cell.uid == uid else None

    def named(self, namespace: str) -> Cell | None:
        return self._by_name.get(namespace)

    def at(self, host: str) -> tuple[Cell, str] | None:
        """The preview and the service that a host label leads to."""
        return self._by_host.get(host.lower())

    def add(self, cell: Cell) -> None:
        self._by_key[cell.key] = self._by_name[cell.name] = cell
        self.index(cell)

    def remove(self, cell: Cell) -> None:
        self._by_name.pop(cell.name, None)
        if self._by_key.get(cell.key) is cell:
            del self._by_key[cell.key]
        self._forget_hosts(cell)

    def index(self, cell: Cell) -> None:
        """Its hosts anew; a preview that is being removed is not reached any more."""
        self._forget_hosts(cell)
        order = cell.record.order
        if cell.record.aim is not Aim.REMOVE:
            hosts = {service_host(order.spec, order.host, name): (cell, name) for name in order.spec.services}
            cell.hosts = tuple(host for host in hosts if host)
            self._by_host |= {host: hosts[host] for host in cell.hosts}

    def _forget_hosts(self, cell: Cell) -> None:
        for host in cell.hosts:
            if self._by_host[host][0] is cell:
                del self._by_host[host]
        cell.hosts = ()
