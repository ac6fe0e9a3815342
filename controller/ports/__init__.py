"""What the rooms need of the world, in our words. Adapters implement these; one contract suite per port holds them.

Every method may raise `Unavailable` (try later) or `Refused` (waits for a person), and nothing else that is not a bug.
A method that returns a collection returns all of it, or raises: a half-read list looks like things that are gone.
Actions start something and return; repeating one is safe. Whoever wants to know how it went looks again.
"""

from controller.ports.forge import Conversations, Forge, Receipt, Webhooks
from controller.ports.history import History, Ledger
from controller.ports.platform import Databases, Platform
from controller.ports.telling import Notifier, Outbox

__all__ = [
    "Conversations",
    "Databases",
    "Forge",
    "History",
    "Ledger",
    "Notifier",
    "Outbox",
    "Platform",
    "Receipt",
    "Webhooks",
]
