"""The conditions that bind an action to a scope: model, service tier, tags of the project, kind of key.

A condition goes only on an action that carries its key: on any other `StringEquals` never matches, so that the statement would
grant nothing.  Knows one action and one resource pattern at a time; which of them a call needs is ``operations.py``'s.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/tagging.html
"""

from __future__ import annotations

from typing import Final

from mantle_iam.iam.policy import Condition
from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.scope import Scope

TIER_KEY: Final = f"{overlay.SERVICE}:ServiceTier"
RESOURCE_TAG: Final = "aws:ResourceTag/"
REQUEST_TAG: Final = "aws:RequestTag/"

_LISTS: Final = frozenset((f"{overlay.SERVICE}:ListProjects", f"{overlay.SERVICE}:ListTagsForResource"))
"""What a call for a list of projects needs; the call names no project whose tags could be compared."""


def scoped_conditions(action: str, resource: str, scope: Scope, *, any_project: bool = False) -> tuple[Condition, ...]:
    """The conditions of ``scope`` whose keys a request for ``action`` on ``resource`` carries, and what calls of other
    services always need.

    ``any_project``: the call lists projects or makes one, so that there is no project yet which could have a tag; what the
    request itself says of tags is asked then, where it says anything.
    """
    found = list(overlay.CALL_CONDITIONS.get(action, ()))
    for key, values in (
        (overlay.MODEL_KEY, scope.models),
        (TIER_KEY, scope.tiers),
        (_bearer_key(action), (scope.token_type,) if scope.token_type else ()),
    ):
        if values and catalog.carries(action, key):
            found.append(Condition("StringEquals", key, tuple(sorted(set(values)))))
    return (*found, *_tag_conditions(action, resource, scope, any_project))


def _bearer_key(action: str) -> str:
    """Each of the twin actions has a key of its own; the other one's never matches."""
    return f"{action.partition(':')[0]}:BearerTokenType"


def _tag_conditions(action: str, resource: str, scope: Scope, any_project: bool) -> tuple[Condition, ...]:
    prefix = tag_prefix(action, resource, any_project=any_project) if scope.project_tags else None
    if prefix is None:
        return ()
    values: dict[str, set[str]] = {}
    for key, value in scope.project_tags:
        values.setdefault(key, set()).add(value)
    return tuple(Condition("StringEquals", f"{prefix}{key}", tuple(sorted(values[key]))) for key in sorted(values))


def tag_prefix(action: str, resource: str, *, any_project: bool = False) -> str | None:
    """The condition key, up to the tag's name, by which ``action`` can be bound to projects with a tag; ``None``: by none."""
    if f":{overlay.SERVICE}:" not in resource or ":project/" not in resource:
        return None
    if any_project:
        return REQUEST_TAG if action not in _LISTS and _has(action, REQUEST_TAG) else None
    return RESOURCE_TAG if _has(action, RESOURCE_TAG) else None


def _has(action: str, prefix: str) -> bool:
    return any(key.startswith(prefix) for key in catalog.condition_keys(action))
