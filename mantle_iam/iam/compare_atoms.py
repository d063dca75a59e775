"""Conditions as atoms: equal conditions of several statements are one thing, true or false together.

An atom answers for a value of its own key; where a policy variable or an operator that nobody knows decides, it answers on what
that hangs.  Knows no statement.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

from collections.abc import Iterable

from mantle_iam.iam.compare_values import Family, arn_codes, family_of, joined
from mantle_iam.iam.conditions import CompiledCondition, Context, read_operator
from mantle_iam.iam.kleene import Truth
from mantle_iam.iam.language import literal, plain
from mantle_iam.iam.matching import Token, Variable, parse_variables
from mantle_iam.iam.policy import Condition

Value = str | tuple[str, ...] | None
"""Of a context key: one, several, or absent."""


class _Asked:
    """A context that knows one key."""

    __slots__ = ("_key", "_value")

    def __init__(self, key: str, value: Value) -> None:
        self._key = key
        self._value = value

    def get(self, key: str, asked_as: str) -> Value | frozenset[str]:
        return self._value if key == self._key else frozenset({asked_as})


class Atom:
    """One condition, which several statements may have; equal conditions are one and the same atom."""

    __slots__ = (
        "_compiled",
        "_known",
        "_self_referring",
        "condition",
        "family",
        "key",
        "parts",
        "patterns",
        "plain",
        "qualifier",
    )

    def __init__(self, condition: Condition, variables: bool) -> None:
        self.condition = condition
        self.key = condition.key.lower()
        self._compiled = CompiledCondition(condition, variables)
        self._known: dict[Value, Truth] = {}
        form = read_operator(condition.operator)
        row = None if form is None else form.operator
        self.family = Family.PRESENCE if row is None else family_of(row.name)
        self.qualifier = None if form is None else form.qualifier
        self.plain = row is not None and self.qualifier is None
        """Whether it asks for one value."""
        self.parts = tuple(
            parts
            for parts in map(
                parse_variables, condition.values if variables and row is not None and row.variables else ()
            )
            if any(isinstance(part, Variable) for part in parts)
        )
        """Values with a policy variable, split."""
        self._self_referring = any(
            isinstance(part, Variable) and part.key.lower() == self.key for parts in self.parts for part in parts
        )
        literals = [value for value in condition.values if not (self.parts and _is_template(value))]
        tokens = [_tokens(value, variables and row is not None and row.variables) for value in literals]
        like = row is not None and row.name.endswith("Like")
        self.patterns = tuple(code for code in (_code(self.family, one, like) for one in tokens) if code is not None)

    @property
    def opaque(self) -> bool:
        """Whether its truth may hang on something else than the value of its key."""
        return bool(self.parts) or read_operator(self.condition.operator) is None

    def at(self, value: Value) -> Truth:
        """Whether it holds where its key has ``value``; names where that hangs on something else."""
        known = self._known.get(value)
        if known is None:
            if self._self_referring and isinstance(value, str):
                known = frozenset({self.condition.key})
            else:
                known = self._compiled.holds(_Asked(self.key, value))
            self._known[value] = known
        return known

    def within(self, context: Context) -> Truth:
        """Whether it holds in a context."""
        return self._compiled.holds(context)

    def excludes(self) -> tuple[str, ...] | None:
        """Codes of which one has to match for it to hold, where it is as simple as that."""
        if self.family is not Family.STRING or not self.plain or self.parts or "not" in self.condition.operator.lower():
            return None
        return self.patterns


def _is_template(value: str) -> bool:
    return any(isinstance(part, Variable) for part in parse_variables(value))


def _tokens(value: str, variables: bool) -> list[Token]:
    parts = parse_variables(value) if variables else ((True, value),)
    return [part for part in parts if not isinstance(part, Variable)]


def _code(family: Family, tokens: list[Token], like: bool) -> str | None:
    """The policy value as ``representatives`` wants it."""
    text = "".join(text for _, text in tokens)
    if family is Family.PRESENCE:
        return None
    if family is Family.ARN:
        code = arn_codes(tokens)
        return None if code is None else joined(code)
    if family is not Family.STRING:
        return text
    return literal(text) if not like else "".join(plain(part) if wild else literal(part) for wild, part in tokens)


class Atoms:
    """The atoms of one comparison."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, frozenset[str], bool], Atom] = {}

    def of(self, condition: Condition, variables: bool) -> Atom:
        """The atom of a condition; the order and number of its values do not matter."""
        templates = variables and any("${" in value for value in condition.values)
        key = (condition.operator.lower(), condition.key.lower(), frozenset(condition.values), templates)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Atom(condition, variables)
        return found


def variables_of(atoms: Iterable[Atom]) -> tuple[str, ...]:
    """The keys of the policy variables in ``atoms``, in lower case."""
    return tuple(
        dict.fromkeys(
            part.key.lower() for atom in atoms for parts in atom.parts for part in parts if isinstance(part, Variable)
        )
    )
