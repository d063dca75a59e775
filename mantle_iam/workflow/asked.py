"""From what somebody asks for to permissions: purposes, actions, reports and what was used, within one scope.

Makes no document, except where the narrowing of one is what is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.generate.actions import permissions_for_actions
from mantle_iam.generate.artifact import Kind
from mantle_iam.generate.least_privilege import LeastPrivilegePolicy
from mantle_iam.generate.presets import Purpose, find_purpose, needs_marketplace, permissions_for, unserved_models
from mantle_iam.generate.scoping import CheckedScope, checked_scope
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.call_context import TOKEN_TYPES
from mantle_iam.mantle.operations import AuthMethod, Permission, operations
from mantle_iam.mantle.scope import Scope

_LAYER = {
    Kind.BOUNDARY: PolicyType.PERMISSIONS_BOUNDARY,
    Kind.SESSION: PolicyType.SESSION,
    Kind.VPC_ENDPOINT: PolicyType.VPC_ENDPOINT,
}
"""The layer of which a document of that kind is a part; of any other kind it is the identity's own."""


@dataclass(frozen=True, slots=True)
class Sources:
    """From what a document is made.  Texts of files, not their names."""

    purposes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    report: str | None = None
    narrow: PolicyDocument | None = None
    used: str | None = None


@dataclass(frozen=True, slots=True)
class Scoped:
    """By what it is limited, as the caller wrote it."""

    auth: str | None = None
    only_this_auth: bool = False
    account: str | None = None
    partition: str | None = None
    regions: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    project_tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    marketplace: bool | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The permissions of all sources together."""

    permissions: tuple[Permission, ...]
    scope: CheckedScope
    auth: AuthMethod | None
    notes: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    title: str = ""
    policy: LeastPrivilegePolicy | None = None
    """Made already, by narrowing."""


def ask(sources: Sources, scoped: Scoped, kind: Kind, *, alone: bool = False) -> Asked:
    """Everything that is asked for.  ``alone``: the kind says something without any permission.

    Raises:
        InputError: nothing is asked for, or what is asked for cannot be.
        UndeterminedError: a report names nothing that is certain enough, or a narrower policy could not be proven.
    """
    if (sources.narrow is None) != (sources.used is None):
        raise InputError("a policy to narrow and what was used of it belong together")
    if sources.narrow is not None and sources.used is not None:
        return _narrowed(sources, scoped, sources.narrow, sources.used)
    wanted = tuple(find_purpose(purpose) for purpose in sources.purposes)
    if not (wanted or sources.actions or sources.report is not None or alone):
        raise InputError(
            "nothing is asked for",
            help="name a purpose (--for chat), an action (--action bedrock-mantle:ListModels) or a report (--from FILE)",
        )
    method, told = _auth(scoped.auth, wanted, sources.actions)
    scope = _scope(scoped, method)
    notes = [*told, *_auth_notes(scoped, method)] if wanted or sources.actions else []
    found, more = _permissions(wanted, sources.actions, method, scope.scope, scoped.marketplace)
    notes += more
    withheld: tuple[str, ...] = ()
    if sources.report is not None:
        missing, said, withheld = _reported(sources.report, kind, scoped)
        found = (*found, *missing)
        notes += said
    notes += _header_notes(found, scope.scope)
    auth = AuthMethod(scoped.auth) if scoped.auth else (method if wanted or sources.actions else None)
    title = ", ".join([*(p.name for p in wanted), *(["actions by name"] if sources.actions else [])])
    return Asked(
        tuple(dict.fromkeys(found)), scope, auth, tuple(dict.fromkeys(notes)), withheld, title or "what a report misses"
    )


def _scope(scoped: Scoped, method: AuthMethod) -> CheckedScope:
    return checked_scope(
        account=scoped.account,
        regions=scoped.regions,
        projects=scoped.projects,
        models=scoped.models,
        partition=scoped.partition,
        project_tags=scoped.project_tags,
        tiers=scoped.tiers,
        token_type=TOKEN_TYPES.get(method) if scoped.only_this_auth else None,
    )


def _narrowed(sources: Sources, scoped: Scoped, old: PolicyDocument, used: str) -> Asked:
    if sources.purposes or sources.actions or sources.report is not None:
        raise InputError(
            "--narrow takes what was used alone", help="leave --for, --action and --from out, or make two policies"
        )
    if scoped != Scoped(auth=scoped.auth):
        raise InputError(
            "--narrow takes its scope from the policy and from what was used",
            help="leave --account, --region, --project, --model and the other limits out",
        )
    from mantle_iam.generate.narrow import narrow
    from mantle_iam.generate.used import read_used

    narrowed = narrow(old, read_used(used))
    auth = AuthMethod(scoped.auth) if scoped.auth else None
    return Asked(
        narrowed.permissions,
        CheckedScope(Scope()),
        auth,
        narrowed.notes,
        (),
        "a policy narrowed to its use",
        narrowed.policy,
    )


def _reported(text: str, kind: Kind, scoped: Scoped) -> tuple[tuple[Permission, ...], list[str], tuple[str, ...]]:
    """The permissions that a report misses in the layer of ``kind``, notes, and what stands in the way elsewhere."""
    from mantle_iam.workflow.report_file import layer_name, read_report

    report = read_report(text)
    own = _LAYER.get(kind, PolicyType.IDENTITY)
    notes = list(report.notes)
    withheld = list(report.denied)
    elsewhere: dict[PolicyType, dict[str, None]] = {}
    for one in report.missing:
        if one.layer is not own:
            elsewhere.setdefault(one.layer, {}).setdefault(one.permission.action)
    withheld += [
        f"{layer_name(layer)} does not allow {', '.join(actions)}, and a policy of another layer does not change that"
        for layer, actions in elsewhere.items()
    ]
    found = tuple(one.permission for one in report.missing if one.layer is own)
    if not found and not withheld:
        if not report.allowed:
            raise UndeterminedError(
                "the report names no missing permission",
                help="its diagnoses say what is wrong; no policy ends that, or nothing is certain enough",
            )
        notes.append("nothing is missing: every call of the report was allowed")
    if found and replace(scoped, auth=None, only_this_auth=False) != Scoped():
        notes.append("what the report misses keeps the scope of the refused calls; other limits do not change it")
    return found, notes, tuple(dict.fromkeys(withheld))


def _auth(auth: str | None, purposes: tuple[Purpose, ...], actions: tuple[str, ...]) -> tuple[AuthMethod, list[str]]:
    if auth is not None:
        return AuthMethod(auth), []
    if not purposes and not any(action.strip().lower().startswith("bedrock") for action in actions):
        # Other services take no Bedrock API key.
        return AuthMethod.SIGV4, []
    # Of several purposes the first one that uses a key decides: its permissions serve signed calls, too.
    usual = [purpose.auth for purpose in purposes] or [AuthMethod.LONG_TERM_KEY]
    method = next((method for method in usual if method.is_bearer), usual[0])
    if method.is_bearer:
        return method, ["written for calls with a Bedrock API key; for signed calls (SigV4) alone, add --auth sigv4"]
    return method, ["written for signed calls (SigV4); for calls with a Bedrock API key, add --auth short-term-key"]


def _auth_notes(scoped: Scoped, method: AuthMethod) -> Iterator[str]:
    if scoped.only_this_auth and scoped.auth is None:
        raise InputError("--only-this-auth needs --auth", help="--auth short-term-key --only-this-auth")
    if scoped.only_this_auth and not method.is_bearer:
        yield (
            "--only-this-auth adds nothing to --auth sigv4: no key works without CallWithBearerToken, which this policy leaves "
            "out; another policy may still grant it"
        )
    elif scoped.auth is not None and method.is_bearer and not scoped.only_this_auth:
        yield f"keys of both kinds may be used with it; for {TOKEN_TYPES[method]} keys alone, add --only-this-auth"


def _permissions(
    purposes: tuple[Purpose, ...],
    actions: tuple[str, ...],
    method: AuthMethod,
    scope: Scope,
    marketplace: bool | None,
) -> tuple[tuple[Permission, ...], list[str]]:
    found: list[Permission] = []
    notes: list[str] = []
    for purpose in purposes:
        found.extend(permissions_for(purpose, method, scope, marketplace=marketplace))
        notes.extend(purpose.notes)
    asked = permissions_for_actions(actions, method, scope)
    found.extend(asked.permissions)
    notes.extend(asked.notes)
    if marketplace is None and any(needs_marketplace(purpose, scope) is None for purpose in purposes):
        notes.append(
            "if a model is sold through AWS Marketplace, the account's first call to it needs more rights: --marketplace"
        )
    if marketplace and not any(permission.action.startswith("aws-marketplace:") for permission in found):
        notes.append(
            "--marketplace has no effect: no purpose here calls a model; by name, it is "
            "--action aws-marketplace:Subscribe --action aws-marketplace:ViewSubscriptions"
        )
    notes.extend(unserved_models(purposes, scope.models))
    return tuple(dict.fromkeys(found)), notes


def _header_notes(permissions: Iterable[Permission], scope: Scope) -> list[str]:
    """Which project a call is authorised on is said by a header, and without it that is ``project/default``.

    Source: https://docs.aws.amazon.com/bedrock/latest/userguide/projects.html, .../workspaces.html
    """
    if not scope.projects or any(glob(project.rpartition("/")[2]).matches("default") for project in scope.projects):
        return []
    by_header = {one.action for one in operations() if one.api is not None or "/organization/projects" not in one.path}
    if not any(one.action in by_header and one.resource != "*" for one in permissions):
        return []
    return [
        "calls have to name the project in the header OpenAI-Project (Messages API: anthropic-workspace); without it they are "
        "authorised on project/default, which this policy leaves out"
    ]
