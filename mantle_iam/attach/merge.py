"""One inline policy of several hands: the statements of a document are put beside those that are there, and none is lost.

Decides which statement of ours is there already, which takes the place of an earlier one of ours, and which is new; knows no API.
Sid: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html (unique within a policy).
Version (policy variables came with 2012-10-17):
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mantle_iam.errors import InputError
from mantle_iam.iam.policy import PolicyDocument, Problem, Statement

VERSION = "2012-10-17"


@dataclass(frozen=True, slots=True)
class Merged:
    """The document of all hands."""

    document: PolicyDocument
    added: tuple[Statement, ...] = ()
    replaced: tuple[Statement, ...] = ()
    """Earlier statements, each with the Sid of one that takes its place."""
    present: tuple[Statement, ...] = ()
    """Statements that were there already."""

    @property
    def changed(self) -> bool:
        """Whether anything differs from what was there."""
        return bool(self.added or self.replaced)


def merge(current: PolicyDocument | None, wanted: PolicyDocument) -> Merged:
    """``current`` with the statements of ``wanted``.

    A statement that is there under whatever Sid is not added again.  One whose Sid is there, with other content, takes that
    one's place only where both are about the same services to the same effect: a version of the same statement.

    Raises:
        InputError: a Sid is taken by something else, or policy variables would change their meaning.
    """
    if current is None:
        return Merged(wanted, added=wanted.statements)
    _check_variables(current, wanted)
    statements = list(current.statements)
    problems = list(current.problems)
    added: list[Statement] = []
    replaced: list[Statement] = []
    present: list[Statement] = []
    for index, statement in enumerate(wanted.statements):
        if any(_same(statement, other) for other in statements):
            present.append(statement)
            continue
        at = next((i for i, other in enumerate(statements) if statement.sid and other.sid == statement.sid), None)
        if at is None:
            at = len(statements)
            added.append(statement)
            statements.append(statement)
        else:
            _check_sid(statements[at], statement)
            replaced.append(statements[at])
            statements[at] = statement
            problems = [problem for problem in problems if _index(problem) != at]
        problems.extend(_moved(problem, at) for problem in wanted.problems if _index(problem) == index)
    if not (added or replaced):
        return Merged(current, present=tuple(present))
    document = replace(current, statements=tuple(statements), version=VERSION, problems=tuple(problems))
    return Merged(document, tuple(added), tuple(replaced), tuple(present))


def _same(one: Statement, other: Statement) -> bool:
    return _content(one) == _content(other)


def _content(statement: Statement) -> tuple[object, ...]:
    """What a statement says, whatever its name and the order of its values."""
    return (
        statement.effect,
        frozenset(action.lower() for action in statement.actions),
        frozenset(action.lower() for action in statement.not_actions),
        frozenset(statement.resources),
        frozenset(statement.not_resources),
        statement.principals,
        statement.not_principals,
        frozenset((c.operator.lower(), c.key.lower(), frozenset(c.values)) for c in statement.conditions),
    )


def _check_sid(there: Statement, new: Statement) -> None:
    if there.effect is new.effect and _services(there) == _services(new) and not there.not_actions:
        return
    raise InputError(
        f"the inline policy has another statement `{new.sid}`, about something else",
        help="give the statement of the new policy another Sid",
    )


def _services(statement: Statement) -> frozenset[str]:
    return frozenset(action.partition(":")[0].lower() for action in statement.actions)


def _check_variables(current: PolicyDocument, wanted: PolicyDocument) -> None:
    """``${`` is a variable from version 2012-10-17 on and plain text before: neither may become the other."""
    for document, whose in ((current, "the inline policy that is there"), (wanted, "the new policy")):
        if document.version != VERSION and any(_has_variable(statement) for statement in document.statements):
            version = document.version or "2008-10-17"
            raise InputError(
                f"{whose} is of version {version} and holds `${{`, which means something else in version {VERSION}",
                help=f"give both the version {VERSION} first",
            )


def _has_variable(statement: Statement) -> bool:
    values = [value for condition in statement.conditions for value in condition.values]
    return any("${" in text for text in (*statement.resources, *statement.not_resources, *values))


def _index(problem: Problem) -> int | None:
    """The statement that ``problem`` is in; a lone statement's pointer has no number."""
    parts = problem.pointer.split("/")[1:]
    if not parts or parts[0] != "Statement":
        return None
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else 0


def _moved(problem: Problem, index: int) -> Problem:
    parts = problem.pointer.split("/")[2:]
    if parts and parts[0].isdecimal():
        parts = parts[1:]
    return replace(problem, pointer="/".join(["", "Statement", str(index), *parts]))
