"""Values of Terraform's expressions, as far as the code alone answers them.

Everything else is ``UNRESOLVED``; nothing is guessed.  Works on the syntax tree of python-hcl2 (Lark), knows no resource: what a
name means is asked of the ``Scope``.
Source: https://developer.hashicorp.com/terraform/language/expressions
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mantle_iam.collect.hcl_functions import (
    MISSING,
    Doubtful,
    Handle,
    Missing,
    Set,
    as_text,
    call,
    countable,
    known,
    pairs,
    vague,
    whole,
)
from mantle_iam.collect.hcl_texts import (
    Rendered,
    blanked,
    directive,
    heredoc,
    interpolations,
    joined,
    marks_of,
    rendered_text,
    unescaped,
)
from mantle_iam.collect.hcl_tree import Parser, children, inner, line_of, rule, token_of
from mantle_iam.collect.places import TextError, escape
from mantle_iam.collect.terraform_json import JsonNode
from mantle_iam.iam.grammar import Number
from mantle_iam.iam.inventory import UNRESOLVED, Place

_DEEPEST = 110
"""Expressions within expressions, locals and modules followed; Python's own stack takes about twice as many."""
_MOST_STEPS = 500_000
_ENDLESS = 1000
"""Characters of an expression within a heredoc."""

ReadFile = Callable[[str], tuple[str, str] | None]
"""The name of a file as the code has it, to its path and text."""


