"""Proof that a document is the least that grants a list of permissions.  Judged by ``iam.evaluation.evaluate`` alone.

- *Sufficient*: every representative request of every permission is ``allowed``.
- *Minimal*: without any one statement, action, resource or condition value, some of those requests is not.
- *No more*: every grant of the document is covered by a permission that was asked for.

Knows no catalogue and no preset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mantle_iam.generate.grants import Grant, grant_covers, grants_of
from mantle_iam.generate.witness import against, requests_for
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle.operations import Permission


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
    requests = tuple(_requests(document, permissions))
    insufficient: list[str] = []
    sole: dict[int, list[AuthorizationRequest]] = {}
    for request in requests:
        result = evaluate(request, PolicySet(identity=(document,)))
        if result.decision is not Decision.ALLOWED:
            insufficient.append(f"{request.action} on {request.resources[0]}")
        elif len({ref.statement for ref in result.determining}) == 1:
            # A request that two statements allow stays allowed whichever of them is cut; it proves nothing about either.
            sole.setdefault(result.determining[0].statement, []).append(request)

    superfluous: list[str] = []
    removals = 0
    for index, what, smaller in _removals(document):
        removals += 1
        if all(_allowed(request, smaller) for request in sole.get(index, ())):
            superfluous.append(what)
    return Proof(
        requests=len(requests),
        removals=removals,
        insufficient=tuple(dict.fromkeys(insufficient)),
        superfluous=tuple(superfluous),
        excessive=_excess(document, permissions),
    )


def _requests(document: PolicyDocument, permissions: tuple[Permission, ...]) -> Iterator[AuthorizationRequest]:
    """Every representative request, also in a context that fulfils none of the document's conditions on other keys."""
    conditions = tuple(condition for statement in document.statements for condition in statement.conditions)
    for permission in permissions:
        for request in requests_for(permission):
            yield request
            hostile = against(request, permission.conditions, conditions)
            if hostile != request:
                yield hostile


def _allowed(request: AuthorizationRequest, document: PolicyDocument) -> bool:
    return evaluate(request, PolicySet(identity=(document,))).decision is Decision.ALLOWED


def _removals(document: PolicyDocument) -> Iterator[tuple[int, str, PolicyDocument]]:
    """Every document that lacks one element of ``document``: statement index, what is gone, the rest.

    Statements other than the one that was cut are left out, since only requests that hang on it alone are tried.
    """
    for index, statement in enumerate(document.statements):
        name = f"statement {statement.sid or index}"
        yield index, name, replace(document, statements=())
        for what, smaller in _smaller(statement):
            yield index, f"{what} in {name}", replace(document, statements=(smaller,))


def _smaller(statement: Statement) -> Iterator[tuple[str, Statement]]:
    if len(statement.actions) > 1:
        for action in statement.actions:
            yield action, replace(statement, actions=tuple(a for a in statement.actions if a != action))
    if len(statement.resources) > 1:
        for resource in statement.resources:
            yield resource, replace(statement, resources=tuple(r for r in statement.resources if r != resource))
    for position, condition in enumerate(statement.conditions):
        if len(condition.values) < 2:
            continue
        for value in condition.values:
            less = replace(condition, values=tuple(v for v in condition.values if v != value))
            conditions = (*statement.conditions[:position], less, *statement.conditions[position + 1 :])
            yield f"`{value}` for {condition.key}", replace(statement, conditions=conditions)


def _excess(document: PolicyDocument, permissions: tuple[Permission, ...]) -> tuple[str, ...]:
    asked: dict[str, list[Grant]] = {}
    for permission in permissions:
        for grant in grants_of(permission):
            asked.setdefault(grant.action.lower(), []).append(grant)
    everything = [grant for grants in asked.values() for grant in grants]
    excess: list[str] = []
    for index, statement in enumerate(document.statements):
        # Whatever is left out of a list is granted, and no wish asks for that.
        if statement.effect is Effect.ALLOW and (statement.not_actions or statement.not_resources):
            excess.append(f"everything but a list, in statement {statement.sid or index}")
        for action in statement.actions:
            for resource in statement.resources:
                for given in grants_of(Permission(action, resource, statement.conditions)):
                    near = asked.get(action.lower(), [])
                    if given in near or any(grant_covers(want, given) for want in near or everything):
                        continue
                    excess.append(f"{action} on {resource}")
    return tuple(dict.fromkeys(excess))
