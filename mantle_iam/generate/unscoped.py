"""What a scope cannot limit, said with the reason, so that nobody takes a policy for narrower than it is.

Reads permissions and the scope they were made for; changes neither.
Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html (which
action takes which resource and key), https://docs.aws.amazon.com/bedrock/latest/userguide/tagging.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.operations import Permission, takes_any_project
from mantle_iam.mantle.scope import Scope
from mantle_iam.mantle.scope_conditions import REQUEST_TAG, RESOURCE_TAG, TIER_KEY

Permissions = tuple[Permission, ...]


@dataclass(frozen=True, slots=True)
class _Limit:
    """One way of limiting, and what it does not reach."""

    field: str
    """Of ``Scope``."""
    asked: Callable[[Scope], bool]
    carried: Callable[[Permissions], bool]
    """Whether any permission is limited in this way."""
    say: Callable[[Permissions, Scope], Iterator[str]]


def unscoped_notes(permissions: Permissions, scope: Scope, denied_by: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Sentences without a full stop: what ``scope`` asks for and the permissions do not have, each with its reason.

    ``denied_by``: fields of the scope that denials in the same document go by, and that so have an effect in any case.
    """
    return tuple(
        dict.fromkeys(
            note
            for limit in _LIMITS
            if limit.asked(scope) and (limit.carried(permissions) or limit.field not in denied_by)
            for note in limit.say(permissions, scope)
        )
    )


def _names(permissions: Iterable[Permission]) -> str:
    return ", ".join(sorted({permission.action for permission in permissions}))


def _ours(permissions: Permissions) -> list[Permission]:
    return [one for one in permissions if one.action.startswith(f"{overlay.SERVICE}:")]


def _has_key(permissions: Permissions, *prefixes: str) -> bool:
    return any(condition.key.startswith(prefixes) for one in permissions for condition in one.conditions)


def _where(permissions: Permissions, scope: Scope) -> Iterator[str]:
    free = [one for one in permissions if one.resource == "*"]
    if not free:
        return
    asked = [
        word
        for word, given in (
            ("account", scope.account),
            ("Region", scope.regions),
            ("project", scope.projects or scope.project_tags),
        )
        if given
    ]
    yield f"{_names(free)}: on every resource, since these take no ARN that {' or '.join(asked)} could limit"
    if scope.regions:
        yield (
            "aws:RequestedRegion is not used for them: by two reports a policy with it refuses Mantle calls, by others it works"
        )


def _projects(permissions: Permissions, _: Scope) -> Iterator[str]:
    any_project = [one for one in _ours(permissions) if takes_any_project(one.action)]
    if any_project:
        yield (
            f"{_names(any_project)}: on every project, since the call lists projects or makes one and no single ARN covers that"
        )
    others = [one for one in _ours(permissions) if one.resource != "*" and ":project/" not in one.resource]
    if others:
        yield f"{_names(others)}: on resources that belong to no project (reservations, customized models)"


def _tags(permissions: Permissions, scope: Scope) -> Iterator[str]:
    tagged, requested = _has_key(permissions, RESOURCE_TAG), _has_key(permissions, REQUEST_TAG)
    if not tagged and not requested:
        yield "--project-tag has no effect: none of these actions works on a project whose tags could be asked"
        return
    free = [
        one
        for one in _ours(permissions)
        if one.resource != "*" and not any(c.key.startswith((RESOURCE_TAG, REQUEST_TAG)) for c in one.conditions)
    ]
    if free:
        yield f"{_names(free)}: on projects with any tags, since no key for tags is known of the call"
    if requested:
        names = ", ".join(sorted({key for key, _ in scope.project_tags}))
        yield f"a project can only be made with the tag {names} in the request (aws:RequestTag), so it is never untagged"
        yield (
            "TagResource with aws:RequestTag is needed to make such a project; there is no route for tags alone, so that no "
            "other project can be drawn in is an inference (INF)"
        )
    if tagged:
        yield (
            "calls without a project header are authorised on project/default; whether that can carry a tag is not known, so "
            "name a project with the tag in OpenAI-Project (Messages API: anthropic-workspace)"
        )


def _models(permissions: Permissions, _: Scope) -> Iterator[str]:
    if not _has_key(permissions, overlay.MODEL_KEY):
        yield "--model has no effect: none of these actions carries bedrock-mantle:Model"
        return
    free = [
        one for one in _ours(permissions) if _about_models(one) and not catalog.carries(one.action, overlay.MODEL_KEY)
    ]
    if free:
        yield f"{_names(free)}: for every model, since the call carries no bedrock-mantle:Model"


_OF_MODELS = tuple(f"{overlay.SERVICE}:{name}Inference" for name in ("Get", "Cancel", "Delete"))


def _about_models(permission: Permission) -> bool:
    return permission.action in (f"{overlay.SERVICE}:GetModel", f"{overlay.SERVICE}:ListModels", *_OF_MODELS)


def _tiers(permissions: Permissions, _: Scope) -> Iterator[str]:
    if not _has_key(permissions, TIER_KEY):
        yield "--tier has no effect: none of these actions carries bedrock-mantle:ServiceTier"
        return
    yield (
        "which strings bedrock-mantle:ServiceTier holds, and whether it is there when a call names no service_tier, is untested: "
        "try a call before relying on it, and name service_tier in every call"
    )


_LIMITS = (
    _Limit(
        "regions",
        lambda scope: bool(scope.account or scope.regions or scope.projects or scope.project_tags),
        lambda _: True,
        _where,
    ),
    _Limit("projects", lambda scope: bool(scope.projects), lambda _: True, _projects),
    _Limit(
        "project_tags",
        lambda scope: bool(scope.project_tags),
        lambda permissions: _has_key(permissions, RESOURCE_TAG, REQUEST_TAG),
        _tags,
    ),
    _Limit(
        "models",
        lambda scope: bool(scope.models),
        lambda permissions: _has_key(permissions, overlay.MODEL_KEY),
        _models,
    ),
    _Limit("tiers", lambda scope: bool(scope.tiers), lambda permissions: _has_key(permissions, TIER_KEY), _tiers),
)