@dataclass(slots=True)
class Budget:
    """What one evaluation may still cost; code can ask for any amount of work in a few lines."""

    steps: int = _MOST_STEPS
    depth: int = 0

    @property
    def spent(self) -> bool:
        """Whether it is used up; all else is then unknown."""
        return self.steps <= 0


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean in one place of the code."""

    root: Callable[[str], Any]
    """``local``, ``var``, a type of resource …, to its value."""
    path: str
    read_file: ReadFile
    budget: Budget
    parser: Parser
    names: Mapping[str, Any] = field(default_factory=dict)
    """``each``, ``count``, and the variables of ``for`` and ``dynamic``."""


class Values:
    """Evaluates expressions in one scope."""

    __slots__ = ("scope",)

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def bound(self, names: Mapping[str, Any]) -> Values:
        """The same with more names."""
        return Values(replace(self.scope, names={**self.scope.names, **names}))

    def of(self, node: Any) -> Any:
        """The value of an expression."""
        budget = self.scope.budget
        evaluate = _RULES.get(rule(node))
        if evaluate is None or budget.depth > _DEEPEST or budget.spent:
            return UNRESOLVED
        budget.steps -= 1
        budget.depth += 1
        try:
            return evaluate(self, node)
        finally:
            budget.depth -= 1

    def term(self, node: Any) -> Any:
        """``expr_term``: its one inner rule, with or without parentheses."""
        return next((self.of(child) for child in inner(node)), UNRESOLVED)

    def string(self, node: Any) -> Any:
        """A quoted text with its interpolations."""
        found: list[Any] = []
        for part in children(node, "string_part"):
            content = next(iter(part.children), "")
            if not hasattr(content, "data"):
                found.append(unescaped(str(content)))
            elif rule(content) == "interpolation":
                found.append(self.of(next(inner(content), None)))
            else:
                return UNRESOLVED  # a directive
        return joined(found)

    def heredoc(self, node: Any) -> Any:
        """A text of many lines; of a JSON document, with the places of its elements."""
        written, line = token_of(node)
        text, raw = heredoc(written)
        value = self.template(text)
        if not isinstance(value, str) or isinstance(value, Rendered) or not self.scope.path:
            return value
        place = Place(self.scope.path, *line_of(node))
        return rendered_text(value, "", place, marks_of(value, blanked(raw), line + 1))

    def template(self, text: str) -> Any:
        """A text with ``${…}``; ``%{…}`` makes all of it unknown."""
        found: list[Any] = []
        for part, expression in interpolations(text):
            if not expression and directive(part):
                return UNRESOLVED
            found.append(self._embedded(part) if expression else part.replace("$${", "${").replace("%%{", "%{"))
        return joined(found)

    def _embedded(self, expression: str) -> Any:
        if len(expression) > _ENDLESS or "\n" in expression:
            return UNRESOLVED
        self.scope.budget.steps -= 100
        try:
            return self.expression(expression)
        except TextError:
            return UNRESOLVED

    def expression(self, text: str) -> Any:
        """The value of an expression in a text.  Raises ``TextError`` where it is none."""
        # Its lines are not those of a file.
        inside = Values(replace(self.scope, path=""))
        return UNRESOLVED if self.scope.budget.spent else inside.of(self.scope.parser.expression(text))

    def identifier(self, node: Any) -> Any:
        """A name alone."""
        name = str(node.children[0])
        return self.scope.names[name] if name in self.scope.names else self.scope.root(name)

    def attribute(self, node: Any) -> Any:
        """``a.b``."""
        owner, get = list(inner(node))[:2]
        return get_attribute(self.of(owner), _name(get))

    def index(self, node: Any) -> Any:
        """``a["b"]`` and ``a[0]``."""
        owner, get = list(inner(node))[:2]
        return get_index(self.of(owner), self._key(get))

    def _key(self, node: Any) -> Any:
        if rule(node) == "short_index":
            return Number(str(node.children[-1]))
        return next((self.of(child) for child in inner(node)), UNRESOLVED)

    def splat(self, node: Any) -> Any:
        """``a[*].b``."""
        owner, steps = list(inner(node))[:2]
        value = self.of(owner)
        if value is None:
            return []
        if not isinstance(value, list):
            if isinstance(value, Mapping | str):
                return UNRESOLVED
            value = [value]
        return type(value)(self._stepped(item, steps) for item in value)

    def _stepped(self, value: Any, steps: Any) -> Any:
        for step in inner(steps):
            value = get_attribute(value, _name(step)) if rule(step) == "get_attr" else get_index(value, self._key(step))
        return value

    def literal(self, node: Any) -> Any:
        """``true``, ``false``, ``null`` or a number."""
        written = "".join(str(child) for child in node.children)
        return {"true": True, "false": False, "null": None}.get(written, Number(written))

    def json_(self, node: JsonNode) -> Any:
        """A value of the JSON syntax."""
        value = node.value
        if isinstance(value, Mapping):
            return {name: self.of(item) for name, item in node.members()}
        if isinstance(value, list):
            return [self.of(item) for item in node.items()]
        if not isinstance(value, str) or isinstance(value, Number) or ("${" not in value and "%{" not in value):
            return value
        if value.startswith("${") and value.endswith("}"):
            try:
                return self.expression(value[2:-1])
            except TextError:
                pass  # several, as in "${a}-${b}"
        return self.template(value)

    def tuple_(self, node: Any) -> Any:
        """A list."""
        return [self.of(child) for child in inner(node)]

    def object_(self, node: Any) -> Any:
        """An object."""
        return {key: self.of(value) for key, value in elements(node, self)}

    def for_(self, node: Any) -> Any:
        """``[for … : …]`` and ``{for … : … => …}``."""
        parts = list(inner(node))
        intro = list(inner(parts[0])) if parts else []
        names = [str(each.children[0]) for each in intro[:-1]]
        over = pairs(self.of(intro[-1])) if intro else None
        grouped = any(str(child) == "..." for child in node.children if not hasattr(child, "data"))
        if over is None or grouped or not 1 <= len(names) <= 2:
            return UNRESOLVED
        condition = next((next(inner(part), None) for part in parts if rule(part) == "for_cond"), None)
        wanted = [part for part in parts[1:] if rule(part) != "for_cond"]
        found: list[Any] = []
        for key, item in over:
            values = self.bound(dict(zip(names, (key, item) if len(names) == 2 else (item,), strict=True)))
            holds = True if condition is None else values.of(condition)
            if not isinstance(holds, bool):
                return UNRESOLVED
            if holds:
                found.append([values.of(part) for part in wanted])
        if len(wanted) == 2:
            return {as_text(key): value for key, value in found}
        return [value for (value,) in found]

    def conditional(self, node: Any) -> Any:
        """``a ? b : c``, where ``a`` is known."""
        parts = list(inner(node))
        holds = self.of(parts[0]) if len(parts) == 3 else UNRESOLVED
        return UNRESOLVED if not isinstance(holds, bool) else self.of(parts[1 if holds else 2])

    def unary(self, node: Any) -> Any:
        """``!a`` and ``-a``."""
        value = self.of(next(inner(node), None))
        if str(node.children[0]) == "!":
            return not value if isinstance(value, bool) else UNRESOLVED
        number = whole(value)
        return UNRESOLVED if number is None else Number(-number)

    def binary(self, node: Any) -> Any:
        """Comparison, logic, and sums of whole numbers."""
        parts = list(inner(node))
        term = list(inner(parts[1])) if len(parts) == 2 else []
        if len(term) != 2:
            return UNRESOLVED
        operator = "".join(map(str, term[0].children)).strip()
        return _compared(operator, self.of(parts[0]), self.of(term[1]))

    def call(self, node: Any) -> Any:
        """A function, if it is one of those."""
        names = [str(child.children[0]) for child in children(node, "identifier")]
        nodes = [argument for found in children(node, "arguments") for argument in inner(found)]
        spread = any(str(c) == "..." for found in children(node, "arguments") for c in found.children)
        given = [self.of(argument) for argument in nodes]
        if len(names) != 1:
            return UNRESOLVED
        if spread:
            if not given or not countable(given[-1]) or not isinstance(given[-1], list):
                return UNRESOLVED
            given[-1:] = given[-1]
        if names[0] in ("file", "templatefile"):
            return self._file(names[0], given)
        if names[0] == "can":
            return UNRESOLVED if not known(given) else not any(isinstance(each, Missing) for each in given)
        found = call(names[0], given)
        if names[0] == "jsonencode" and isinstance(found, str) and self.scope.path and len(nodes) == 1:
            place = Place(self.scope.path, *line_of(node))
            return rendered_text(found, "", place, tuple(encoded_marks(nodes[0], self, "", 0)))
        return found

    def _file(self, name: str, given: list[Any]) -> Any:
        if len(given) != (1 if name == "file" else 2) or not known(given[0]) or not isinstance(given[0], str):
            return UNRESOLVED
        read = self.scope.read_file(given[0])
        if read is None:
            return UNRESOLVED
        path, text = read
        if name == "file":
            return rendered_text(text, "", Place(path), ())
        variables = given[1] if isinstance(given[1], Mapping) and countable(given[1]) else {}
        nothing = replace(self.scope, root=lambda _: UNRESOLVED, path=path, names=variables)
        value = Values(nothing).template(text)
        if not isinstance(value, str):
            return value
        return rendered_text(value, "", Place(path, 1, 1), marks_of(value, blanked(text), 1))


def _name(get: Any) -> str:
    """The name after a dot."""
    return next((str(child.children[0]) for child in inner(get)), "")


def get_attribute(owner: Any, name: str) -> Any:
    """An attribute of a value."""
    if isinstance(owner, Handle):
        return owner.get(name)
    if isinstance(owner, Mapping):
        return owner.get(name, MISSING if countable(owner) else UNRESOLVED)
    if isinstance(owner, Doubtful):
        return get_attribute(owner[0], name)
    return MISSING if owner is None or isinstance(owner, Missing) else UNRESOLVED


def get_index(owner: Any, key: Any) -> Any:
    """An element of a value."""
    if isinstance(owner, Doubtful | Missing):
        return owner[0] if isinstance(owner, Doubtful) else owner
    if isinstance(owner, list):
        at = whole(key)
        if at is None or isinstance(owner, Set) or not countable(owner):
            return UNRESOLVED
        return owner[at] if 0 <= at < len(owner) else MISSING
    return get_attribute(owner, key) if isinstance(key, str) and UNRESOLVED not in key else UNRESOLVED


def _compared(operator: str, one: Any, other: Any) -> Any:
    if operator in ("==", "!="):
        return _equal(one, other, operator == "==")
    if operator in ("&&", "||"):
        stops = operator == "||"
        if stops in (one if isinstance(one, bool) else None, other if isinstance(other, bool) else None):
            return stops
        return not stops if isinstance(one, bool) and isinstance(other, bool) else UNRESOLVED
    left, right = whole(one), whole(other)
    if left is None or right is None or operator not in _ARITHMETIC:
        return UNRESOLVED
    found = _ARITHMETIC[operator](left, right)
    return found if isinstance(found, bool) else Number(found)


def _equal(one: Any, other: Any, wanted: bool) -> Any:
    if one is None or other is None:
        # Nothing but null itself is null; of what is not known it may be.
        certain = (one is None and other is None) or not (vague(one) or vague(other) or isinstance(one, Doubtful))
        return ((one is other) is wanted) if certain else UNRESOLVED
    if not known(one) or not known(other):
        return UNRESOLVED
    if isinstance(one, str | bool) and isinstance(other, str | bool):
        same = as_text(one) == as_text(other)
        # `1` and `"1"` are not equal, but Terraform may have made the one of the other on the way here.
        return same is wanted if not same or _kind(one) is _kind(other) else UNRESOLVED
    return (one == other) is wanted


def _kind(value: str | bool) -> type:
    return bool if isinstance(value, bool) else Number if isinstance(value, Number) else str


_ARITHMETIC: Final[Mapping[str, Callable[[int, int], Any]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def elements(node: Any, values: Values) -> Iterator[tuple[str, Any]]:
    """Keys of an object, and the expressions of their values."""
    for element in children(node, "object_elem"):
        parts = list(inner(element))
        if len(parts) != 2:
            continue
        key = next(inner(parts[0]), None)
        name = _bare(key)
        if name is None:
            value = values.of(key)
            name = value if isinstance(value, str) else UNRESOLVED
        yield name, parts[1]


def _bare(node: Any) -> str | None:
    """An object's key written without quotes."""
    found = list(inner(node)) if node is not None and rule(node) == "expr_term" else [node]
    if len(found) == 1 and found[0] is not None and rule(found[0]) in ("identifier", "keyword"):
        return str(found[0].children[0]) if len(node.children) == 1 else None
    return None


