"""The options of ``mantle-iam generate``, under the headings of its help, and the lists below them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mantle_iam.cli.headings import options
from mantle_iam.generate.artifact import Kind, TrustedBy
from mantle_iam.generate.purposes import PURPOSES
from mantle_iam.generate.render import FORMATS, format_names
from mantle_iam.mantle.operations import AuthMethod

F = TypeVar("F", bound=Callable[..., Any])
Declared = tuple[tuple[str, ...], dict[str, Any]]


def _one(*names: str, metavar: str, help: str, **more: Any) -> Declared:  # noqa: A002 - click's word
    return names, {"metavar": metavar, "help": help, **more}


def _many(*names: str, metavar: str, help: str) -> Declared:  # noqa: A002
    return names, {"metavar": metavar, "help": help, "multiple": True}


def _flag(*names: str, help: str, **more: Any) -> Declared:  # noqa: A002
    return names, {"is_flag": True, "help": help, **more}


def _choice(*names: str, values: list[str], metavar: str, help: str, **more: Any) -> Declared:  # noqa: A002
    return names, {"type": click.Choice(values), "metavar": metavar, "help": help, **more}


_FROM = (
    _many("--for", "purposes", metavar="PURPOSE", help="What it is for; see the list below."),
    _many("--action", "actions", metavar="ACTION", help="An action, service:Name."),
    _one("--from", "report", metavar="FILE", help="A report of probe or explain (--output json); - for stdin."),
    _one("--narrow", metavar="FILE", help="A policy to narrow to what is used of it."),
    _one("--to", "used", metavar="FILE", help="What is used: used.schema.json, requests of evaluate, CloudTrail."),
)
_SCOPE = (
    _choice(
        "--auth",
        values=[method.value for method in AuthMethod],
        metavar="METHOD",
        help="sigv4, short-term-key or long-term-key; a key needs CallWithBearerToken. Default: the purpose's usual way.",
    ),
    _flag("--only-this-auth", help="Keys of the kind of --auth alone (BearerTokenType)."),
    _one("--account", metavar="ID", help="Only in this account (twelve digits)."),
    _one("--partition", metavar="P", help="aws, aws-us-gov …; default: that of the Region."),
    _many("--region", "regions", metavar="REGION", help="Only in this Region."),
    _many("--project", "projects", metavar="ID", help="Only this project (id or ARN)."),
    _many("--project-tag", "project_tags", metavar="KEY=VALUE", help="Only projects with this tag."),
    _many("--model", "models", metavar="ID", help="Only this model."),
    _many("--tier", "tiers", metavar="TIER", help="Only this service tier."),
    _flag(
        "--marketplace/--no-marketplace",
        help="With an account's first call to a model sold there. Default: where known to be needed.",
        default=None,
    ),
)
_FORM = (
    _choice(
        "--kind",
        values=[kind.value for kind in Kind],
        metavar="KIND",
        help="Kind of document; see below. Default: identity.",
    ),
    _choice(
        "--format",
        "format_name",
        values=list(format_names()),
        metavar="FORMAT",
        help="Form of the result; see below. Default: json.",
        default="json",
    ),
    _one("--name", metavar="NAME", help="Name of the policy, role, user or permission set."),
    _one("--part", metavar="N", help="Only this document, where there are several.", type=click.IntRange(min=1)),
    _one("--output-file", metavar="FILE", help="Write the result to a file."),
    _flag("--explain", help="Say why each permission is there, what was proven, and how large it is."),
    _flag("-q", "--quiet", help="No notes."),
)
_TO = (
    _many("--attach-role", "roles", metavar="NAME", help="A role that gets the policy."),
    _many("--attach-user", "users", metavar="NAME", help="A user that gets it."),
    _many("--attach-group", "groups", metavar="NAME", help="A group that gets it."),
    _many("--target", "targets", metavar="ID", help="A root, unit or account that gets an SCP."),
    _one("--endpoint-id", "endpoint", metavar="ID", help="The VPC endpoint that gets it."),
    _one("--instance-arn", "instance", metavar="ARN", help="The Identity Center instance of a permission set."),
)
_DENY = (
    _many("--deny", "denials", metavar="WHAT", help="What to deny; see below. Makes an SCP unless --kind says else."),
    _one("--max-key-age", "max_key_age_days", metavar="DAYS", help="Longest life of a long-term key.", type=int),
    _many("--except-principal", "exempt_principals", metavar="ARN", help="Whom no Deny meets."),
    _one("--organization", metavar="ID", help="vpc-endpoint: only principals of this organization (o-…)."),
    _flag("--keep-other-services", help="boundary: leave all other services as they are."),
)
_TRUST = (
    _choice(
        "--trusted-by",
        values=[one.value for one in TrustedBy],
        metavar="WHO",
        help=f"Makes a role: {', '.join(TrustedBy)}.",
    ),
    _one("--repository", metavar="OWNER/NAME", help="github: this repository alone."),
    _one("--branch", metavar="NAME", help="github: this branch alone."),
    _one("--environment", metavar="NAME", help="github: this environment alone."),
    _one("--git-tag", "tag_ref", metavar="NAME", help="github: this tag alone."),
    _one("--oidc-provider", metavar="URL", help="irsa: the cluster's OpenID Connect provider."),
    _one("--cluster", metavar="NAME", help="pod-identity: this cluster alone."),
    _one("--namespace", metavar="NAME", help="irsa, pod-identity: the Kubernetes namespace."),
    _one("--service-account", metavar="NAME", help="irsa, pod-identity: the Kubernetes service account."),
)

_HEADINGS = (
    ("From (all but --from, --narrow and --to may be repeated)", _FROM),
    ("Limited to (account and partition once, the others may be repeated)", _SCOPE),
    ("As", _FORM),
    ("For whom", _TO),
    ("Denials and limits", _DENY),
    ("Roles", _TRUST),
)

_KINDS = {
    Kind.IDENTITY: "managed policy for users, roles and groups",
    Kind.INLINE: "inline policy of one of them",
    Kind.BOUNDARY: "permissions boundary; grants nothing",
    Kind.SCP: "service control policy (--deny)",
    Kind.VPC_ENDPOINT: "policy of an interface endpoint",
    Kind.SESSION: "session policy, for AssumeRole",
    Kind.PERMISSION_SET: "inline policy of an Identity Center permission set",
    Kind.TRUST: "role: trust policy and permissions (--trusted-by)",
    Kind.LONG_TERM_KEY: "user, policy and a long-term API key",
}


def _list(title: str, rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return f"{title}:\n\n\b\n" + "\n".join(f"  {name:<{width}}  {text}" for name, text in rows)


def below_options() -> str:
    """The lists below the options."""
    from mantle_iam.generate.kinds.denials import DENIALS

    return "\n\n".join(
        (
            _list("Purposes", [(one.name, one.title) for one in PURPOSES]),
            _list("Kinds", [(str(kind), text) for kind, text in _KINDS.items()]),
            _list("Formats", [(one.name, one.title) for one in FORMATS]),
            _list("To deny", [(one.name, one.title) for one in DENIALS]),
            "Exit codes: 0 done, 1 another policy denies or withholds it, 2 wrong usage, 3 not proven.",
        )
    )


def all_options(function: F) -> F:
    """Every option, in the order of the help."""
    for heading, declared in reversed(_HEADINGS):
        function = options(heading, declared)(function)
    return function
