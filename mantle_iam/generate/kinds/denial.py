"""A denial: its statements, and the requests that it must meet and must not meet; with what all denials build those of.

The rules of every denial: a negated operator stands only beside actions that carry its key, since it also holds where the key is
absent; each endpoint's ``CallWithBearerToken`` has a condition key of its own and so a statement of its own; and ``NotResource``
stands only beside actions that have a resource, since ``*`` is no ARN and would always be "another one".
Nothing here evaluates; ``deny_proof`` does.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from mantle_iam.generate.kinds.wish import Wish
from mantle_iam.iam.policy import Condition, Effect, Statement
from mantle_iam.iam.request import AuthorizationRequest, ContextValue
from mantle_iam.mantle import catalog
from mantle_iam.mantle.endpoint import partition_of
from mantle_iam.mantle.overlay import SERVICE

ACCOUNT: Final = "111122223333"
PRINCIPAL: Final = f"arn:aws:iam::{ACCOUNT}:role/example"
OTHER_REGION: Final = "eu-central-1"

Requests = tuple[AuthorizationRequest, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """The statements of one denial, and requests that show what it does."""

    statements: tuple[Statement, ...]
    denied: Requests
    """Must be denied, whatever allows them."""
    kept: Requests
    """Must stay as they are."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Denial:
    """Something that may be denied."""

    name: str
    title: str
    """One line for the help."""
    build: Callable[[Wish], Built]
    goes_by: frozenset[str] = frozenset()
    """Fields of ``Wish`` and its ``Scope`` that say what is denied."""


def request_for(action: str, resource: str = "*") -> AuthorizationRequest:
    """``action`` on ``resource``, by an ordinary role of an ordinary account."""
    return AuthorizationRequest(PRINCIPAL, action, (resource,), resource_account=ACCOUNT)


def with_key(request: AuthorizationRequest, key: str, value: ContextValue) -> AuthorizationRequest:
    """``request`` with one more key in its context."""
    return replace(request, context={**request.context, key: value})


def deny(
    sid: str, *actions: str, resources: tuple[str, ...] = ("*",), conditions: tuple[Condition, ...] = ()
) -> Statement:
    """A Deny statement; on every resource unless said."""
    return Statement(Effect.DENY, actions=actions, resources=resources, conditions=conditions, sid=sid)


def spellings(action: str) -> tuple[str, ...]:
    """``action`` in another case: IAM compares actions without regard to it."""
    return action, action.swapcase()


def sample(action: str, region: str = "us-east-1", project: str = "default") -> tuple[str, ...]:
    """One resource of each type that ``action`` takes; ``*`` where it takes none."""
    info = catalog.known_action(action)
    types = [use.name for use in info.resource_types] if info else []
    names = {
        "project": f"project/{project}",
        "customized-model": "customized-model/x7q4",
        "reservation": "reservation/x7q4",
    }
    return tuple(mantle_arn(region, names[name]) for name in types if name in names) or ("*",)


def mantle_arn(region: str, resource: str) -> str:
    """The ARN of ``resource`` (``project/default``) in ``region``."""
    return f"arn:{partition_of(region)}:{SERVICE}:{region}:{ACCOUNT}:{resource}"


def actions_on(types: tuple[str, ...]) -> tuple[str, ...]:
    """Actions of the reference that are authorised on one of ``types``, sorted."""
    return tuple(
        info.name for info in catalog.actions(preview=False) if any(use.name in types for use in info.resource_types)
    )


def preview_note() -> Iterator[str]:
    """That preview actions are left out of what is told by the resource; nothing where there are none."""
    names = [info.name.partition(":")[2] for info in catalog.actions() if info.preview]
    if names:
        yield (
            f"preview actions ({', '.join(names)}) are left out: on which resource they are authorised is not documented"
        )


def two_regions(partition: str) -> tuple[str, str]:
    """Two regions of ``partition``."""
    return ("us-gov-west-1", "us-gov-east-1") if partition == "aws-us-gov" else ("us-east-1", OTHER_REGION)
