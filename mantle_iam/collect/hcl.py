"""Terraform code without a plan: the resources of one folder, with what the code alone says of them.

Second best: a plan knows variables, modules and data, this does not, and marks them unknown.
Source: https://developer.hashicorp.com/terraform/language/syntax/configuration
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mantle_iam.collect.declared import UNKNOWN_ACCOUNT, Declared, Linked, Ref, Written, linked
from mantle_iam.collect.fields import Notes, text
from mantle_iam.collect.hcl_values import (
    Path,
    ReadFile,
    Values,
    children,
    elements,
    expression_of,
    line_of,
    parse,
    rule,
)
from mantle_iam.collect.places import TextError, escape
from mantle_iam.collect.terraform_document import LISTS, has_principals, rendered, statements_before
from mantle_iam.collect.terraform_json import JsonNode, parse_json
from mantle_iam.collect.terraform_resources import RESOURCES, Resource, read_resource
from mantle_iam.iam.grammar import dump_json
from mantle_iam.iam.inventory import UNRESOLVED, Place, Purpose

Marks = tuple[tuple[str, int, int], ...]
_Mark = tuple[int, str, int, int]
"""Number of a statement, pointer to one of its elements, line, column."""
_ARNS = {"aws_iam_role": "role", "aws_iam_user": "user", "aws_iam_group": "group", "aws_iam_policy": "policy"}

_FIRST = tuple(
    [f'{name} "' for name in ("resource", "data", "variable", "output", "module", "provider", "check", "ephemeral")]
    + [f"{name} {{" for name in ("terraform", "locals", "moved", "import", "removed")]
)


@dataclass(frozen=True, slots=True)
class _Block:
    """A resource or data block."""

    type: str
    name: str
    path: str
    body: Any
    line: int
    column: int


@dataclass(slots=True)
class _Module:
    parameters: Mapping[str, str]
    resources: dict[str, _Block] = field(default_factory=dict)
    data: dict[str, _Block] = field(default_factory=dict)
    locals: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    known: dict[Path, Any] = field(default_factory=dict)
    asked: set[Path] = field(default_factory=set)
    marks: dict[str, Marks] = field(default_factory=dict)
    """Of rendered documents, by the address of their data block."""
    parts: set[str] = field(default_factory=set)
    """Addresses of documents that are part of another value."""


class _Reader:
    def __init__(self, module: _Module, read_file: ReadFile) -> None:
        self.module = module
        self.values = Values(self.lookup, read_file)

    def lookup(self, path: Path) -> Any:
        """The value of a reference; one that leads back to itself is unknown."""
        module = self.module
        if module.asked and path[0] == "data":
            module.parts.add(".".join(path[:3]))
        if path in module.known:
            return module.known[path]
        if path in module.asked or len(module.asked) > 60:
            return UNRESOLVED
        module.asked.add(path)
        try:
            found = self._found(path)
        finally:
            module.asked.discard(path)
        module.known[path] = found
        return found

    def _found(self, path: Path) -> Any:
        if path[0] == "local" and len(path) > 1:
            return self._inner(self.module.locals.get(path[1]), path[2:])
        if path[0] == "var" and len(path) > 1:
            given = self.module.parameters.get(path[1])
            return given if given is not None else self._inner(self.module.variables.get(path[1]), path[2:])
        if path[0] == "data" and len(path) > 3:
            return self._data(path)
        if path[:2] == ("path", "module"):
            return "."
        if ".".join(path[:2]) in self.module.resources:
            return self._resource(".".join(path[:2]), path[2] if len(path) > 2 else "")
        return UNRESOLVED

    def _inner(self, expression: Any, rest: Path) -> Any:
        value = UNRESOLVED if expression is None else self.values.of(expression)
        for name in rest:
            value = value.get(name, UNRESOLVED) if isinstance(value, Mapping) else UNRESOLVED
        return value

    def _data(self, path: Path) -> Any:
        _, kind, name, attribute = path[:4]
        given = self.module.parameters
        answers = {
            ("aws_caller_identity", "account_id"): given.get("AWS::AccountId") or UNKNOWN_ACCOUNT,
            ("aws_caller_identity", "id"): given.get("AWS::AccountId") or UNKNOWN_ACCOUNT,
            ("aws_partition", "partition"): given.get("AWS::Partition") or "aws",
            ("aws_region", "name"): given.get("AWS::Region") or UNRESOLVED,
            ("aws_region", "region"): given.get("AWS::Region") or UNRESOLVED,
            ("aws_region", "id"): given.get("AWS::Region") or UNRESOLVED,
        }
        if (kind, attribute) in answers:
            return answers[kind, attribute]
        block = self.module.data.get(f"{kind}.{name}")
        if block is None:
            return UNRESOLVED
        values, marks = self.body(block.body)
        if kind == "aws_iam_policy_document" and attribute in ("json", "minified_json"):
            address = f"data.{kind}.{name}"
            before = statements_before(values)
            self.module.marks[address] = tuple(
                (f"/Statement/{before + at}{element}", line, column) for at, element, line, column in marks
            )
            return linked(dump_json(rendered(values)), address)
        return values.get(attribute, UNRESOLVED)

    def _resource(self, address: str, attribute: str) -> Any:
        block = self.module.resources[address]
        expression = next((expression for name, expression in _attributes(block.body) if name == "name"), None)
        name = self.values.of(expression) if expression is not None else UNRESOLVED
        if not isinstance(name, str) or UNRESOLVED in name or block.type not in _ARNS:
            return linked(UNRESOLVED, address)
        if attribute == "arn" or (attribute == "id" and block.type == "aws_iam_policy"):
            return linked(UNRESOLVED, address)
        return linked(name, address)

    def body(self, body: Any, depth: int = 0) -> tuple[dict[str, Any], tuple[_Mark, ...]]:
        """The values of a block, and where its ``statement`` blocks and their elements stand."""
        found: dict[str, Any] = {}
        marks: list[_Mark] = []
        for name, expression in _attributes(body):
            if name == "dynamic" and isinstance(expression, JsonNode):
                continue
            found[name] = self.values.of(expression)
            if name == "statement" and isinstance(expression, JsonNode):
                marks += [(at, "", *line_of(item)) for at, item in enumerate(expression.items())]
        for name in _dynamic(body):
            old = found.get(name, [])
            found[name] = [*(old if isinstance(old, list) else [old]), UNRESOLVED]
        for inner in children(body, "block"):
            labels, content = _labels(inner)
            if depth > 20 or not labels:
                continue
            name = labels[-1] if labels[0] == "dynamic" else labels[0]
            many = found.setdefault(name, [])
            if not isinstance(many, list):
                continue
            if name == "statement":
                marks.append((len(many), "", *line_of(inner)))
                marks += [(len(many), *mark) for mark in _of_statement(content)]
            many.append(UNRESOLVED if labels[0] == "dynamic" else self.body(content, depth + 1)[0])
        return found, tuple(marks)


def _of_statement(body: Any) -> Iterator[tuple[str, int, int]]:
    """Where the elements of a ``statement`` block stand."""
    names = dict(LISTS)
    for name, expression in _attributes(body):
        if name in names:
            yield (f"/{names[name]}", *line_of(expression))
            lists = [expression, *children(expression, "tuple")]
            items = next((list(children(each)) for each in lists if rule(each) == "tuple"), [])
            for index, item in enumerate(item for item in items if rule(item) != "new_line_or_comment"):
                yield (f"/{names[name]}/{index}", *line_of(item))


def _dynamic(body: Any) -> Iterator[str]:
    """Names of the blocks that an object in the JSON syntax makes dynamically."""
    for name, expression in body.members() if isinstance(body, JsonNode) else ():
        if name == "dynamic":
            yield from (labels[0] for labels, _ in expression.labelled(1))


def _attributes(body: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(body, JsonNode):
        yield from body.members()
        return
    for attribute in children(body, "attribute"):
        expression = expression_of(attribute)
        name = next(children(attribute, "identifier"), None)
        if expression is not None and name is not None:
            yield str(name.children[0]), expression


def _labels(block: Any) -> tuple[list[str], Any]:
    """Type and labels of a block, and its body."""
    labels = []
    for child in children(block):
        if rule(child) == "identifier":
            labels.append(str(child.children[0]))
        elif rule(child) == "string":
            labels.append("".join(str(part.children[0]) for part in children(child, "string_part")))
    return labels, next(children(block, "body"), None)


def _take_json(top: JsonNode, path: str, module: _Module, notes: Notes) -> None:
    for kind, blocks in top.members():
        if kind in ("resource", "data"):
            into = module.resources if kind == "resource" else module.data
            for (type_, name), body in blocks.labelled(2):
                into[f"{type_}.{name}"] = _Block(type_, name, path, body, *line_of(body))
        elif kind == "locals":
            for _, body in blocks.labelled(0):
                module.locals.update(_attributes(body))
        elif kind == "variable":
            for (name,), body in blocks.labelled(1):
                module.variables.update((name, e) for attribute, e in _attributes(body) if attribute == "default")
        elif kind == "module":
            for (name,), _ in blocks.labelled(1):
                _not_followed(name, notes)


def _not_followed(module: str, notes: Notes) -> None:
    notes.add("modules are not followed without a plan", f"module.{module}", documents=False)


def _take(tree: Any, path: str, module: _Module, notes: Notes) -> None:
    for body in children(tree, "body"):
        for block in children(body, "block"):
            labels, content = _labels(block)
            line, column = line_of(block)
            if labels[:1] == ["resource"] and len(labels) == 3:
                module.resources[f"{labels[1]}.{labels[2]}"] = _Block(labels[1], labels[2], path, content, line, column)
            elif labels[:1] == ["data"] and len(labels) == 3:
                module.data[f"{labels[1]}.{labels[2]}"] = _Block(labels[1], labels[2], path, content, line, column)
            elif labels == ["locals"]:
                module.locals.update(_attributes(content))
            elif labels[:1] == ["variable"] and len(labels) == 2:
                module.variables.update((labels[1], e) for name, e in _attributes(content) if name == "default")
            elif labels[:1] == ["module"]:
                _not_followed(labels[-1], notes)


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


def read_code(
    files: Sequence[tuple[str, str]], parameters: Mapping[str, str], read_file: ReadFile, notes: Notes
) -> Declared:
    """What the files of one folder (path and text) declare; one that is not understood is noted, the rest is read.

    Raises:
        TextError: none of them could be read.
    """
    module = _Module(parameters)
    failures = []
    for path, content in files:
        try:
            if content.lstrip("\ufeff \t\r\n").startswith("{"):
                _take_json(parse_json(content), path, module, notes)
            else:
                _take(parse(content), path, module, notes)
        except TextError as error:
            failures.append(error)
            notes.add(error.message, path)
    if len(failures) == len(files) and failures:
        raise failures[0]
    reader = _Reader(module, read_file)
    declared = Declared(
        account=parameters.get("AWS::AccountId", ""), partition=parameters.get("AWS::Partition") or "aws"
    )
    for address, block in module.resources.items():
        read_resource(_resource(reader, address, block, notes), declared, notes)
    declared.loose.extend(_unused(reader))
    return declared


def _unused(reader: _Reader) -> Iterator[Written]:
    """Documents that no resource of the module uses: they go to another module, into an output, or elsewhere."""
    data, marks = reader.module.data, reader.module.marks
    prefix = "aws_iam_policy_document."
    left = [key for key in data if key.startswith(prefix) and f"data.{key}" not in marks]
    sources = {key: reader.lookup(("data", *key.split(".", 1), "json")) for key in left}
    for key, source in sources.items():
        if f"data.{key}" not in reader.module.parts:
            place = Place(data[key].path, data[key].line, data[key].column, f"data.{key}")
            purpose = Purpose.RESOURCE if has_principals(source) else Purpose.IDENTITY
            yield Written(data[key].name, source, place, purpose, marks=marks.get(f"data.{key}", ()))


def _resource(reader: _Reader, address: str, block: _Block, notes: Notes) -> Resource:
    place = Place(block.path, block.line, block.column, address)
    expressions = dict(_attributes(block.body))
    # Nothing but IAM is evaluated: a folder may declare anything.
    values = reader.body(block.body)[0] if block.type in RESOURCES else dict.fromkeys(expressions, UNRESOLVED)
    if block.type in RESOURCES and ({"count", "for_each"} & set(expressions)):
        notes.add("how many of a resource there are is not looked at without a plan", address, partial=False)

    def resolve(attribute: str, value: Any) -> Ref:
        if isinstance(value, Linked):
            return Ref(value.key, "" if UNRESOLVED in value else str(value))
        return Ref(text=value if isinstance(value, str) and UNRESOLVED not in value else "")

    def document(attribute: str, value: Any) -> tuple[object, Place]:
        if isinstance(value, Linked) and value.key.startswith("data."):
            data = reader.module.data.get(value.key.removeprefix("data."))
            if data is not None:
                return value, Place(data.path, data.line, data.column, address)
        expression = expressions.get(attribute)
        line, column = (block.line, block.column) if expression is None else line_of(expression)
        return value, Place(block.path, line, column, address)

    return Resource(block.type, address, values, place, resolve, document, _marks(reader, expressions))


def _marks(reader: _Reader, expressions: Mapping[str, Any]) -> Callable[[object], Marks]:
    """The places of a document's elements: those of its blocks, or of the object in ``jsonencode``."""

    def found(source: object) -> Marks:
        if isinstance(source, Linked):
            return reader.module.marks.get(source.key, ())
        for name in ("policy", "inline_policy", "content"):
            if name in expressions:
                return tuple(_encoded(expressions[name], reader.values, "", 0))
        return ()

    return found


def _encoded(node: Any, values: Values, at: str, depth: int) -> Iterator[tuple[str, int, int]]:
    kind = rule(node)
    if depth > 60:
        return
    if kind == "object":
        for key, value in elements(node, values, depth):
            yield (f"{at}/{escape(key)}", *line_of(value))
            yield from _encoded(value, values, f"{at}/{escape(key)}", depth + 1)
    elif kind == "tuple":
        for index, item in enumerate(child for child in children(node) if rule(child) != "new_line_or_comment"):
            yield (f"{at}/{index}", *line_of(item))
            yield from _encoded(item, values, f"{at}/{index}", depth + 1)
    elif kind == "expr_term":
        for child in children(node):
            yield from _encoded(child, values, at, depth + 1)
    elif kind == "function_call" and text({"n": _called(node)}, "n") == "jsonencode":
        for arguments in children(node, "arguments"):
            for argument in children(arguments):
                yield from _encoded(argument, values, at, depth + 1)


def _called(node: Any) -> str:
    return next((str(child.children[0]) for child in children(node, "identifier")), "")
