"""Files of other tools, as they lie beside policies: told by their content, so that a folder of them is no error.

Only what cannot be a policy, a template or anything else that is read here, by keys that its own format demands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_MARKS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("a Kubernetes manifest", frozenset({"apiVersion", "kind"})),
    ("a GitHub workflow", frozenset({"on", "jobs"})),
    ("a GitHub action", frozenset({"runs", "description"})),
    ("a Compose file", frozenset({"services"})),
    ("an npm package", frozenset({"name", "version", "dependencies"})),
    ("an OpenAPI document", frozenset({"openapi", "paths"})),
    ("a JSON schema", frozenset({"$schema", "type"})),
    ("parameters of a template (`--parameter` gives them)", frozenset({"ParameterKey", "ParameterValue"})),
)
_OURS = frozenset({"Statement", "PolicyDocument", "Resources", "Document", "Content"})


def foreign(value: object) -> str:
    """What else a value is; empty where that is not known."""
    if not isinstance(value, Mapping) or _OURS & set(value):
        return ""
    return next((name for name, keys in _MARKS if keys <= set(value)), "")
