"""From what somebody asks for to a finished artifact: the sources put together, proven, cut to size, made into a kind.

Composes ``generate`` with the readers of reports; no argument line and no printing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from mantle_iam.generate.artifact import Artifact, Kind
from mantle_iam.generate.kinds import Wish, assemble, name_limit
from mantle_iam.generate.kinds.limits import LIMITS, inline_limit
from mantle_iam.generate.kinds.wish import Details
from mantle_iam.generate.least_privilege import LeastPrivilegePolicy, least_privilege
from mantle_iam.generate.presets import find_purpose
from mantle_iam.generate.proof import Proof
from mantle_iam.generate.unscoped import unscoped_notes
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.validation import MAX_CHARACTERS, StoredAs, policy_size
from mantle_iam.workflow.asked import Asked, Scoped, Sources, ask
from mantle_iam.workflow.no_effect import refuse_lost_denials, unused_options, unused_scope

EXIT_DONE = 0
EXIT_WITHHELD = 1
"""A layer that this policy is not denies or withholds what is missing."""

_SPLIT = (Kind.IDENTITY, Kind.LONG_TERM_KEY, Kind.TRUST)
"""Kinds whose permissions may be several managed policies."""


@dataclass(frozen=True, slots=True)
class KindOptions(Details):
    """What is said about the kind of document."""

    kind: Kind | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Generated:
    """A finished artifact, or none where no policy would help; sentences without a full stop beside it."""

    artifact: Artifact | None
    notes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Lines that say which permission caused which statement, what was proven and how large it is."""
    withheld: tuple[str, ...] = ()
    """Layers that stand in the way whatever this policy says."""

    @property
    def exit_code(self) -> int:
        """1 when something else stands in the way, else 0."""
        return EXIT_WITHHELD if self.withheld else EXIT_DONE


def generate(sources: Sources, scoped: Scoped | None = None, options: KindOptions | None = None) -> Generated:
    """The document that is asked for.

    Raises:
        InputError: nothing is asked for, or what is asked for cannot be.
        UndeterminedError: it could not be proven; nothing is offered then.
    """
    scoped, options = scoped or Scoped(), options or KindOptions()
    kind = _kind(options)
    refuse_lost_denials(options, kind)
    asked = ask(sources, scoped, kind, alone=_needs_none(options, kind))
    if not asked.permissions and (asked.withheld or sources.report is not None) and not _needs_none(options, kind):
        return Generated(None, asked.notes, (), asked.withheld)
    policy = asked.policy
    if policy is None and asked.permissions:
        policy = least_privilege(asked.permissions)
    documents, proof, more = _documents(policy, asked, kind)
    wish = _wish(sources, asked, options, kind, documents)
    made = assemble(wish)
    notes = [*asked.notes, *asked.scope.notes, *(policy.notes if policy else ()), *more, *made.notes]
    notes += _no_effect(options, scoped, kind, asked)
    reasons = list(_reasons(policy, proof, asked)) if policy and proof else []
    reasons += [*made.reasons, *([made.proven] if made.proven else []), *_sizes(made.artifact)]
    return Generated(made.artifact, tuple(dict.fromkeys(notes)), tuple(reasons), asked.withheld)


def _kind(options: KindOptions) -> Kind:
    if options.kind is not None:
        return options.kind
    if options.trusted_by is not None:
        return Kind.TRUST
    return Kind.SCP if options.denials else Kind.IDENTITY


def _needs_none(options: KindOptions, kind: Kind) -> bool:
    """Whether the kind says something without any permission."""
    return bool(options.denials) or kind in (Kind.SCP, Kind.TRUST)


# -- the documents


def _documents(
    policy: LeastPrivilegePolicy | None, asked: Asked, kind: Kind
) -> tuple[tuple[PolicyDocument, ...], Proof | None, list[str]]:
    if policy is None:
        return (), None, []
    size, limit = policy_size(policy.document), MAX_CHARACTERS[StoredAs.MANAGED]
    if kind not in _SPLIT or size <= limit or asked.policy is not None:
        return (policy.document,), policy.proof, _size_notes(size, kind)
    # Imported here, since few policies are too large.
    from mantle_iam.generate.split import split

    parts = split(policy, asked.permissions, limit)
    note = (
        f"the policy has {size} characters; a managed policy may have {limit}, so it is {len(parts.documents)} documents, all of "
        "which are needed"
    )
    return parts.documents, parts.proof, [note]


def _size_notes(size: int, kind: Kind) -> list[str]:
    inline = MAX_CHARACTERS[StoredAs.USER_INLINE]
    if kind is not Kind.IDENTITY or size <= inline:
        return []
    return [f"the policy has {size} characters; a user's inline policies may have {inline}: make it a managed one"]


def _wish(
    sources: Sources, asked: Asked, options: KindOptions, kind: Kind, documents: tuple[PolicyDocument, ...]
) -> Wish:
    scope = asked.scope.scope
    words = ["mantle", *(find_purpose(name).name for name in sources.purposes)]
    words += ["actions"] if sources.actions else ["report"] if sources.report is not None else []
    words += ["narrowed"] if sources.narrow is not None else [*map(str, options.denials)]
    words += [str(kind)] if len(words) == 1 else []
    title = asked.title if documents else ", ".join(options.denials) or str(kind)
    said = {field.name: getattr(options, field.name) for field in fields(Details)}
    return Wish(
        kind=kind,
        documents=documents,
        permissions=asked.permissions,
        scope=scope,
        auth=asked.auth,
        name=options.name or "-".join(words)[: name_limit(kind)].rstrip("-"),
        description=f"Amazon Bedrock Mantle: {title}",
        partition=scope.partition,
        account=scope.account,
        **said,
    )


# -- what to say


def _no_effect(options: KindOptions, scoped: Scoped, kind: Kind, asked: Asked) -> Iterator[str]:
    denied_by: frozenset[str] = frozenset()
    if options.denials:
        from mantle_iam.generate.kinds.denials import denials_go_by

        denied_by = denials_go_by(options.denials)
    if asked.permissions and kind is not Kind.SCP:
        yield from unscoped_notes(asked.permissions, asked.scope.scope, denied_by)
    else:
        yield from unused_scope(scoped, kind, denied_by)
    yield from unused_options(options, kind, denied_by)


def _reasons(policy: LeastPrivilegePolicy, proof: Proof, asked: Asked) -> Iterator[str]:
    for index, statement in enumerate(policy.document.statements):
        yield f"{statement.sid or f'statement {index + 1}'}:"
        seen = dict.fromkeys(
            f"  {p.action}: {p.because} [{p.source}{f', {p.reference}' if p.reference else ''}]"
            for which, p in policy.causes
            if which == index
        )
        yield from seen or ("  kept from the old policy, which denies it",)
    yield (
        f"proven with {proof.requests} requests allowed and {proof.removals} removals refused; nothing beside what was asked is "
        "allowed"
    )
    if asked.policy is not None:
        yield "proven to allow nothing that the old policy does not"


def _sizes(artifact: Artifact) -> Iterator[str]:
    limit = inline_limit(artifact) if artifact.kind is Kind.INLINE else LIMITS[artifact.kind]
    for index, document in enumerate(artifact.documents):
        part = f" {index + 1} of {len(artifact.documents)}" if len(artifact.documents) > 1 else ""
        yield f"size: document{part} has {policy_size(document)} of {limit.characters} characters of {limit.what}"
