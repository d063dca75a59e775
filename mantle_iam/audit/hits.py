"""Where one statement applies among many questions: surely, perhaps, and beyond the place that each question names.

A question names one project and one region (and perhaps a model).  A statement that lets its action pass on another project, in
another region or for another model is *wider*; so is a Deny that leaves such a place alone.  Knows one statement at a time.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/security-iam-projects.html (permissions by project)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mantle_iam.audit.verdict import Hit
from mantle_iam.iam.compiled import CompiledStatement
from mantle_iam.iam.conditions import Context
from mantle_iam.iam.kleene import Truth, all_of
from mantle_iam.iam.language import STAR, Symbols, coded, covers, literal, meet, plain
from mantle_iam.iam.matching import Variable, expand, parse_variables
from mantle_iam.iam.policy import Statement
from mantle_iam.mantle import overlay
from mantle_iam.mantle.operations import OPERATIONS

_MODEL: Final = overlay.MODEL_KEY.lower()
_OF_EVERY_PROJECT: Final = frozenset(
    need.action for operation in OPERATIONS for need in operation.actions if need.any_project
)
"""Actions that no single project's ARN covers."""


@dataclass(slots=True)
class Place:
    """One account's (or nobody's) view of the questions: resources filled in, contexts by the caller."""

    resources: tuple[str, ...]
    contexts: tuple[Context, ...]
    kinds: tuple[str, ...]
    """By question the pattern of all resources that might be asked about instead, as ``kind_of`` has it."""


@lru_cache(maxsize=4096)
def kind_of(action: str, resource: str) -> str:
    """Code of the pattern of ``resource`` in every region and by every name; empty where there is nothing to choose."""
    fields = resource.split(":", 5)
    type_, slash, name = fields[-1].partition("/")
    if len(fields) < 6 or not slash:
        return ""
    # What takes every project is granted on all of them or not at all.
    free = literal(name) if "*" in name and action in _OF_EVERY_PROJECT else STAR
    return plain(":".join([*fields[:3], fields[3] and "*", fields[4], f"{type_}/"])) + free


def hit(statement: CompiledStatement, mask: int, place: Place) -> Hit | None:
    """The masks of one statement among the questions of ``mask``, whoever it means; ``None``: it applies to none."""
    sure, maybe = mask, 0
    wider = 0 if statement.deny else mask
    if not statement.unrestricted:
        sure = 0
        for index in bits(mask):
            truth = _applies(statement, place.resources[index], place.contexts[index])
            if truth is True:
                sure |= 1 << index
            elif truth is not False:
                maybe |= 1 << index
        wider = _wider(statement, sure if statement.deny else mask, place)
    if not (sure or maybe or wider):
        return None
    return Hit(statement.index, statement.statement.sid, statement.deny, sure, maybe, wider)


def bits(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _applies(statement: CompiledStatement, resource: str, context: Context) -> Truth:
    covered = statement.covers(resource, context)
    if covered is False or not statement.conditions:
        return covered
    return all_of([covered, *[condition.holds(context) for condition in statement.conditions]])


def _wider(statement: CompiledStatement, mask: int, place: Place) -> int:
    by_model = _of_model(statement.statement)
    others = [condition for condition in statement.conditions if condition.key != _MODEL]
    found = 0
    for index in bits(mask):
        kind, context = place.kinds[index], place.contexts[index]
        if not kind:
            continue
        other_model = by_model and isinstance(context.get(_MODEL, overlay.MODEL_KEY), str)
        if statement.deny:
            wider = other_model or not _everywhere(statement.statement, kind, context)
        else:
            beside = "" if other_model else place.resources[index]
            wider = _anywhere(statement.statement, kind, beside, context)
            wider = wider and all_of([condition.holds(context) for condition in others]) is not False
        if wider:
            found |= 1 << index
    return found


def _anywhere(statement: Statement, kind: str, beside: str, context: Context) -> bool:
    """Whether the statement's resources have one of ``kind`` among them other than ``beside``."""
    if statement.not_resources:
        return not any(covers(plain(one), kind) for one in statement.not_resources)
    return any(one != beside and _meets(one, kind, context) for one in statement.resources)


def _everywhere(statement: Statement, kind: str, context: Context) -> bool:
    """Whether they have every one."""
    if statement.not_resources:
        return not any(_meets(one, kind, context) for one in statement.not_resources)
    return any(covers(plain(one), kind) for one in statement.resources)


def _meets(pattern: str, kind: str, context: Context | None) -> bool:
    """Whether a resource of ``kind`` lies in ``pattern``; of a variable that is not known, whether one may."""
    if "${" not in pattern:
        return _meet(plain(pattern), kind)
    parts = parse_variables(pattern)

    def lookup(key: str) -> str | frozenset[str] | None:
        value = context.get(key.lower(), key) if context else frozenset({key})
        return None if isinstance(value, tuple) else value

    tokens = expand(parts, lookup)
    if isinstance(tokens, frozenset):
        tokens = [(True, "*") if isinstance(part, Variable) else part for part in parts]
    return tokens is not None and _meet(coded(tokens, Symbols()), kind)


@lru_cache(maxsize=16_384)
def _meet(code: str, kind: str) -> bool:
    fields, others = code.split(":", 5), kind.split(":", 5)
    if len(fields) < len(others):
        # A wildcard that covers several fields.
        return bool(meet(code, kind)[0])
    # No field of an ARN but the last has a colon in it.
    return all(meet(one, other)[0] for one, other in zip(fields, others, strict=True))


def places(
    statement: Statement, action: str, resource: str, model: str | None, denied: Iterable[Statement]
) -> Iterator[str]:
    """What an Allow that is wider than a question says of other places: patterns of resources, and the models that it names.

    Not what one of ``denied``, the Deny statements that meet the question, covers as well.
    """
    kind = kind_of(action, resource)
    by_model = model is not None and _of_model(statement)
    closed = [plain(pattern) for one in denied if not _of_model(one) for pattern in one.resources]
    for pattern in statement.resources or ("*",):
        # Where the model is what is missing, the place is not.
        beside = not covers(plain(pattern), literal(resource)) if by_model else pattern != resource
        if beside and _meets(pattern, kind, None) and not any(covers(one, plain(pattern)) for one in closed):
            yield pattern
    if by_model:
        named = [value for one in statement.conditions if one.key.lower() == _MODEL for value in one.values]
        yield f"{overlay.MODEL_KEY}: {', '.join(named)}"


def _of_model(statement: Statement) -> bool:
    return any(condition.key.lower() == _MODEL for condition in statement.conditions)
