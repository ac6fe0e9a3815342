"""Looks at previews that should run: one whose service died, came back, or lost its supervisor is noticed here."""

import asyncio

from controller.adapters.local import services
from controller.adapters.local.cell import Cell
from controller.adapters.local.store import FILE
from controller.adapters.shared.orders import Aim
from controller.common.nouns import Phase


async def watch(cell: Cell) -> bool:
    """Brings the phase up to date; True where the worker is needed to bring something back."""
    if not _settled(cell):
        return False
    spec = cell.record.order.spec
    names = spec.start_order()
    works = dict(zip(names, await asyncio.gather(*(services.look(cell, name) for name in names)), strict=True))
    if not _settled(cell):  # somebody ordered something while we looked
        return False
    if not cell.tree.is_dir() or not (cell.folder / FILE).exists():
        return True
    dead = [name for name in names if not works[name] and not cell.service(name).alive]
    if any(all(works[need] for need in spec.services[name].depends_on) for name in dead):
        return True
    _judge(cell, works)
    return False


def _settled(cell: Cell) -> bool:
    return cell.record.aim is Aim.RUN and not cell.busy


def _judge(cell: Cell, works: dict[str, bool]) -> None:
    record = cell.record
    if all(works.values()):
        if record.phase is not Phase.READY:
            cell.enter(Phase.READY, Aim.RUN)
        return
    failing = next((name for name in works if services.why_crashed(cell, name)), None)
    if failing is not None and not record.crashed:
        logs = "\n".join(cell.service(failing).tail())
        cell.enter(Phase.FAILED, Aim.RUN, services.why_crashed(cell, failing), logs, crashed=True)
