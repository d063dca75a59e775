"""``mantle-iam generate``: the smallest policy for a purpose or a list of actions.

The document alone goes to standard output, notes to standard error.
"""

from __future__ import annotations

import click

from mantle_iam import bundled
from mantle_iam.errors import InputError
from mantle_iam.generate.actions import permissions_for_actions
from mantle_iam.generate.artifact import NAME_LIMIT, Artifact, checked_policy_name
from mantle_iam.generate.least_privilege import LeastPrivilegePolicy, least_privilege
from mantle_iam.generate.presets import (
    PURPOSES,
    Purpose,
    find_purpose,
    needs_marketplace,
    permissions_for,
    unserved_models,
)
from mantle_iam.generate.render import format_names, render
from mantle_iam.generate.scoping import CheckedScope, checked_scope
from mantle_iam.iam.matching import glob
from mantle_iam.iam.validation import MAX_CHARACTERS, StoredAs, policy_size
from mantle_iam.mantle.operations import AuthMethod, Permission, operations
from mantle_iam.mantle.scope import Scope
from mantle_iam.report.layout import clean

_EPILOG = "Purposes:\n\n\b\n" + "\n".join(f"  {p.name:<18} {p.title}" for p in PURPOSES)


def _template(name: str) -> str:
    return bundled.templates().joinpath(*name.split("/")).read_text("utf-8")


@click.command(epilog=_EPILOG)
@click.option(
    "--for", "purposes", multiple=True, metavar="PURPOSE", help="What it is for; may be repeated. See the list below."
)
@click.option("--action", "actions", multiple=True, metavar="ACTION", help="An action, service:Name; may be repeated.")
@click.option(
    "--auth",
    type=click.Choice([method.value for method in AuthMethod]),
    help="How calls are authenticated; a key needs bedrock-mantle:CallWithBearerToken. Default: the purpose's usual way.",
)
@click.option("--account", metavar="ID", help="Only in this account (twelve digits).")
@click.option("--region", "regions", multiple=True, metavar="REGION", help="Only in this region; may be repeated.")
@click.option(
    "--project", "projects", multiple=True, metavar="ID", help="Only this project (id or ARN); may be repeated."
)
@click.option("--model", "models", multiple=True, metavar="ID", help="Only this model; may be repeated.")
@click.option(
    "--marketplace/--no-marketplace",
    default=None,
    help="With the rights of an account's first call to a model that AWS Marketplace sells. Default: where known to be needed.",
)
@click.option("--kind", type=click.Choice(["identity"]), default="identity", show_default=True, help="Kind of policy.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(format_names()),
    default="json",
    show_default=True,
    help="Form of the result.",
)
@click.option("--name", metavar="NAME", help="Name of the policy (for formats that name it).")
@click.option(
    "--attach-role", "roles", multiple=True, metavar="NAME", help="terraform: attach to this role; may be repeated."
)
@click.option(
    "--attach-user", "users", multiple=True, metavar="NAME", help="terraform: attach to this user; may be repeated."
)
@click.option(
    "--attach-group", "groups", multiple=True, metavar="NAME", help="terraform: attach to this group; may be repeated."
)
@click.option("--explain", is_flag=True, help="Say on standard error why each permission is there.")
@click.option("--quiet", "-q", is_flag=True, help="No notes on standard error.")
def command(
    purposes: tuple[str, ...],
    actions: tuple[str, ...],
    auth: str | None,
    account: str | None,
    regions: tuple[str, ...],
    projects: tuple[str, ...],
    models: tuple[str, ...],
    marketplace: bool | None,
    kind: str,
    format_name: str,
    name: str | None,
    roles: tuple[str, ...],
    users: tuple[str, ...],
    groups: tuple[str, ...],
    explain: bool,
    quiet: bool,
) -> int:
    """Write the smallest IAM policy for a purpose or a list of actions.

    The policy is proven with the evaluation that AWS documents before it is printed: it allows everything that was asked for,
    and nothing in it can be left out. Notes go to standard error.

    \b
    mantle-iam generate --for chat --model openai.gpt-oss-120b
    mantle-iam generate --for responses --auth sigv4 --format terraform
    mantle-iam generate --action bedrock-mantle:ListModels --region us-east-1
    """
    wanted = tuple(find_purpose(purpose) for purpose in purposes)
    if not (wanted or actions):
        raise InputError(
            "nothing is asked for", help="name a purpose (--for chat) or an action (--action bedrock-mantle:ListModels)"
        )
    method, notes = _auth(auth, wanted, actions)
    scope = checked_scope(account=account, regions=regions, projects=projects, models=models)
    permissions, more = _permissions(wanted, actions, method, scope, marketplace)
    policy = least_privilege(permissions)
    artifact = Artifact(
        (policy.document,),
        name=checked_policy_name(name or "-".join(["mantle", *([p.name for p in wanted] or ["actions"])])[:NAME_LIMIT]),
        description=f"Amazon Bedrock Mantle: {', '.join(p.name for p in wanted) or 'actions by name'}",
        roles=tuple(map(checked_policy_name, roles)),
        users=tuple(map(checked_policy_name, users)),
        groups=tuple(map(checked_policy_name, groups)),
    )
    text = render(artifact, format_name, _template)
    if explain:
        _tell(_reasons(policy), "")
    if not quiet:
        unused = _unused_notes(format_name, name, {"role": roles, "user": users, "group": groups})
        _tell([*notes, *scope.notes, *more, *policy.notes, *_size_notes(policy), *unused], "note: ")
    click.echo(text, nl=False)
    return 0


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


