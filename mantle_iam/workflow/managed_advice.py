"""Which managed policy of AWS fits a purpose, what more it gives, and the smallest policy of one's own.  Proven by ``evaluate``.

Only policies that AWS made for people are offered; one for the role of a single service may cover a purpose by chance and
change with that service.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from mantle_iam.errors import InputError
from mantle_iam.generate.least_privilege import least_privilege
from mantle_iam.generate.presets import Purpose, find_purpose, permissions_for, unserved_models
from mantle_iam.generate.scoping import CheckedScope
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import Effect, PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.iam.validation import policy_size
from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.managed_policies import MadeFor
from mantle_iam.mantle.operations import AuthMethod, Permission
from mantle_iam.mantle.scope import Scope
from mantle_iam.report.managed_records import Advice, Candidate, ManagedPolicy, Nearest, OwnPolicy, Reach
from mantle_iam.workflow.managed import current_policies, in_partition
from mantle_iam.workflow.managed_reach import action_reach, missing_actions, requests_about

OFFERED = (MadeFor.PEOPLE, MadeFor.WEB_SEARCH)
NEAREST = 3
OTHER_MODEL = "example.another-model"
_LEVELS = ("Write", "Tagging", "Permissions management", "Read", "List")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be allowed: purposes, how calls are authenticated (``None``: each purpose's usual way), and where."""

    purposes: tuple[str, ...]
    auth: AuthMethod | None = None
    scope: CheckedScope = field(default_factory=lambda: CheckedScope(Scope()))
    marketplace: bool | None = None


def advise(wish: Wish, policies: Iterable[ManagedPolicy] | None = None) -> Advice:
    """The managed policies that cover ``wish``, narrowest first, and the smallest policy of one's own.

    ``policies``: those to choose from; all that may be offered if ``None``.

    Raises:
        InputError: there is no such purpose, or the scope cannot be written.
        UndeterminedError: the own policy could not be proven.
    """
    if not wish.purposes:
        raise InputError("no purpose is named", help="--for inference, say")
    purposes = tuple(find_purpose(name) for name in wish.purposes)
    auth = wish.auth or usual_auth(purposes)
    scope = wish.scope.scope
    permissions = tuple(
        dict.fromkeys(
            permission
            for purpose in purposes
            for permission in permissions_for(purpose, auth, scope, marketplace=wish.marketplace)
        )
    )
    own = least_privilege(permissions)
    partition = _partition(permissions, scope.partition)
    chosen = policies is not None
    if policies is None:
        policies = [policy for policy in current_policies() if policy.made_for in OFFERED]
    there = [in_partition(policy, partition) for policy in policies]
    missing = {policy.name: missing_actions(policy.document, permissions) for policy in there}
    covering = [
        _candidate(policy, permissions, own.document, partition) for policy in there if not missing[policy.name]
    ]
    lacking = [Nearest(policy, missing[policy.name]) for policy in there if missing[policy.name]]
    return Advice(
        purposes=tuple(purpose.name for purpose in purposes),
        auth=auth.value,
        candidates=tuple(sorted(covering, key=lambda c: len(c.beyond) + sum(number for _, number in c.elsewhere))),
        nearest=tuple(sorted(lacking, key=lambda near: len(near.missing))[:NEAREST]),
        own=OwnPolicy(
            document=own.document,
            size=policy_size(own.document),
            command=generate_command(wish),
            requests=own.proof.requests,
            removals=own.proof.removals,
        ),
        notes=_wish_notes(wish, purposes, partition),
        chosen=chosen,
    )


def usual_auth(purposes: tuple[Purpose, ...]) -> AuthMethod:
    """The way of authenticating whose permissions serve all of ``purposes``: a key where one of them usually takes one."""
    usual = [purpose.auth for purpose in purposes]
    return next((method for method in usual if method.is_bearer), usual[0])


def _partition(permissions: tuple[Permission, ...], default: str) -> str:
    """The one that the permissions' ARNs name; of several, none can be right, and the default serves."""
    named = {
        permission.resource.split(":", 2)[1] for permission in permissions if permission.resource.startswith("arn:")
    }
    return named.pop() if len(named) == 1 else default


