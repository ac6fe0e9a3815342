"""Registries of container images: is an image there yet, and under which digest?"""

from controller.adapters.registry.client import Registry
from controller.adapters.registry.credentials import credentials_from

__all__ = ["Registry", "credentials_from"]
