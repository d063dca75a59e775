"""Proof that documents are the least that grants a list of permissions.  Judged by ``iam.evaluation`` and ``iam.compare`` alone.

- *Sufficient*: every representative request of every permission is ``allowed``.
- *Minimal*: without any one statement, action, resource or condition value, some of those requests is not.
- *No more*: nothing is allowed that the permissions, written out one by one, would not allow.

Several documents act together, as the policies of one identity do.  Knows no catalogue and no preset.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mantle_iam.generate.witness import against, is_negated, requests_for
from mantle_iam.iam.compare import Included, Inclusion, Witness, allows_no_more
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle.operations import Permission

Documents = tuple[PolicyDocument, ...]
Place = tuple[int, int]
"""Index of a document, and of a statement in it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was tried and what did not hold; each failure in one phrase."""

    requests: int
    """Representative requests, all of which must be allowed."""
    removals: int
    """Elements taken away one at a time, each of which must matter."""
    insufficient: tuple[str, ...] = ()
    superfluous: tuple[str, ...] = ()
    excessive: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the document is sufficient, minimal and grants no more."""
        return not (self.insufficient or self.superfluous or self.excessive)

    @property
    def failures(self) -> tuple[str, ...]:
        """Everything that did not hold, as sentences without a full stop."""
        return (
            *(f"does not allow {text}" for text in self.insufficient),
            *(f"does not need {text}" for text in self.superfluous),
            *(f"allows more than was asked: {text}" for text in self.excessive),
        )


def prove(document: PolicyDocument, permissions: tuple[Permission, ...]) -> Proof:
    """Try ``document`` on ``permissions``.

    Raises:
        InputError: a permission's conditions cannot be fulfilled by any request.
    """
    return prove_all((document,), permissions)


def prove_all(documents: Documents, permissions: tuple[Permission, ...]) -> Proof:
    """Try ``documents`` together on ``permissions``.

    Raises:
        InputError: a permission's conditions cannot be fulfilled by any request.
    """
    requests = tuple(_requests(documents, permissions))
    insufficient: list[str] = []
    sole: dict[Place, list[AuthorizationRequest]] = {}
    marked: dict[tuple[Place, str], list[AuthorizationRequest]] = {}
    for request in requests:
        result = evaluate(request, PolicySet(identity=documents))
        places = {(ref.document, ref.statement) for ref in result.determining}
        if result.decision is not Decision.ALLOWED:
            insufficient.append(f"{request.action} on {request.resources[0]}")
        elif len(places) == 1:
            # A request that two statements allow stays allowed whichever of them is cut; it proves nothing about either.
            place = places.pop()
            sole.setdefault(place, []).append(request)
            for mark in _marks(request):
                marked.setdefault((place, mark), []).append(request)

    superfluous: list[str] = []
    removals = 0
    for place, element, what, smaller in _removals(documents):
        removals += 1
        # The requests that are about the element come first: mostly the first of them settles it.
        tried = itertools.chain(marked.get((place, element.lower()), ()), sole.get(place, ()))
        if all(_allowed(request, smaller) for request in tried):
            superfluous.append(what)
    return Proof(
        requests=len(requests),
        removals=removals,
        insufficient=tuple(dict.fromkeys(insufficient)),
        superfluous=tuple(superfluous),
        excessive=_excess(documents, permissions),
    )


def _requests(documents: Documents, permissions: tuple[Permission, ...]) -> Iterator[AuthorizationRequest]:
    """Every representative request, also in a context that fulfils none of the documents' conditions on other keys."""
    conditions = tuple(
        condition for document in documents for statement in document.statements for condition in statement.conditions
    )
    for permission in permissions:
        for request in requests_for(permission):
            yield request
            hostile = against(request, permission.conditions, conditions)
            if hostile != request:
                yield hostile


def _allowed(request: AuthorizationRequest, document: PolicyDocument) -> bool:
    return evaluate(request, PolicySet(identity=(document,))).decision is Decision.ALLOWED


def _marks(request: AuthorizationRequest) -> set[str]:
    """The texts of a request that an element of a statement may be about, in lower case."""
    values = (value for value in request.context.values() if isinstance(value, str))
    return {text.lower() for text in (request.action, request.resources[0], *values)}


def _removals(documents: Documents) -> Iterator[tuple[Place, str, str, PolicyDocument]]:
    """Every document that lacks one element: place of the statement, the element, what is gone in words, the rest.

    Statements other than the one that was cut are left out, since only requests that hang on it alone are tried.
    """
    for number, document in enumerate(documents):
        for index, statement in enumerate(document.statements):
            name = f"statement {statement.sid or index}"
            if len(documents) > 1:
                name += f" of document {number + 1}"
            place = (number, index)
            yield place, "", name, replace(document, statements=())
            for element, what, smaller in _smaller(statement):
                yield place, element, f"{what} in {name}", replace(document, statements=(smaller,))


def _smaller(statement: Statement) -> Iterator[tuple[str, str, Statement]]:
    if len(statement.actions) > 1:
        for action in statement.actions:
            yield action, action, replace(statement, actions=tuple(a for a in statement.actions if a != action))
    if len(statement.resources) > 1:
        for resource in statement.resources:
            yield (
                resource,
                resource,
                replace(statement, resources=tuple(r for r in statement.resources if r != resource)),
            )
    for position, condition in enumerate(statement.conditions):
        # A value of a negated operator is an exception: without it more is allowed, not less.
        if len(condition.values) < 2 or is_negated(condition.operator):
            continue
        for value in condition.values:
            less = replace(condition, values=tuple(v for v in condition.values if v != value))
            conditions = (*statement.conditions[:position], less, *statement.conditions[position + 1 :])
            yield value, f"`{value}` for {condition.key}", replace(statement, conditions=conditions)


def _excess(documents: Documents, permissions: tuple[Permission, ...]) -> tuple[str, ...]:
    """What the documents allow beyond the permissions, as a request that shows it; empty where there is nothing."""

    answer = allows_no_more(documents, (written_out(permissions),), actions=_actions(documents))
    return () if answer.result is Inclusion.HOLDS else (excess_text(answer),)


def excess_text(answer: Included) -> str:
    """An ``Included`` that does not hold, in one phrase: the witness, or why nothing is known."""
    if answer.witness is None:
        return f"it could not be decided whether it does ({answer.reason or 'no proof and no witness was found'})"
    return witness_text(answer.witness)


def witness_text(witness: Witness) -> str:
    """The request that shows it, in one phrase."""
    context = ", ".join(
        f"{key}={value if isinstance(value, str) else list(value)}" for key, value in sorted(witness.context.items())
    )
    return f"{witness.action} on {witness.resource}{f' with {context}' if context else ''}"


def written_out(permissions: tuple[Permission, ...]) -> PolicyDocument:
    """The permissions as they were asked for, one statement each: what a policy for them may allow and no more."""
    return PolicyDocument(
        statements=tuple(
            Statement(effect=Effect.ALLOW, actions=(p.action,), resources=(p.resource,), conditions=p.conditions)
            for p in dict.fromkeys(permissions)
        )
    )


def _actions(documents: Documents) -> tuple[str, ...]:
    named = (action for document in documents for statement in document.statements for action in statement.actions)
    return tuple(dict.fromkeys(action for action in named if "*" not in action and "?" not in action))
