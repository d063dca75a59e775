"""Denials put together: proven one by one, without what another one denies already, and with the principals who are exempt.

Knows the statements of no denial; those are ``denials.py``'s.
Source of the exemption: ``aws:PrincipalArn`` of a session is the role's ARN, path included
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.generate.kinds.denial import ACCOUNT, Built, Requests
from mantle_iam.generate.kinds.denials import DENIALS, find_denial
from mantle_iam.generate.kinds.deny_proof import DenyProof, all_denied, prove_denial
from mantle_iam.generate.kinds.limits import Limit, fitted
from mantle_iam.generate.kinds.wish import Wish
from mantle_iam.generate.patterns import covers, example
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.policy import Condition, PolicyDocument, Statement


@dataclass(frozen=True, slots=True)
class Denied:
    """The statements of all denials, what to say about them, and what was tried."""

    statements: tuple[Statement, ...]
    notes: tuple[str, ...]
    proofs: tuple[DenyProof, ...]
    reasons: tuple[str, ...] = ()
    """Which denial caused which statement: a line with the Sid, and under it the denial."""

    @property
    def proven(self) -> str:
        """One sentence without a full stop."""
        denied, kept, removals = (
            sum(getattr(proof, name) for proof in self.proofs) for name in ("denied", "kept", "removals")
        )
        return f"proven with {denied} requests denied, {kept} left as they are and {removals} removals that changed one of these"


def denied(wish: Wish, limit: Limit, *, as_scp: bool) -> Denied:
    """Everything that ``wish.denials`` name, to be stored within ``limit``.

    Raises:
        InputError: a denial does not exist, lacks what it needs or is too large, or an exempt principal cannot be one.
        UndeterminedError: a denial could not be proven.
    """
    named = {find_denial(name).name for name in wish.denials}
    chosen = tuple(denial for denial in DENIALS if denial.name in named)
    exempt, notes = exempt_principals(wish.exempt_principals)
    built: list[tuple[str, Built]] = []
    proofs: list[DenyProof] = []
    for denial in chosen:
        own = _exempting(denial.build(wish), exempt)
        # What is too large to be stored is not worth proving.
        fitted(PolicyDocument(own.statements), limit)
        proof = prove_denial(own, _as_principals(own, exempt, as_scp=as_scp), as_scp=as_scp)
        if proof.failures:
            more = f" and {len(proof.failures) - 1} more" if len(proof.failures) > 1 else ""
            raise UndeterminedError(
                f"the denial `{denial.name}` could not be proven: it {proof.failures[0]}{more}",
                help="ask for models, regions and projects that do not overlap",
            )
        built.append((denial.name, own))
        proofs.append(proof)
    statements, redundant = _without_redundancy(built)
    wanted = tuple(request for _, own in built for request in own.denied)
    if not all_denied(wanted, statements, as_scp=as_scp):
        raise UndeterminedError(
            "the denials together do not deny what each of them does", help="ask for them one by one"
        )
    return Denied(
        statements,
        tuple(
            dict.fromkeys(
                [
                    *notes,
                    *(f"{name} adds nothing beside the other denials and is left out" for name in redundant),
                    *(note for name, own in built if name not in redundant for note in own.notes),
                ]
            )
        ),
        tuple(proofs),
        tuple(_reasons(statements, built)),
    )


def _reasons(statements: tuple[Statement, ...], built: list[tuple[str, Built]]) -> Iterator[str]:
    for statement in statements:
        yield f"{statement.sid}:"
        yield from (
            f"  --deny {name}: {find_denial(name).title.rstrip('.').lower()}"
            for name, own in built
            if statement.sid in {one.sid for one in own.statements}
        )


def _without_redundancy(built: list[tuple[str, Built]]) -> tuple[tuple[Statement, ...], tuple[str, ...]]:
    """The statements without actions that another statement denies in at least the same requests, and the denials that vanish.

    By what the statements say, never by examples: requests of one denial need not show what another one leaves open.
    """
    owners = [name for name, own in built for _ in own.statements]
    kept = [statement for _, own in built for statement in own.statements]
    for index, statement in enumerate(kept):
        others = [other for position, other in enumerate(kept) if position != index]
        left = tuple(a for a in statement.actions if not any(_denies_all_of(other, a, statement) for other in others))
        kept[index] = replace(statement, actions=left)
    names = {owner for owner, statement in zip(owners, kept, strict=True) if statement.actions}
    return (
        tuple(statement for statement in kept if statement.actions),
        tuple(name for name, _ in built if name not in names),
    )


def _denies_all_of(wide: Statement, action: str, narrow: Statement) -> bool:
    """Whether ``wide`` surely denies ``action`` wherever ``narrow`` does: on every resource, under no further condition."""
    return action in wide.actions and wide.resources == ("*",) and set(wide.conditions) <= set(narrow.conditions)


def _exempting(built: Built, exempt: tuple[str, ...]) -> Built:
    if not exempt:
        return built
    condition = Condition("ArnNotLike", "aws:PrincipalArn", exempt)
    return replace(
        built,
        statements=tuple(replace(one, conditions=(condition, *one.conditions)) for one in built.statements),
    )


def _as_principals(built: Built, exempt: tuple[str, ...], *, as_scp: bool) -> Requests:
    """What is denied, as principals make it who are exempt: the first, the last, and of each statement what it alone denies."""
    if not exempt:
        return ()
    few = {0: None, len(built.denied) - 1: None}
    for statement in built.statements:
        others = tuple(other for other in built.statements if other is not statement)
        alone = (i for i, one in enumerate(built.denied) if not all_denied((one,), others, as_scp=as_scp))
        few.update(dict.fromkeys(islice(alone, 1)))
    return tuple(
        replace(built.denied[index], principal=_principal(pattern)) for pattern in exempt for index in sorted(few)
    )


def _principal(pattern: str) -> str:
    arn = Arn.parse(pattern)
    return str(replace(arn, account=example(arn.account, ACCOUNT), resource=example(arn.resource, "x7q4")))


def exempt_principals(texts: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """ARN patterns whom no denial meets, sorted, without those that another one covers; and what to say about them.

    Raises:
        InputError: a pattern is none, is a session's, or would exempt everybody.
    """
    arns = sorted({_checked_principal(text) for text in texts}, key=str)
    needed = [
        arn
        for arn in arns
        if not any(
            other != arn and covers(other.account, arn.account) and covers(other.resource, arn.resource)
            for other in arns
            if other.partition == arn.partition
        )
    ]
    notes = [
        f"{arn} exempts principals of that name in every account: whoever can make such a role there is exempt"
        for arn in needed
        if "*" in arn.account
    ]
    return tuple(map(str, needed)), notes


def _checked_principal(text: str) -> Arn:
    arn = Arn.try_parse(text)
    help_ = "give the ARN of a role or user: arn:aws:iam::111122223333:role/NAME, with its path"
    if arn is None or any(c in text for c in '"\\${}') or not text.isascii() or not text.isprintable():
        raise InputError(f"`{text}` is not the ARN of a principal", help=help_)
    if arn.service == "sts":
        raise InputError(
            f"`{text}` is a session, and the exemption is by role",
            help="give the role's ARN with its path; every session of the role is exempt then",
        )
    kind, _, name = arn.resource.partition("/")
    digits = len(arn.account) == 12 and arn.account.isdigit()
    if arn.service != "iam" or arn.region or not (digits or arn.account == "*"):
        raise InputError(f"`{text}` is not the ARN of a principal", help=help_)
    if arn.partition not in ("aws", "aws-us-gov", "aws-cn"):
        raise InputError(f"`{arn.partition}` is not a partition", help="aws, aws-us-gov or aws-cn")
    if arn.resource != "root" and (kind not in ("role", "user") or not name):
        raise InputError(f"`{text}` is not the ARN of a principal", help=help_)
    if not name.strip("*?/") and arn.resource != "root":
        raise InputError(f"`{text}` would exempt every {kind}", help="name the roles or users, or a path of theirs")
    return arn
