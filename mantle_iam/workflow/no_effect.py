"""Options that change nothing in a document, said, so that nobody takes it for narrower than it is.

What a scope cannot limit of a *permission* is ``generate/unscoped.py``'s; here is what the document has no place for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Kind, TrustedBy
from mantle_iam.generate.kinds import trust_uses, uses

if TYPE_CHECKING:
    from mantle_iam.workflow.asked import Scoped
    from mantle_iam.workflow.generate import KindOptions

_OPTION_NAMES = {
    "roles": "--attach-role",
    "users": "--attach-user",
    "groups": "--attach-group",
    "targets": "--target",
    "endpoint": "--endpoint-id",
    "instance": "--instance-arn",
    "denials": "--deny",
    "max_key_age_days": "--max-key-age",
    "exempt_principals": "--except-principal",
    "trusted_by": "--trusted-by",
    "tag_ref": "--git-tag",
    "regions": "--region",
    "projects": "--project",
    "project_tags": "--project-tag",
    "models": "--model",
    "tiers": "--tier",
}
"""Fields whose option is called otherwise."""

_SCOPE = ("account", "regions", "projects", "project_tags", "models", "tiers")
_OF_DENIALS = frozenset({"max_key_age_days", "exempt_principals"})


def refuse_lost_denials(options: KindOptions, kind: Kind) -> None:
    """Something to deny that the document cannot deny is more than an option without effect.

    Raises:
        InputError: denials are asked of a kind that holds none.
    """
    if options.denials and "denials" not in uses(kind):
        raise InputError(
            f"a document of the kind {kind} holds no denials",
            help=f"make them a document of their own: --deny {options.denials[0]} --kind scp, or --kind identity",
        )


def unused_options(options: KindOptions, kind: Kind, denied_by: frozenset[str]) -> Iterator[str]:
    """Options about the kind that it does not use.  ``denied_by``: what the denials go by."""
    used = uses(kind)
    if options.trusted_by is not None and kind is Kind.TRUST:
        used = used - frozenset().union(*map(trust_uses, TrustedBy)) | trust_uses(options.trusted_by)
    for name in options.__dataclass_fields__:
        if name in ("kind", "name") or not getattr(options, name):
            continue
        if name not in used:
            what = f"a role that {options.trusted_by} may take on" if kind is Kind.TRUST and options.trusted_by else ""
            yield f"{_option(name)} has no effect on {what or f'a document of the kind {kind}'}"
        elif name in _OF_DENIALS and not _is_used_of_denials(name, options, kind, denied_by):
            needed = "old-keys" if name == "max_key_age_days" else "WHAT"
            yield f"{_option(name)} has no effect without --deny {needed}"


def _is_used_of_denials(name: str, options: KindOptions, kind: Kind, denied_by: frozenset[str]) -> bool:
    if name == "exempt_principals":
        return bool(options.denials)
    return name in denied_by or kind is Kind.LONG_TERM_KEY


def unused_scope(scoped: Scoped, kind: Kind, denied_by: frozenset[str]) -> Iterator[str]:
    """Limits that a document without permissions has no place for."""
    used = denied_by | (uses(kind) if kind is Kind.TRUST else frozenset())
    for name in _SCOPE:
        if getattr(scoped, name) and name not in used:
            yield f"{_option(name)} has no effect: nothing that is asked for goes by it"
    if scoped.auth is not None or scoped.only_this_auth:
        yield "--auth has no effect: no permission is asked for"


def _option(name: str) -> str:
    return _OPTION_NAMES.get(name, "--" + name.replace("_", "-"))
