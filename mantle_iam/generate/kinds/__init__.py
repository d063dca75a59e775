"""Kinds of document: from what somebody wishes to a finished ``Artifact``, proven with ``evaluate()`` before it is given out.

One function per kind; ``assemble`` picks it, and only the module of the kind that is made is imported, so that the plain case
starts quickly.  Knows no format, no command line and no account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import MappingProxyType
from typing import Final

from mantle_iam.generate.artifact import Kind, TrustedBy
from mantle_iam.generate.kinds.limits import NAME_LIMITS, checked_entity
from mantle_iam.generate.kinds.wish import Made, Wish

__all__ = ["Made", "Wish", "assemble", "name_limit", "trust_uses", "uses"]


@dataclass(frozen=True, slots=True)
class _Maker:
    module: str
    function: str
    """Name of a function from a ``Wish`` to what is ``Made``."""
    uses: frozenset[str]
    """Beside what every kind uses."""


_ALWAYS: Final = frozenset({"kind", "name", "description", "partition", "scope"})
_GRANTED: Final = frozenset({"documents", "permissions", "auth"})
_DENIED: Final = frozenset({"denials", "max_key_age_days", "exempt_principals"})
_HOLDERS: Final = frozenset({"roles", "users", "groups"})

_MAKERS: Final[Mapping[Kind, _Maker]] = MappingProxyType(
    {
        Kind.IDENTITY: _Maker("granting", "make_identity", _GRANTED | _DENIED | _HOLDERS),
        Kind.INLINE: _Maker("granting", "make_inline", _GRANTED | _DENIED | _HOLDERS),
        Kind.BOUNDARY: _Maker("limiting", "make_boundary", _GRANTED | {"keep_other_services", "roles", "users"}),
        Kind.SCP: _Maker("limiting", "make_scp", _DENIED | {"targets"}),
        Kind.VPC_ENDPOINT: _Maker("endpoint", "make_endpoint", _GRANTED | {"account", "organization", "endpoint"}),
        Kind.SESSION: _Maker("limiting", "make_session", _GRANTED | {"roles"}),
        Kind.PERMISSION_SET: _Maker("granting", "make_permission_set", _GRANTED | _DENIED | {"instance"}),
        Kind.TRUST: _Maker(
            "trust",
            "make_trust",
            frozenset(
                {
                    "documents",
                    "permissions",
                    "account",
                    "trusted_by",
                    "repository",
                    "branch",
                    "environment",
                    "tag_ref",
                    "subject",
                    "oidc_provider",
                    "cluster",
                    "namespace",
                    "service_account",
                }
            ),
        ),
        Kind.LONG_TERM_KEY: _Maker("granting", "make_long_term_key", _GRANTED | _DENIED),
    }
)

_TRUST_USES: Final[Mapping[TrustedBy, frozenset[str]]] = MappingProxyType(
    {
        TrustedBy.GITHUB: frozenset(
            {"account", "repository", "branch", "environment", "tag_ref", "subject", "oidc_provider"}
        ),
        TrustedBy.IRSA: frozenset({"account", "oidc_provider", "cluster", "namespace", "service_account"}),
        TrustedBy.POD_IDENTITY: frozenset({"account", "cluster", "namespace", "service_account"}),
        TrustedBy.LAMBDA: frozenset(),
        TrustedBy.ECS: frozenset({"account"}),
        TrustedBy.EC2: frozenset(),
    }
)


def assemble(wish: Wish) -> Made:
    """The document of the kind that ``wish`` names.

    Raises:
        InputError: something is missing, impossible or does not fit the kind; ``help`` says what to do.
        UndeterminedError: the document could not be proven; nothing is offered then.
    """
    checked = replace(
        wish,
        roles=tuple(checked_entity("role", name) for name in wish.roles),
        users=tuple(checked_entity("user", name) for name in wish.users),
        groups=tuple(checked_entity("group", name) for name in wish.groups),
    )
    maker = _MAKERS[wish.kind]
    make: Callable[[Wish], Made] = getattr(import_module(f"{__name__}.{maker.module}"), maker.function)
    return make(checked)


def uses(kind: Kind) -> frozenset[str]:
    """Names of the fields of ``Wish`` that ``kind`` uses; the others have no effect on it."""
    return _ALWAYS | _MAKERS[kind].uses


def trust_uses(by: TrustedBy) -> frozenset[str]:
    """Names of the fields of ``Wish`` that say who may take on a role, as far as ``by`` uses them."""
    return _TRUST_USES[by]


def name_limit(kind: Kind) -> int:
    """Characters that AWS takes in the name of what ``kind`` makes."""
    longest, _ = NAME_LIMITS[kind]
    return longest
