"""The HTTP API of a sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

if TYPE_CHECKING:
    from headgate_sidecar.server import Sidecar


def create_app(sidecar: Sidecar) -> FastAPI:
    """Return the app that answers for a sidecar."""
    return FastAPI(title=f"headgate {sidecar.config.name}")
