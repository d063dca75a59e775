"""One policy as several documents, where one would be larger than AWS stores.

A statement goes whole where it fits; one that is too large by itself is cut along its longest list.  Every document is proven,
and all of them together.  Knows the number of characters, not what they are for.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.generate.grants import grants_of
from mantle_iam.generate.least_privilege import LeastPrivilegePolicy, document_of
from mantle_iam.generate.proof import Proof, prove, prove_all
from mantle_iam.iam.policy import PolicyDocument, Statement
from mantle_iam.iam.validation import policy_size
from mantle_iam.mantle.operations import Permission

_ACTIONS, _RESOURCES = -1, -2


@dataclass(frozen=True, slots=True)
class SplitPolicy:
    """The documents, in the order of the statements of the one they were cut from, and the proof of all together."""

    documents: tuple[PolicyDocument, ...]
    proof: Proof


def split(policy: LeastPrivilegePolicy, permissions: tuple[Permission, ...], limit: int) -> SplitPolicy:
    """``policy`` in documents of at most ``limit`` characters each; as it is when it is no larger.

    ``permissions`` is what it was made from.  Deterministic.

    Raises:
        InputError: one action on one resource with one value of each condition is larger than ``limit``.
        UndeterminedError: the documents could not be proven.
    """
    if policy_size(policy.document) <= limit:
        return SplitPolicy((policy.document,), policy.proof)
    documents = tuple(_packed(policy.document.statements, limit))
    for document in documents:
        _hold(prove(document, _permissions_of(document)))
    return SplitPolicy(documents, _hold(prove_all(documents, permissions)))


def _hold(proof: Proof) -> Proof:
    if not proof.holds:
        raise UndeterminedError(
            f"the policy could not be split with a proof: it {proof.failures[0]}", help="ask for less at a time"
        )
    return proof


def _packed(statements: Iterable[Statement], limit: int) -> Iterable[PolicyDocument]:
    bins: list[list[Statement]] = []
    for statement in statements:
        for piece in _pieces(statement, limit):
            # Into the first document with room, so that documents are few and a small statement fills a gap.
            room = next((one for one in bins if policy_size(_joined([*one, piece])) <= limit), None)
            if room is None:
                bins.append([piece])
            else:
                room.append(piece)
    return map(_joined, bins)


def _joined(statements: list[Statement]) -> PolicyDocument:
    """The statements as one document; pieces of one statement become one again."""
    return document_of(
        grant for one in statements for permission in _permissions(one) for grant in grants_of(permission)
    )


def _pieces(statement: Statement, limit: int) -> Iterable[Statement]:
    """The statement in pieces that fit, the first ones as large as they can be."""
    if policy_size(_joined([statement])) <= limit:
        yield statement
        return
    which, count = _longest_list(statement)
    # At least one element goes into the first piece; where even that is too large, another list of it is cut.
    taken = 1 + bisect_right(
        range(2, count), limit, key=lambda number: policy_size(_joined([_cut(statement, which, 0, number)]))
    )
    for piece in (_cut(statement, which, 0, taken), _cut(statement, which, taken, count)):
        yield from _pieces(piece, limit)


def _longest_list(statement: Statement) -> tuple[int, int]:
    """The list with the most characters that can be cut, and its length: a condition's index, ``_ACTIONS`` or ``_RESOURCES``."""
    lists = {_ACTIONS: statement.actions, _RESOURCES: statement.resources} | {
        index: condition.values for index, condition in enumerate(statement.conditions) if _can_be_cut(statement, index)
    }
    which = max(lists, key=lambda one: (_length(lists[one]), one))
    if not _length(lists[which]):
        raise InputError(
            f"`{statement.actions[0]}` on `{statement.resources[0][:100]}` alone is larger than the limit of one document"
        )
    return which, len(lists[which])


def _cut(statement: Statement, which: int, start: int, end: int) -> Statement:
    """The statement with that part of one list: all parts together allow what it allows."""
    if which == _ACTIONS:
        return replace(statement, actions=statement.actions[start:end])
    if which == _RESOURCES:
        return replace(statement, resources=statement.resources[start:end])
    less = replace(statement.conditions[which], values=statement.conditions[which].values[start:end])
    return replace(statement, conditions=(*statement.conditions[:which], less, *statement.conditions[which + 1 :]))


def _length(values: tuple[str, ...]) -> int:
    """Characters of a list that can be cut; 0 for one that cannot."""
    return sum(map(len, values)) if len(values) > 1 else 0


def _can_be_cut(statement: Statement, index: int) -> bool:
    """Whether the values of the condition are alternatives; those of a negated operator hold together."""
    condition = statement.conditions[index]
    only = Permission(statement.actions[0], statement.resources[0], (condition,))
    return len(grants_of(only)) == len(set(condition.values))


def _permissions_of(document: PolicyDocument) -> tuple[Permission, ...]:
    return tuple(permission for statement in document.statements for permission in _permissions(statement))


def _permissions(statement: Statement) -> Iterable[Permission]:
    return (
        Permission(action, resource, statement.conditions)
        for action in statement.actions
        for resource in statement.resources
    )
