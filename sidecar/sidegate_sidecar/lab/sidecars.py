"""Sidecars as processes: the arguments by which one is run, and when all of them are one ring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidegate_ring.hashring import Ring


def serve(*seeds: object, **options: object) -> list[str]:
    """Return the module and the arguments that run a sidecar, which knows these seeds.

    Options are named as on the command line, with `_` for `-`; True stands for a flag.
    """
    named = [(f"--{name.replace('_', '-')}", value) for name, value in options.items()]
    settings = [name if value is True else f"{name}={value}" for name, value in named]
    return ["sidegate_sidecar", "serve", *settings, *(f"--seed={seed}" for seed in seeds)]


def is_whole(view: Mapping[str, Any], ring: Ring) -> bool:
    """Is a sidecar a member of this ring and up to all others of it, as its /v1/nodes has it?"""
    up = {node["name"] for node in view["nodes"] if node["state"] == "up"}
    return bool(
        view["stage"] == "member"
        and view["agrees"]
        and view["ring"] == ring.digest
        and up == {*ring.nodes}
    )
