"""Actions that are asked for by name: what they are granted on, and what is odd about each.

An unknown ``bedrock-mantle`` action is newer than our data, mistyped, or invented: it is granted all the same, with a note.
Knows no purpose and no document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.patterns import has_wildcard
from mantle_iam.iam.action import Action
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import (
    AuthMethod,
    Permission,
    bearer_permission,
    operations,
    permissions_for_action,
    takes_any_project,
)
from mantle_iam.mantle.overlay import BEARER_ACTION, CALL_CONDITIONS, RUNTIME, RUNTIME_BEARER_ACTION, SERVICE
from mantle_iam.mantle.scope import Scope
from mantle_iam.mantle.scope_conditions import scoped_conditions

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
        action = parsed_action(text)
        for name in _expanded(action, notes):
            permissions.extend(_permissions(name, scope, notes))
    asked = {permission.action for permission in permissions}
    services = {action.partition(":")[0].lower() for action in asked}
    notes.extend(_companions(asked))
    if auth.is_bearer and SERVICE in services and BEARER_ACTION not in asked:
        permissions.append(bearer_permission(scope=scope))
    if auth.is_bearer and RUNTIME in services and RUNTIME_BEARER_ACTION not in asked:
        permissions.append(
            replace(
                bearer_permission(),
                action=RUNTIME_BEARER_ACTION,
                conditions=scoped_conditions(RUNTIME_BEARER_ACTION, "*", scope),
            )
        )
    return AskedActions(tuple(dict.fromkeys(permissions)), tuple(dict.fromkeys(notes)))


def parsed_action(text: str) -> Action:
    """``text`` as an action that IAM can store: letters, digits, ``-``, ``_`` and wildcards.

    Raises:
        InputError: it is none.
    """
    action = Action.parse(text)
    for part in (action.service, action.name):
        if not all(c.isascii() and (c.isalnum() or c in "-_*?") for c in part):
            raise InputError(
                f"`{text}` is not an action", help="an action reads service:Name, as in bedrock-mantle:ListModels"
            )
    return action


def _companions(asked: set[str]) -> Iterator[str]:
    """What calls named after the actions always need besides and nobody asked for; refusals name it only later."""
    folded = {action.lower() for action in asked}
    for operation in operations():
        if operation.action.lower() not in folded:
            continue
        for need in operation.actions:
            if need.when is None and need.action.lower() not in folded:
                yield f"{operation.method} {operation.path} needs {need.action} as well: add --action {need.action}"


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
    many = f"{len(names)} actions" if len(names) > 1 else "1 action"
    notes.append(f"{action} was written as the {many} that it matches in the data of {catalog.catalog_date()}")
    return names


def _permissions(name: str, scope: Scope, notes: list[str]) -> tuple[Permission, ...]:
    service = name.partition(":")[0].lower()
    info = catalog.known_action(name)
    if info is None and has_wildcard(name) and service != SERVICE:
        of = "any service" if has_wildcard(service) else service
        notes.append(f"{name} grants every action of {of} that fits it, today's and later ones, on every resource (*)")
    elif info is None:
        near = catalog.nearest_action(name)
        hint = f" (did you mean {near}?)" if near else ""
        notes.append(
            f"{name} is not in the data of {catalog.catalog_date()}{hint}; it is written as asked, on every resource"
        )
    elif info.preview:
        notes.append(f"{info.name} is a preview action that the Service Authorization Reference does not list yet")
    if scope.projects and takes_any_project(name):
        notes.append(f"{name} is granted on every project: no single project's ARN was seen to cover it")
    if service in _SCOPED_SERVICES:
        return permissions_for_action(name, scope, because=ASKED)
    full = info.name if info else name
    if info is not None and info.resource_types:
        notes.append(
            f"{full} is granted on every resource (*): its resources are another service's, narrow them by hand"
        )
    return (Permission(full, "*", CALL_CONDITIONS.get(full, ()), ASKED, reference=info.reference if info else ""),)