def _permissions(
    purposes: tuple[Purpose, ...],
    actions: tuple[str, ...],
    method: AuthMethod,
    scope: CheckedScope,
    marketplace: bool | None,
) -> tuple[tuple[Permission, ...], list[str]]:
    found: list[Permission] = []
    notes: list[str] = []
    for purpose in purposes:
        found.extend(permissions_for(purpose, method, scope.scope, marketplace=marketplace))
        notes.extend(purpose.notes)
    asked = permissions_for_actions(actions, method, scope.scope)
    found.extend(asked.permissions)
    notes.extend(asked.notes)
    if marketplace is None and any(needs_marketplace(purpose, scope.scope) is None for purpose in purposes):
        notes.append(
            "if a model is sold through AWS Marketplace, the account's first call to it needs more rights: --marketplace"
        )
    conditioned = {condition.key for permission in found for condition in permission.conditions}
    if scope.scope.models and "bedrock-mantle:Model" not in conditioned:
        notes.append("--model has no effect: none of these actions carries bedrock-mantle:Model")
    if marketplace and not any(permission.action.startswith("aws-marketplace:") for permission in found):
        notes.append(
            "--marketplace has no effect: no purpose here calls a model; by name, it is "
            "--action aws-marketplace:Subscribe --action aws-marketplace:ViewSubscriptions"
        )
    notes.extend(unserved_models(purposes, scope.scope.models))
    notes.extend(_header_notes(found, scope.scope))
    return tuple(dict.fromkeys(found)), list(dict.fromkeys(notes))


def _header_notes(permissions: list[Permission], scope: Scope) -> list[str]:
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


def _unused_notes(format_name: str, name: str | None, attached: dict[str, tuple[str, ...]]) -> list[str]:
    """Options that only a format with names uses."""
    if format_name == "terraform":
        return []
    notes = ["--name has no effect: a JSON document has no name"] if name is not None else []
    notes += [
        f"--attach-{kind} has no effect without --format terraform; to attach the document: "
        f"mantle-iam attach --policy FILE --{kind} NAME"
        for kind, names in attached.items()
        if names
    ]
    return notes


def _size_notes(policy: LeastPrivilegePolicy) -> list[str]:
    size = policy_size(policy.document)
    managed, inline = MAX_CHARACTERS[StoredAs.MANAGED], MAX_CHARACTERS[StoredAs.USER_INLINE]
    if size > managed:
        return [f"the policy has {size} characters; a managed policy may have {managed}: split the purposes"]
    if size > inline:
        return [f"the policy has {size} characters; a user's inline policies may have {inline}: make it a managed one"]
    return []


def _reasons(policy: LeastPrivilegePolicy) -> list[str]:
    lines: list[str] = []
    for index, statement in enumerate(policy.document.statements):
        lines.append(f"{statement.sid}:")
        seen = dict.fromkeys(
            f"  {p.action}: {p.because} [{p.source}{f', {p.reference}' if p.reference else ''}]"
            for which, p in policy.causes
            if which == index
        )
        lines.extend(seen)
    lines.append(f"proven with {policy.proof.requests} requests allowed and {policy.proof.removals} removals refused")
    return lines


def _tell(lines: list[str], prefix: str) -> None:
    for line in dict.fromkeys(lines):
        click.echo(f"{prefix}{clean(line)}", err=True)
