"""The blocks of a Terraform module's files, in either syntax: what is declared, not what it is worth.

Source: https://developer.hashicorp.com/terraform/language/files
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mantle_iam.collect.fields import Notes
from mantle_iam.collect.hcl_tree import children, expression_of, line_of, parse, rule
from mantle_iam.collect.places import TextError
from mantle_iam.collect.terraform_json import JsonNode, parse_json

_FIRST = tuple(
    [f'{name} "' for name in ("resource", "data", "variable", "output", "module", "provider", "check", "ephemeral")]
    + [f"{name} {{" for name in ("terraform", "locals", "moved", "import", "removed")]
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block with a name.  ``type`` is that of a resource or data source, else empty."""

    type: str
    name: str
    path: str
    body: Any
    line: int
    column: int

    def expressions(self) -> Mapping[str, Any]:
        """Its arguments."""
        return dict(attributes(self.body))


@dataclass(slots=True)
class Blocks:
    """Everything that the files of one module declare."""

    resources: dict[str, Block] = field(default_factory=dict)
    """By ``type.name``, as is ``data``."""
    data: dict[str, Block] = field(default_factory=dict)
    variables: dict[str, Block] = field(default_factory=dict)
    outputs: dict[str, Block] = field(default_factory=dict)
    modules: dict[str, Block] = field(default_factory=dict)
    locals: dict[str, tuple[Any, str]] = field(default_factory=dict)
    """Expression, and the file in which it stands."""

    def add(self, labels: Sequence[str], body: Any, path: str, place: tuple[int, int]) -> None:
        """Take a block by its type and labels."""
        named = {"variable": self.variables, "output": self.outputs, "module": self.modules}
        if labels[0] in ("resource", "data") and len(labels) == 3:
            into = self.resources if labels[0] == "resource" else self.data
            into[f"{labels[1]}.{labels[2]}"] = Block(labels[1], labels[2], path, body, *place)
        elif labels[0] in named and len(labels) == 2:
            named[labels[0]][labels[1]] = Block("", labels[1], path, body, *place)
        elif tuple(labels) == ("locals",):
            self.locals.update((name, (expression, path)) for name, expression in attributes(body))


def read_blocks(files: Sequence[tuple[str, str]], notes: Notes) -> Blocks:
    """The blocks of files (path and text); one that is not understood is noted, the rest is read.

    Raises:
        TextError: none of them could be read.
    """
    found = Blocks()
    failures = []
    for path, text in files:
        name = path.replace("\\", "/").rpartition("/")[2].partition(".tf")[0]
        if name == "override" or name.endswith("_override"):
            notes.add("override files, which change other blocks, are not read without a plan", path)
            continue
        try:
            for labels, body, place in _blocks(text):
                found.add(labels, body, path, place)
        except TextError as error:
            failures.append(error)
            notes.add(error.message, path)
    if failures and len(failures) == len(files):
        raise failures[0]
    return found


def read_variables(text: str) -> dict[str, Any]:
    """The expressions of a ``.tfvars`` file, in either syntax.

    Raises:
        TextError: it is none.
    """
    if _is_json(text):
        return dict(parse_json(text).members())
    return {name: node for body in children(parse(text), "body") for name, node in attributes(body)}


def _is_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("{")


def _blocks(text: str) -> Iterator[tuple[list[str], Any, tuple[int, int]]]:
    if not _is_json(text):
        for body in children(parse(text), "body"):
            for block in children(body, "block"):
                names, content = labels(block)
                if names:
                    yield names, content, line_of(block)
        return
    depths = {"resource": 2, "data": 2, "locals": 0, "variable": 1, "output": 1, "module": 1}
    for kind, blocks in parse_json(text).members():
        if kind in depths:
            for more, content in blocks.labelled(depths[kind]):
                yield [kind, *more], content, line_of(content)


def attributes(body: Any) -> Iterator[tuple[str, Any]]:
    """Names and expressions of a body's arguments; in JSON its blocks too, which nothing tells from them."""
    if isinstance(body, JsonNode):
        yield from body.members()
        return
    for attribute in children(body, "attribute"):
        expression = expression_of(attribute)
        name = next(children(attribute, "identifier", "keyword"), None)
        if expression is not None and name is not None:
            yield str(name.children[0]), expression


def labels(block: Any) -> tuple[list[str], Any]:
    """Type and labels of a block, and its body."""
    found = []
    for child in children(block):
        if rule(child) in ("identifier", "keyword"):
            found.append(str(child.children[0]))
        elif rule(child) == "string":
            found.append("".join(str(part.children[0]) for part in children(child, "string_part")))
    return found, next(children(block, "body"), None)


def is_code(text: str) -> bool:
    """Whether a text begins as Terraform code does, by its first line that is no comment."""
    comment = False
    for line in map(str.strip, text.lstrip("\ufeff").splitlines()):
        comment = comment or line.startswith("/*")
        if comment:
            comment = "*/" not in line
        elif line and not line.startswith(("#", "//")):
            return line.startswith(_FIRST)
    return False
