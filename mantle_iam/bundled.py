"""Files shipped with the package: policy documents, Jinja2 templates, JSON Schemas.  The only reader of them.

A wheel carries the first two in ``mantle_iam/_bundled/``.  In a source tree, and so in an editable install, they are the
top-level ``policies/`` and ``templates/``.  Pure floors get what is read here as an argument.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# Not importlib.resources: its import costs a tenth of a whole offline command, and nothing here runs from a zip file.
_PACKAGE = Path(__file__).resolve().parent


def _root() -> Path:
    shipped = _PACKAGE / "_bundled"
    return shipped if shipped.is_dir() else _PACKAGE.parent


def policies() -> Path:
    """The folder of policy documents (``managed/``, ``examples/`` …)."""
    return _root() / "policies"


def templates() -> Path:
    """The folder of Jinja2 templates."""
    return _root() / "templates"


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema ``name`` (without ``.schema.json``).  Raises ``FileNotFoundError``."""
    loaded: dict[str, Any] = json.loads((_PACKAGE / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    return loaded
