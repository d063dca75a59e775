"""From a purpose to the permissions that it needs.  The table is ``purposes.py``'s.

A purpose names calls; what a call needs is ``mantle.operations``' to say.  What is asked for by name is ``actions.py``'s.
Knows no document and no format.
"""

from __future__ import annotations

from dataclasses import replace

from mantle_iam.errors import InputError
from mantle_iam.generate.purposes import PURPOSES as PURPOSES
from mantle_iam.generate.purposes import Call, Need
from mantle_iam.generate.purposes import Purpose as Purpose
from mantle_iam.mantle.models import known_model
from mantle_iam.mantle.operations import (
    AuthMethod,
    Operation,
    Permission,
    When,
    bearer_permission,
    conditional_permissions,
    operation_named,
    operations,
    permissions_for_action,
    required_permissions,
)
from mantle_iam.mantle.operations import needs_marketplace as sold_on_marketplace
from mantle_iam.mantle.scope import Scope
from mantle_iam.mantle.sources import Source


def purpose_names() -> tuple[str, ...]:
    """The purposes, in the order of the help."""
    return tuple(purpose.name for purpose in PURPOSES)


def find_purpose(name: str) -> Purpose:
    """The purpose called ``name``.

    Raises:
        InputError: there is none.
    """
    wanted = name.strip().lower().replace("_", "-")
    for purpose in PURPOSES:
        if wanted in (purpose.name, *purpose.aliases):
            return purpose
    from difflib import get_close_matches

    near = get_close_matches(wanted[:100], purpose_names(), n=1)
    advice = f"did you mean {near[0]}?" if near else f"purposes: {', '.join(purpose_names())}"
    raise InputError(f"no purpose `{name}`", help=advice)


def operations_of(purpose: Purpose) -> tuple[tuple[Operation, Call], ...]:
    """The operations of ``purpose``, each with the call that asks for it."""
    if purpose.every_read:
        return tuple(
            (operation, Call(operation.name, "a call that only reads", operation.source, operation.reference))
            for operation in operations()
            if operation.method == "GET" and operation.safe and not operation.preview and operation.source is Source.DOC
        )
    found = ((operation_named(call.operation), call) for call in purpose.calls)
    return tuple((operation, call) for operation, call in found if operation is not None)


def permissions_for(
    purpose: Purpose, auth: AuthMethod, scope: Scope, *, marketplace: bool | None = None
) -> tuple[Permission, ...]:
    """Everything that ``purpose`` needs.

    ``marketplace``: with the rights of the account's first call to a model that AWS Marketplace sells; ``None``: where the
    purpose or a model of ``scope`` is known to need them.
    """
    if marketplace is None:
        marketplace = bool(needs_marketplace(purpose, scope))
    # Once for all calls, so that the reason is not told for each.
    found = [bearer_permission(scope=scope)] if auth.is_bearer else []
    for operation, call in operations_of(purpose):
        found.extend(
            _with_reason(permission, call) for permission in required_permissions(operation, AuthMethod.SIGV4, scope)
        )
        wanted = {*call.circumstances, *([When.MARKETPLACE] if marketplace else [])}
        # A scope without models leaves Marketplace in; whether it is wanted has been decided above.
        found.extend(
            conditional.permission
            for conditional in conditional_permissions(operation, replace(scope, models=()))
            if conditional.when in wanted
        )
    for need in purpose.needs:
        found.extend(_needed(need, scope))
    return tuple(dict.fromkeys(found))


def _needed(need: Need, scope: Scope) -> tuple[Permission, ...]:
    return tuple(
        replace(permission, source=need.source, reference=need.reference)
        for permission in permissions_for_action(need.action, scope, because=need.reason)
    )


def _with_reason(permission: Permission, call: Call) -> Permission:
    """The permission, saying for what the call is made beside what the call needs."""
    # The permission's own source is that of the route; that the client makes the call may be known in another way.
    reason = call.reason if call.source is Source.DOC else f"{call.reason} [{call.source}]"
    return replace(permission, because=f"{reason} ({permission.because})" if permission.because else reason)


def unserved_models(purposes: tuple[Purpose, ...], models: tuple[str, ...]) -> tuple[str, ...]:
    """A sentence for each model that is known to serve none of the inference APIs of ``purposes``."""
    apis = tuple(
        dict.fromkeys(
            operation.api
            for purpose in purposes
            for operation, _ in operations_of(purpose)
            if operation.api is not None and operation.billable
        )
    )
    known = [known for model in models if (known := known_model(model)) is not None] if apis else []
    return tuple(
        f"model {model.id} serves {', '.join(model.apis)} and not {', '.join(apis)}: such a call fails whatever the policy"
        for model in known
        if not set(model.apis) & set(apis)
    )


def needs_marketplace(purpose: Purpose, scope: Scope) -> bool | None:
    """Whether the first call in an account must be able to subscribe to a model; ``None`` when that is not known.

    Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-access.html
    """
    if not any(operation.api is not None and operation.billable for operation, _ in operations_of(purpose)):
        return False
    return sold_on_marketplace(scope.models) if scope.models else (purpose.marketplace or None)
