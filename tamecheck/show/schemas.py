"""The JSON schemas of answers, a file a verb in ``schemas/``: the keys, and what they mean.

``error`` is what any verb says that fails, ``line`` what stands before an answer of many.
Keys that a schema does not name may come later; those that it requires stay.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from tamecheck.errors import InputError


def schema_names() -> list[str]:
    """The verbs whose answers have a schema, ``error`` and ``line``."""
    found = (files("tamecheck.show") / "schemas").iterdir()
    return sorted(one.name.removesuffix(".json") for one in found if one.name.endswith(".json"))


def schema_of(name: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a verb's answer."""
    known = schema_names()
    if name not in known:
        raise InputError(f"There is no schema {name!r}.", hint=f"There are: {', '.join(known)}.")
    return json.loads((files("tamecheck.show") / "schemas" / f"{name}.json").read_text("utf-8"))
