"""Actions that are asked for by name: what they are granted on, and what is odd about each.

An unknown ``bedrock-mantle`` action is newer than our data, mistyped, or invented: it is granted all the same, with a note.
Knows no purpose and no document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mantle_iam.generate.patterns import has_wildcard
from mantle_iam.iam.action import Action
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import AuthMethod, Permission, bearer_permission, permissions_for_action
from mantle_iam.mantle.overlay import BEARER_ACTION, CALL_CONDITIONS, SERVICE
from mantle_iam.mantle.scope import Scope

ASKED: Final = "asked for by name"

# Together with bedrock-mantle's own, what the data's ARN patterns can be filled in for.
_SCOPED_SERVICES: Final = (SERVICE, "bedrock-websearch")


@dataclass(frozen=True, slots=True)
class AskedActions:
    """The permissions and what to tell about them, in sentences without a full stop."""

    permissions: tuple[Permission, ...]
    notes: tuple[str, ...] = ()


def permissions_for_actions(actions: tuple[str, ...], auth: AuthMethod, scope: Scope) -> AskedActions:
    """``actions`` within ``scope``; with a key also what every call with one needs.

    Raises:
        InputError: a text is no action.
    """
    permissions: list[Permission] = []
    notes: list[str] = []
    for text in actions:
        action = Action.parse(text)
        for name in _expanded(action, notes):
            permissions.extend(_permissions(name, scope, notes))
    of_service = any(p.action.partition(":")[0].lower() == SERVICE for p in permissions)
    has_bearer = any(p.action == BEARER_ACTION for p in permissions)
    if auth.is_bearer and of_service and not has_bearer:
        permissions.append(bearer_permission())
    return AskedActions(tuple(dict.fromkeys(permissions)), tuple(dict.fromkeys(notes)))


def _expanded(action: Action, notes: list[str]) -> tuple[str, ...]:
    """The actions that a pattern of ours stands for today; anything else as it is."""
    if not has_wildcard(action.name) or action.service.lower() != SERVICE:
        return (str(action),)
    names = tuple(
        name for name in catalog.expand(str(action)) if (info := catalog.known_action(name)) and not info.preview
    )
    if not names:
        notes.append(f"{action} matches no action in the data of {catalog.catalog_date()}; written as it is")
        return (str(action),)
    notes.append(
        f"{action} was written as the {len(names)} actions that it matches in the data of {catalog.catalog_date()}"
    )
    return names


def _permissions(name: str, scope: Scope, notes: list[str]) -> tuple[Permission, ...]:
    service = name.partition(":")[0].lower()
    info = catalog.known_action(name)
    if info is None:
        near = catalog.nearest_action(name)
        hint = f" (did you mean {near}?)" if near else ""
        notes.append(
            f"{name} is not in the data of {catalog.catalog_date()}{hint}; it is written as asked, on every resource"
        )
    elif info.preview:
        notes.append(f"{info.name} is a preview action that the Service Authorization Reference does not list yet")
    if service in _SCOPED_SERVICES:
        return permissions_for_action(name, scope, because=ASKED)
    full = info.name if info else name
    if info is not None and info.resource_types:
        notes.append(
            f"{full} is granted on every resource (*): its resources are another service's, narrow them by hand"
        )
    return (Permission(full, "*", CALL_CONDITIONS.get(full, ()), ASKED, reference=info.reference if info else ""),)
