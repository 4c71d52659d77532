"""Schema: what a rules file may say, for editors that complete and check it."""

from __future__ import annotations

from typing import Any

import msgspec

from sidegate.ruleset.document import RulesDocument


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of rules files.

    It knows the shape of each value; what a path, limits or a key may be only `rules validate`.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sidegate rules",
        **msgspec.json.schema(RulesDocument),
    }