def _wish_notes(wish: Wish, purposes: tuple[Purpose, ...], partition: str) -> tuple[str, ...]:
    notes = [*wish.scope.notes, *(note for purpose in purposes for note in purpose.notes)]
    notes += unserved_models(purposes, wish.scope.scope.models)
    if partition != "aws":
        notes.append(
            f"that AWS's policies have the same text in {partition}, with ARNs of that partition, is an inference [INF]"
        )
    return tuple(dict.fromkeys(notes))


# -- what more a managed policy gives


def _candidate(
    policy: ManagedPolicy, permissions: tuple[Permission, ...], own: PolicyDocument, partition: str
) -> Candidate:
    asked = {permission.action.lower() for permission in permissions}
    beyond = tuple(
        info.name
        for info in catalog.actions(preview=False)
        if info.name.lower() not in asked
        and action_reach(policy.document, info.name, partition).reach is not Reach.NONE
    )
    elsewhere = _other_services(policy.document, asked)
    counts: dict[str, int] = {}
    for action in elsewhere:
        counts[action.partition(":")[0]] = counts.get(action.partition(":")[0], 0) + 1
    candidates = [*sorted(beyond, key=_danger), *(permission.action for permission in permissions), *elsewhere]
    return Candidate(
        policy=policy,
        beyond=beyond,
        elsewhere=tuple(sorted(counts.items())),
        witness=_witness(policy.document, own, candidates, partition),
        command=f"mantle-iam attach --managed {policy.short_name} --user NAME" if policy.short_name else None,
    )


def _danger(action: str) -> int:
    """What changes something comes before what reads."""
    info = catalog.known_action(action)
    level = info.access_level.partition(",")[0] if info else "Write"
    return _LEVELS.index(level) if level in _LEVELS else 0


def _other_services(document: PolicyDocument, asked: set[str]) -> tuple[str, ...]:
    """Actions of other services that Allow statements name and that nobody asked for."""
    patterns = dict.fromkeys(
        pattern
        for statement in document.statements
        if statement.effect is Effect.ALLOW
        for pattern in statement.actions
        if not pattern.lower().startswith(f"{overlay.SERVICE}:")
    )
    found = (action for pattern in patterns for action in catalog.expand(pattern) or (pattern,))
    return tuple(dict.fromkeys(action for action in found if action.lower() not in asked))


def _witness(
    wide: PolicyDocument, narrow: PolicyDocument, actions: Iterable[str], partition: str
) -> AuthorizationRequest | None:
    """The first request about ``actions`` that ``wide`` allows and ``narrow`` does not."""
    more, less = PolicySet(identity=(wide,)), PolicySet(identity=(narrow,))
    for action in dict.fromkeys(actions):
        for request in _variants(action, wide, partition):
            if (
                evaluate(request, more).decision is Decision.ALLOWED
                and evaluate(request, less).decision is not Decision.ALLOWED
            ):
                return request
    return None


def _variants(action: str, document: PolicyDocument, partition: str) -> Iterator[AuthorizationRequest]:
    for request in requests_about(document, action, partition):
        yield request
        if catalog.carries(action, overlay.MODEL_KEY):
            yield replace(request, context={**request.context, overlay.MODEL_KEY: OTHER_MODEL})


def generate_command(wish: Wish) -> str:
    """The command line that writes the smallest policy."""
    scope = wish.scope.scope
    words = ["mantle-iam", "generate"]
    for option, values in (
        ("--for", wish.purposes),
        ("--auth", (wish.auth.value,) if wish.auth else ()),
        ("--account", (scope.account,) if scope.account else ()),
        # A Region tells its partition by itself.
        ("--partition", (scope.partition,) if scope.partition != "aws" and not scope.regions else ()),
        ("--region", scope.regions),
        ("--project", scope.projects),
        ("--model", scope.models),
    ):
        for value in values:
            words += [f"{option}={value}"] if value.startswith("-") else [option, value]
    if wish.marketplace is not None:
        words.append("--marketplace" if wish.marketplace else "--no-marketplace")
    return shlex.join(words)