def encoded_marks(node: Any, values: Values, at: str, depth: int) -> Iterator[tuple[str, int, int]]:
    """Where the elements of a document stand that is written as an object, by their pointers."""
    kind = rule(node)
    if depth > 40:
        return
    if kind == "object":
        for key, value in elements(node, values):
            yield (f"{at}/{escape(key)}", *line_of(value))
            yield from encoded_marks(value, values, f"{at}/{escape(key)}", depth + 1)
    elif kind == "tuple":
        for index, item in enumerate(inner(node)):
            yield (f"{at}/{index}", *line_of(item))
            yield from encoded_marks(item, values, f"{at}/{index}", depth + 1)
    elif kind == "expr_term":
        for child in inner(node):
            yield from encoded_marks(child, values, at, depth + 1)


_RULES: Final[Mapping[str, Callable[[Values, Any], Any]]] = {
    "expr_term": Values.term,
    "string": Values.string,
    "heredoc_template": Values.heredoc,
    "heredoc_template_trim": Values.heredoc,
    "get_attr_expr_term": Values.attribute,
    "index_expr_term": Values.index,
    "full_splat_expr_term": Values.splat,
    "attr_splat_expr_term": Values.splat,
    "identifier": Values.identifier,
    "literal_value": Values.literal,
    "int_lit": Values.literal,
    "float_lit": Values.literal,
    "tuple": Values.tuple_,
    "object": Values.object_,
    "for_tuple_expr": Values.for_,
    "for_object_expr": Values.for_,
    "conditional": Values.conditional,
    "unary_op": Values.unary,
    "binary_op": Values.binary,
    "function_call": Values.call,
    "json": Values.json_,
}
