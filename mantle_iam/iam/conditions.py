"""Condition operators: whether one line of a ``Condition`` block holds for a request context.

A table of operators, three ways of asking (plain, ``ForAllValues``, ``ForAnyValue``) and ``IfExists``.  Answers are
three-valued (``kleene.py``).  Knows no statement, no layer and no service.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
.../reference_policies_condition-single-vs-multi-valued-context-keys.html; "recorded" marks behaviour recorded from AWS
where the pages are silent or say otherwise.
"""

from __future__ import annotations

import operator as compare
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from mantle_iam.iam import values
from mantle_iam.iam.kleene import Truth, all_of, any_of
from mantle_iam.iam.matching import ArnPattern, Glob, Token, Variable, expand, parse_variables, split_arn
from mantle_iam.iam.policy import Condition


class Context(Protocol):
    """What a condition sees of a request."""

    def get(self, key: str, asked_as: str) -> str | tuple[str, ...] | frozenset[str] | None:
        """The value of the lower-case ``key``: one, several, ``None`` when absent, or a set of names when unknown."""


Test = Callable[[str], bool | None]
"""Whether one request value matches one policy value; ``None`` when the request value is malformed for the operator."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One base operator.

    ``compile`` makes a ``Test`` of a policy value in which variables are already expanded; it answers ``None`` for a
    policy value that can never match.
    """

    name: str
    compile: Callable[[list[Token]], Test | None]
    negated: bool = False
    variables: bool = False
    wellformed: Callable[[str], object | None] | None = None
    """``None`` for a request value that meets neither this operator nor its negation."""


def _literal(tokens: Iterable[Token]) -> str:
    return "".join(text for _, text in tokens)


def _string_equals(tokens: list[Token]) -> Test:
    wanted = _literal(tokens)
    return lambda actual: actual == wanted


def _string_equals_ignore_case(tokens: list[Token]) -> Test:
    # Lower-cased, not case-folded: "ſ" is not "S" (recorded).
    wanted = _literal(tokens).lower()
    return lambda actual: actual.lower() == wanted


def _string_like(tokens: list[Token]) -> Test:
    return Glob(tokens).matches


def _arn_like(tokens: list[Token]) -> Test:
    segments = split_arn(tokens)
    if segments is None:
        if _literal(tokens) == "*" and all(wild for wild, _ in tokens):
            # No page says what a lone `*` does here; taken to mean any ARN, as it does everywhere else.
            return lambda actual: True if values.read_arn(actual) else None
        return lambda actual: False if values.read_arn(actual) else None
    pattern = ArnPattern(segments)

    def test(actual: str) -> bool | None:
        fields = values.read_arn(actual)
        return None if fields is None else pattern.matches(fields)

    return test


def _bool(tokens: list[Token]) -> Test:
    # `true` in any case is true and every other text is false, on both sides (recorded).
    wanted = _literal(tokens).lower() == "true"
    return lambda actual: (actual.lower() == "true") == wanted


def _ordered(read: Callable[[str], Any], holds: Callable[[Any, Any], bool]) -> Callable[[list[Token]], Test | None]:
    def make(tokens: list[Token]) -> Test | None:
        wanted = read(_literal(tokens))
        if wanted is None:
            return None

        def test(actual: str) -> bool:
            # A request value that is no number or date equals nothing, so that the Not form is true (recorded).
            number = read(actual)
            return number is not None and holds(number, wanted)

        return test

    return make


def _ip_address(tokens: list[Token]) -> Test:
    network = values.read_network(_literal(tokens))

    def test(actual: str) -> bool | None:
        address = values.read_address(actual)
        return None if address is None else network is not None and network.covers(address)

    return test


_number, _date = values.read_number, values.read_date

OPERATORS: tuple[Operator, ...] = (
    Operator("StringEquals", _string_equals, variables=True),
    Operator("StringNotEquals", _string_equals, negated=True, variables=True),
    Operator("StringEqualsIgnoreCase", _string_equals_ignore_case, variables=True),
    Operator("StringNotEqualsIgnoreCase", _string_equals_ignore_case, negated=True, variables=True),
    Operator("StringLike", _string_like, variables=True),
    Operator("StringNotLike", _string_like, negated=True, variables=True),
    Operator("NumericEquals", _ordered(_number, compare.eq)),
    Operator("NumericNotEquals", _ordered(_number, compare.eq), negated=True),
    Operator("NumericLessThan", _ordered(_number, compare.lt)),
    Operator("NumericLessThanEquals", _ordered(_number, compare.le)),
    Operator("NumericGreaterThan", _ordered(_number, compare.gt)),
    Operator("NumericGreaterThanEquals", _ordered(_number, compare.ge)),
    Operator("DateEquals", _ordered(_date, compare.eq)),
    Operator("DateNotEquals", _ordered(_date, compare.eq), negated=True),
    Operator("DateLessThan", _ordered(_date, compare.lt)),
    Operator("DateLessThanEquals", _ordered(_date, compare.le)),
    Operator("DateGreaterThan", _ordered(_date, compare.gt)),
    Operator("DateGreaterThanEquals", _ordered(_date, compare.ge)),
    # The operators page lists variables as supported here; the variables page lists them as not supported.
    Operator("Bool", _bool, variables=True),
    # Exact base64 text: `YR==` and `YQ==` are the same byte and not equal (recorded).
    Operator("BinaryEquals", _string_equals),
    Operator("IpAddress", _ip_address),
    Operator("NotIpAddress", _ip_address, negated=True, wellformed=values.read_address),
    Operator("ArnEquals", _arn_like, variables=True),
    Operator("ArnNotEquals", _arn_like, negated=True, variables=True, wellformed=values.read_arn),
    Operator("ArnLike", _arn_like, variables=True),
    Operator("ArnNotLike", _arn_like, negated=True, variables=True, wellformed=values.read_arn),
)
_BY_NAME = {row.name.lower(): row for row in OPERATORS}

