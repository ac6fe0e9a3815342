"""Host → preview: a streaming reverse proxy (HTTP and WebSocket), with pages for what does not answer yet."""

from controller.gateway.app import Gateway

__all__ = ["Gateway"]
