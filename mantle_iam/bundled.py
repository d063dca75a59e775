"""Files shipped with the package: policy documents, Jinja2 templates, JSON Schemas.  The only reader of them.

A wheel carries the first two in ``mantle_iam/_bundled/``.  In a source tree, and so in an editable install, they are the
top-level ``policies/`` and ``templates/``.  Pure floors get what is read here as an argument.
"""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any


def _root() -> Traversable:
    shipped = files("mantle_iam") / "_bundled"
    return shipped if shipped.is_dir() else Path(__file__).resolve().parent.parent


def policies() -> Traversable:
    """The folder of policy documents (``managed/``, ``examples/`` …)."""
    return _root() / "policies"


def templates() -> Traversable:
    """The folder of Jinja2 templates."""
    return _root() / "templates"


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema ``name`` (without ``.schema.json``).  Raises ``FileNotFoundError``."""
    loaded: dict[str, Any] = json.loads((files("mantle_iam") / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    return loaded
