"""Wishes written as JSON, for the tables of this folder and the shipped policies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mantle_iam.generate.artifact import Kind, TrustedBy
from mantle_iam.generate.kinds import Wish
from mantle_iam.generate.least_privilege import least_privilege
from mantle_iam.mantle.operations import AuthMethod, Permission, bearer_permission, permissions_for_action
from mantle_iam.mantle.scope import Scope

HERE = Path(__file__).parent


def table(name: str) -> Any:
    return json.loads((HERE / name).read_text("utf-8"))


def read_wish(written: dict[str, Any]) -> Wish:
    """``actions`` are granted within ``scope``, with the key's own permission where ``auth`` is a key; the rest is a field."""
    fields = dict(written)
    scope = Scope(**{name: tuple_of(value) for name, value in fields.pop("scope", {}).items()})
    auth = AuthMethod(fields.pop("auth")) if "auth" in fields else None
    permissions: list[Permission] = [
        one for action in fields.pop("actions", ()) for one in permissions_for_action(action, scope)
    ]
    if permissions and auth is not None and auth.is_bearer:
        permissions.append(bearer_permission())
    documents = (least_privilege(tuple(permissions)).document,) if permissions else ()
    if "trusted_by" in fields:
        fields["trusted_by"] = TrustedBy(fields["trusted_by"])
    return Wish(
        kind=Kind(fields.pop("kind")),
        documents=documents,
        permissions=tuple(permissions),
        scope=scope,
        auth=auth,
        **{name: tuple_of(value) for name, value in fields.items()},
    )


def tuple_of(value: Any) -> Any:
    return tuple(map(tuple_of, value)) if isinstance(value, list) else value