FOR_ALL_VALUES = "forallvalues"
FOR_ANY_VALUE = "foranyvalue"


@dataclass(frozen=True, slots=True)
class OperatorForm:
    """An operator as a policy writes it, taken apart.  ``operator`` is ``None`` for ``Null``."""

    operator: Operator | None
    qualifier: str | None = None
    if_exists: bool = False


def read_operator(text: str) -> OperatorForm | None:
    """``[ForAllValues:|ForAnyValue:]Operator[IfExists]``, or ``None`` for what AWS does not know.

    ``Null`` takes neither a qualifier nor ``IfExists``.
    """
    head, colon, tail = text.lower().partition(":")
    qualifier, name = (head, tail) if colon else (None, head)
    if qualifier not in (None, FOR_ALL_VALUES, FOR_ANY_VALUE):
        return None
    if name == "null":
        return OperatorForm(None) if qualifier is None else None
    base = name.removesuffix("ifexists")
    row = _BY_NAME.get(base)
    return None if row is None else OperatorForm(row, qualifier, base != name)


class CompiledCondition:
    """One operator, one key, its values, ready to be asked many times."""

    __slots__ = ("_fixed", "_form", "_templates", "_wanted_null", "condition", "key")

    def __init__(self, condition: Condition, variables: bool) -> None:
        self.condition = condition
        self.key = condition.key.lower()
        self._form = read_operator(condition.operator)
        self._wanted_null: frozenset[bool] = frozenset()
        fixed: list[Test] = []
        templates = []
        if self._form is not None and self._form.operator is None:
            self._wanted_null = frozenset(value.lower() == "true" for value in condition.values)
        elif self._form is not None and self._form.operator is not None:
            row = self._form.operator
            for value in condition.values:
                parts = parse_variables(value) if variables and row.variables else ((True, value),)
                tokens = [part for part in parts if not isinstance(part, Variable)]
                if len(tokens) < len(parts):
                    templates.append(parts)
                elif (test := row.compile(tokens)) is not None:
                    fixed.append(test)
        self._fixed = tuple(fixed)
        self._templates = tuple(templates)

    def holds(self, context: Context) -> Truth:
        """Whether the condition is met, or the names that would have to be known."""
        form = self._form
        if form is None:
            # An operator that AWS does not know (or that is newer than this table): nobody can say.
            return frozenset({self.condition.operator})
        actual = context.get(self.key, self.condition.key)
        if isinstance(actual, frozenset):
            return actual
        if form.operator is None:
            return (actual is None) in self._wanted_null
        return self._compare(form, form.operator, actual, context)

    def _compare(
        self, form: OperatorForm, row: Operator, actual: str | tuple[str, ...] | None, context: Context
    ) -> Truth:
        if actual is None:
            # "If the key is not present ... the values do not match"; so a negated operator is true, in a Deny too.
            if form.if_exists or form.qualifier == FOR_ALL_VALUES:
                return True
            return row.negated and form.qualifier is None
        if form.qualifier is None:
            if isinstance(actual, tuple):
                # A multi-valued key never matches without a set operator, nor does the negated form (recorded).
                return False
            if not self._templates:
                return _matches(row, self._fixed, actual)
            return _meets(row, *self._tests(row, context), actual)
        members = (actual,) if isinstance(actual, str) else actual
        if form.qualifier == FOR_ALL_VALUES:
            # True for "a null dataset, such as an empty string".
            if not members or actual == "":
                return True
            tests, unknown = self._tests(row, context)
            return all_of(_meets(row, tests, unknown, member) for member in members)
        tests, unknown = self._tests(row, context)
        return any_of(_meets(row, tests, unknown, member) for member in members)

    def _tests(self, row: Operator, context: Context) -> tuple[tuple[Test, ...], frozenset[str]]:
        """What the policy values ask, and the unknown keys in those of which it cannot be said yet."""
        tests = list(self._fixed)
        unknown: frozenset[str] = frozenset()

        def lookup(key: str) -> str | frozenset[str] | None:
            value = context.get(key.lower(), key)
            return None if isinstance(value, tuple) else value

        for parts in self._templates:
            tokens = expand(parts, lookup)
            if isinstance(tokens, frozenset):
                unknown |= tokens
            elif tokens is not None and (test := row.compile(tokens)) is not None:
                # A variable without a value equals nothing: the value drops out, and a negated operator matches.
                # So does a text that is no ARN once expanded: it must not disarm a Deny (recorded).
                tests.append(test)
        return tuple(tests), unknown


def _meets(row: Operator, tests: tuple[Test, ...], unknown: frozenset[str], actual: str) -> Truth:
    """One value that matches decides, whatever the unknown variable in another would be."""
    settled = _matches(row, tests, actual)
    return settled if not unknown or settled is not row.negated else unknown


def _matches(row: Operator, tests: tuple[Test, ...], actual: str) -> bool:
    """Several policy values are alternatives; a negated operator asks that none of them matches."""
    if not row.negated:
        return any(test(actual) for test in tests)
    if not tests:
        return row.wellformed is None or row.wellformed(actual) is not None
    for test in tests:
        outcome = test(actual)
        if outcome is None or outcome:
            # A malformed ARN or address in the request meets neither the operator nor its negation (recorded).
            return False
    return True
