"""Random expressions of Terraform, valid by construction.

A value is an expression of one type (text, list, map, truth, number).  ``static`` ones are known in a plan and may decide how
many of something there are; others may be known after apply.  Nothing random but the ``Random`` that is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from agreement import ACTIONS, MODELS, PROJECTS

POOLS = {
    "action": (*(f"bedrock-mantle:{name}" for name in (*ACTIONS, "Get*", "*", "list*")), "s3:GetObject", "*"),
    "word": (*PROJECTS, "x1"),
    "model": (*MODELS, "openai.*"),
}
_DEEPEST = 3
EMPTY = '""'
_EQUAL = ("1", "1.0", '"1"', "true", '"true"', "null")


@dataclass
class Expressions:
    """Writes expressions."""

    random: Random
    known: dict[tuple[str, bool], list[str]] = field(default_factory=dict)
    """Names of variables and locals, by what they hold and whether that is static."""
    counted: int = 0

    def new(self, prefix: str) -> str:
        """A name that nothing else in the module has."""
        self.counted += 1
        return f"{prefix}{self.counted}"

    def one_of(self, *choices: Callable[[], str]) -> str:
        """The result of one of the choices."""
        return self.random.choice(choices)()

    def pick(self, *choices: str) -> str:
        """One of the choices."""
        return self.random.choice(choices)

    def word(self, *choices: str) -> str:
        """One of the choices, quoted."""
        return f'"{self.random.choice(choices)}"'

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.random.random() < share

    def _known(self, kind: str, static: bool) -> list[str]:
        return self.known.get((kind, True), []) + ([] if static else self.known.get((kind, False), []))

    # --- expressions

    def text(self, pool: str, static: bool = False, depth: int = 0) -> str:
        """An expression whose value is a text, most often one of the pool."""

        def more(pool: str = pool) -> str:
            return self.text(pool, static, depth + 1)

        def literal() -> str:
            return f'"{self.random.choice(POOLS[pool])}"'

        names = self._known(pool, static)
        if depth >= _DEEPEST or self.chance(0.35):
            return self.random.choice(names) if names and self.chance(0.5) else literal()
        if not static and self.chance(0.06):
            return self.one_of(
                lambda: "terraform_data.new.id",
                lambda: '"${terraform_data.new.id}"',
                lambda: f"sensitive({more()})",
                lambda: f'"{self.random.choice(POOLS[pool])[:3]}${{terraform_data.new.id}}"',
            )
        return self.one_of(
            lambda: (
                f"{self.truth(static, depth + 1)} ? {more()} : {more()}"
                if depth == 0
                else f"({self.truth(static, depth + 1)} ? {more()} : {more()})"
            ),
            lambda: f'"${{{more()}}}"',
            lambda: f'join("", [{more()}])',
            lambda: f'format("%s%s", {more()}, "")',
            lambda: f"element([{more()}, {more()}], {self.random.randrange(4)})",
            lambda: f"[{more()}, {more()}][{self.random.randrange(2)}]",
            lambda: f"{{ a = {more()}, b = {more()} }}[{self.word('a', 'b')}]",
            lambda: f"{{ a = {more()} }}.a",
            lambda: f"lookup({{ a = {more()} }}, {self.text('word', static, depth + 1)}, {more()})",
            lambda: f"coalesce({self.pick('null', EMPTY)}, {more()})",
            lambda: f"try({self.pick('local.nested.none', '{}.a', '[][0]', more())}, {more()})",
            lambda: f'replace({more()}, "zz", "")',
            lambda: f'trimprefix("p-${{{more()}}}", "p-")',
            lambda: f"trimspace({more()})",
            lambda: f'split("|", "x|${{{more()}}}")[1]',
            lambda: f"jsondecode(jsonencode([{more()}]))[0]",
            lambda: f"one([{more()}])",
            lambda: f"tostring({more()})",
            lambda: f"strrev(strrev({more()}))",
            lambda: f"substr({more()}, 0, -1)",
            lambda: f"nonsensitive(sensitive({more()}))",
            lambda: f"{self.many(pool, static, depth + 1)}[0]",
            lambda: f"reverse({self.many(pool, static, depth + 1)})[0]",
            lambda: f"values({self.mapping(pool, static, depth + 1)})[0]",
            lambda: f'"%{{ if {self.truth(static, depth + 1)} }}${{{more()}}}%{{ else }}${{{more()}}}%{{ endif }}"',
        )

    def many(self, pool: str, static: bool = False, depth: int = 0) -> str:
        """A list of at least one text."""

        def more() -> str:
            return self.many(pool, static, depth + 1)

        def text() -> str:
            return self.text(pool, static, depth + 1)

        names = self._known(f"{pool}s", static)
        if depth >= _DEEPEST or self.chance(0.4):
            if names and self.chance(0.5):
                return self.random.choice(names)
            return f"[{', '.join(text() for _ in range(self.random.randint(1, 3)))}]"
        return self.one_of(
            lambda: f"concat({more()}, {more()})",
            lambda: f"flatten([{more()}, [{more()}]])",
            lambda: f"distinct({more()})",
            lambda: f"[for x in {more()} : x]",
            lambda: f"concat([{text()}], [for i, x in {more()} : x if {self.truth(static, depth + 1)}])",
            lambda: f'concat([{text()}], [for x in {more()} : x if x != "prod" && x != ""])',
            lambda: f'compact(concat([""], {more()}))',
            lambda: f"reverse({more()})",
            lambda: f"slice({more()}, 0, 1)",
            lambda: f"sort({more()})",
            lambda: f"tolist(toset({more()}))",
            lambda: f"tolist(setunion({more()}, {more()}))",
            lambda: f"values({self.mapping(pool, static, depth + 1)})",
            lambda: f"[for k, v in {self.mapping(pool, static, depth + 1)} : v]",
            lambda: f'split(",", join(",", {more()}))',
            lambda: f'formatlist("%s", {more()})',
            lambda: f"coalescelist([], {more()})",
            lambda: f"[for o in [{{ a = {text()} }}, {{ a = {text()} }}] : o.a]",
            lambda: f"tolist([{{ a = {text()} }}, {{ a = {text()} }}][*].a)",
            lambda: f"jsondecode(jsonencode({more()}))",
            lambda: f"[for s in setproduct({more()}, [1, 2]) : s[0]]",
            lambda: f"({self.truth(static, depth + 1)} ? tolist({more()}) : tolist({more()}))",
        )

    def mapping(self, pool: str, static: bool = False, depth: int = 0) -> str:
        """A map of at least one text, whose keys are static."""

        def more() -> str:
            return self.mapping(pool, static, depth + 1)

        def text() -> str:
            return self.text(pool, static, depth + 1)

        names = self._known(f"{pool} map", static)
        if depth >= _DEEPEST or self.chance(0.4):
            if names and self.chance(0.5):
                return self.random.choice(names)
            keys = self.random.sample(("a", "b", "one", '"x-y"'), self.random.randint(1, 3))
            return f"{{ {', '.join(f'{key} = {text()}' for key in keys)} }}"
        return self.one_of(
            lambda: f"merge({more()}, {more()})",
            lambda: f"{{ for k, v in {more()} : k => v }}",
            lambda: (
                f'merge({{ a = {text()} }}, {{ for k, v in {more()} : "${{k}}-2" => v if {self.truth(static, depth + 1)} }})'
            ),
            lambda: f'zipmap(["a", "b"], [{text()}, {text()}])',
            lambda: f'{{ for i, k in ["a", "b"] : k => [{text()}, {text()}][i] }}',
            lambda: f"tomap({more()})",
        )

    def truth(self, static: bool = False, depth: int = 0) -> str:
        """A condition, in parentheses where it needs them.  It is known in a plan: branches of it are."""
        del static  # what decides is always static

        def more() -> str:
            return self.truth(True, depth + 1)

        def word() -> str:
            return self.text("word", True, depth + 1)

        names = self._known("truth", True)
        if depth >= _DEEPEST or self.chance(0.3):
            return self.random.choice([*names, "true", "false"])
        return self.one_of(
            lambda: f"({word()} == {word()})",
            lambda: f"({word()} != {word()})",
            lambda: f"!({more()})",
            lambda: f"({more()} && {more()})",
            lambda: f"({more()} || {more()})",
            lambda: f"contains({self.many('word', True, depth + 1)}, {word()})",
            lambda: f"(length({self.many('word', True, depth + 1)}) > {self.random.randrange(4)})",
            lambda: f"(length({word()}) >= {self.random.randrange(5)})",
            lambda: f"startswith({word()}, {self.word('p', 'o')})",
            lambda: f"({self.pick('null', word())} == null)",
            lambda: f"can({self.pick('{}.a', word())})",
            lambda: f"anytrue([{more()}, {more()}])",
            lambda: f"alltrue([{more()}, {more()}])",
            lambda: f'strcontains({word()}, "o")',
            lambda: f"tobool({self.pick(self.word('true', 'false'), more())})",
            lambda: f"({self.random.randrange(3)} + 1 < {self.number(depth + 1)})",
            lambda: f"({self.pick(*_EQUAL)} == {self.pick(*_EQUAL)})",
        )

    def number(self, depth: int = 0) -> str:
        """A whole number from 0 to a few."""
        return self.one_of(
            lambda: str(self.random.randrange(3)),
            lambda: f"({self.truth(True, depth + 1)} ? {self.random.randrange(3)} : {self.random.randrange(2)})",
            lambda: f"length({self.many('word', True, depth + 1)})",
            lambda: f"max(1, {self.random.randrange(3)})",
            lambda: f'tonumber("{self.random.randrange(3)}")',
            lambda: f"({self.random.randrange(2)} + 1)",
            lambda: "(3 % 2)",
        )  # fmt: skip
