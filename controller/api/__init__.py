"""The dashboard's pages and one JSON API: both stand on a Desk and on nothing else."""

from controller.api.app import create_api

__all__ = ["create_api"]
