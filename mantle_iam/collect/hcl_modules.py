"""Instances of Terraform modules and of what they declare, evaluated as far as they are asked for.

Decides what a name in a module means and how many of a block there are; what a resource does with its values is not known here.
Source: https://developer.hashicorp.com/terraform/language/modules, …/language/meta-arguments/for_each
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from mantle_iam.collect.declared import linked
from mantle_iam.collect.fields import Notes
from mantle_iam.collect.hcl_blocks import Block, Blocks, attributes, labels, read_blocks, read_variables
from mantle_iam.collect.hcl_functions import MISSING, Doubtful, Handle, Set, measured, pairs, whole
from mantle_iam.collect.hcl_texts import rendered_text
from mantle_iam.collect.hcl_tree import Parser, children, inner, line_of, rule
from mantle_iam.collect.hcl_types import converted, parsed_variable
from mantle_iam.collect.hcl_values import Budget, Scope, Values
from mantle_iam.collect.own_account import UNKNOWN_ACCOUNT
from mantle_iam.collect.places import TextError
from mantle_iam.collect.terraform_document import LISTS, rendered, statements_before
from mantle_iam.collect.terraform_folders import Folders
from mantle_iam.collect.terraform_json import JsonNode
from mantle_iam.collect.terraform_resources import arn_of
from mantle_iam.iam.grammar import Number, dump_json
from mantle_iam.iam.inventory import UNRESOLVED, Place

_MOST_INSTANCES: Final = 10_000
_DEEPEST_MODULE: Final = 12
_NAMED: Final = ("aws_iam_role", "aws_iam_user", "aws_iam_group")
_DOCUMENT: Final = "aws_iam_policy_document"
Mark = tuple[int, str, int, int]
"""Number of a statement, pointer to one of its elements, line, column."""


@dataclass(slots=True)
class Session:
    """What all modules of one reading share."""

    folders: Folders
    parameters: Mapping[str, str]
    notes: Notes
    budget: Budget = field(default_factory=Budget)
    parser: Parser = field(default_factory=Parser)
    instances: int = 0
    read: dict[str, Blocks] = field(default_factory=dict)
    """Modules by their folders."""
    asked: set[tuple[str, ...]] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    """Addresses of documents that another value has."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One of what a block declares."""

    address: str
    block: Block
    values: Values
    doubt: str = ""
    """Empty where it is known that there is one, and only one; else what that hangs on."""


@dataclass(slots=True)
class Module:
    """One instance of a module."""

    session: Session
    blocks: Blocks
    folder: str = "."
    address: str = ""
    given: Values | None = None
    """Where the arguments of its call are evaluated; ``None`` for the root module."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    doubt: str = ""
    ancestors: tuple[str, ...] = ()
    caller: tuple[Module, Block] | None = None
    """The module that calls it, and its call."""
    _known: dict[tuple[str, ...], Any] = field(default_factory=dict)
    _calls: dict[str, tuple[Any, tuple[Module, ...]]] = field(default_factory=dict)

    def values(self, path: str) -> Values:
        """What evaluates expressions of one of its files."""
        session = self.session
        return Values(Scope(self.root, path, session.folders.file, session.budget, session.parser))

    def root(self, name: str) -> Any:
        """The value of a name that no ``for`` or ``each`` gives."""
        if name == "path":
            return {"module": self.folder, "root": "."}
        if name == "data":
            return Handle(lambda kind: Handle(lambda each: self._declared("data", f"{kind}.{each}")))
        known = {"local": self.local, "var": self.variable, "module": lambda call: self.call(call)[0]}
        if name in known:
            return Handle(known[name])
        return Handle(lambda each: self._declared("resource", f"{name}.{each}")) if "_" in name else UNRESOLVED

    def local(self, name: str) -> Any:
        """The value of a local."""
        if name not in self.blocks.locals:
            return UNRESOLVED
        expression, path = self.blocks.locals[name]
        return self._once(("local", name), lambda: self.values(path).of(expression))

    def variable(self, name: str) -> Any:
        """The value of a variable: given, else its default."""
        return self._once(("var", name), lambda: self._variable(name))

    def _variable(self, name: str) -> Any:
        block = self.blocks.variables.get(name)
        declared = {} if block is None else block.expressions()
        own = self.values("" if block is None else block.path)
        if own.of(declared.get("sensitive")) is True:
            return UNRESOLVED  # never shown
        written = self.session.parameters.get(name) if self.given is None else None
        if written is not None:
            value = parsed_variable(written, declared.get("type"), own)
        elif name in self.arguments:
            value = (self.given or own).of(self.arguments[name])
        elif "default" in declared:
            value = own.of(declared["default"])
        else:
            return UNRESOLVED
        return converted(value, declared.get("type"), own)

    def output(self, name: str) -> Any:
        """The value of an output."""
        block = self.blocks.outputs.get(name)
        expression = None if block is None else block.expressions().get("value")
        if block is None or expression is None:
            return UNRESOLVED
        return self._once(("output", name), lambda: self.values(block.path).of(expression))

    def _once(self, key: tuple[str, ...], evaluate: Any) -> Any:
        """A value that is evaluated once; one that leads back to itself is unknown."""
        if key in self._known:
            return self._known[key]
        asked = (self.address, *key)
        if asked in self.session.asked:
            return UNRESOLVED
        self.session.asked.add(asked)
        try:
            found = evaluate()
        finally:
            self.session.asked.discard(asked)
        self._known[key] = found
        return found

    # --- how many there are

    def expanded(self, block: Block, address: str) -> Iterator[tuple[str, Any, Values, bool]]:
        """Of a block: address, key, values and certainty of each of its instances."""
        arguments = block.expressions()
        values = self.values(block.path)
        many: list[tuple[Any, Any]] | None = None
        if "count" in arguments:
            number = whole(values.of(arguments["count"]))
            last = min(number or 0, _MOST_INSTANCES + 1)
            many = None if number is None else [(at, {"index": Number(at)}) for at in range(last)]
        elif "for_each" in arguments:
            value = values.of(arguments["for_each"])
            over = pairs(Set(value) if isinstance(value, list) and not isinstance(value, Doubtful) else value)
            if over is not None and all(isinstance(key, str) and UNRESOLVED not in key for key, _ in over):
                many = [(key, {"key": key, "value": item}) for key, item in over]
        else:
            yield address, None, values, True
            return
        name = "count" if "count" in arguments else "each"
        if many is None:
            nothing = {"index": UNRESOLVED} if name == "count" else {"key": UNRESOLVED, "value": UNRESOLVED}
            yield address, None, values.bound({name: nothing}), False
            return
        for key, names in many:
            self.session.instances += 1
            if self.session.instances > _MOST_INSTANCES:
                self.session.notes.add(f"more than {_MOST_INSTANCES:,} instances: the rest was not read", address)
                return
            index = f"[{key}]" if name == "count" else f"[{json.dumps(key, ensure_ascii=False)}]"
            yield f"{address}{index}", key, values.bound({name: names}), True

    def instances(self, mode: str, name: str) -> tuple[Any, tuple[Instance, ...]]:
        """A resource or data source as a value, and its instances."""

        def make() -> tuple[Any, tuple[Instance, ...]]:
            block = (self.blocks.data if mode == "data" else self.blocks.resources)[name]
            prefix = f"{self.address}." if self.address else ""
            address = f"{prefix}data.{name}" if mode == "data" else f"{prefix}{name}"
            found = list(self.expanded(block, address))
            many = tuple(Instance(each, block, values, self.doubt_of(block, sure)) for each, _, values, sure in found)
            handles = [Handle(partial(self._attribute, mode, one)) for one in many]
            return _as_value(block, [key for _, key, _, _ in found], handles, [sure for *_, sure in found]), many

        unknown: tuple[Any, tuple[Instance, ...]] = (UNRESOLVED, ())
        found = self._once((mode, name), make)
        return found if isinstance(found, tuple) else unknown

    def doubt_of(self, block: Block, sure: bool) -> str:
        """What it hangs on how many of a block there are; equal for blocks that come and go together."""
        if sure:
            return self.doubt
        arguments = block.expressions()
        return f"{self.address} {self.doubt} {arguments.get('count', arguments.get('for_each'))!r}"

    def _declared(self, mode: str, name: str) -> Any:
        declared = self.blocks.data if mode == "data" else self.blocks.resources
        if name in declared:
            return self.instances(mode, name)[0]
        kind = name.partition(".")[0]
        return Handle(lambda attribute: self._answer(kind, attribute)) if mode == "data" else UNRESOLVED

    # --- what their attributes are

    def _attribute(self, mode: str, one: Instance, attribute: str) -> Any:
        session = self.session
        key = (mode, one.address, attribute)
        if mode == "data" and one.block.type == _DOCUMENT:
            if session.asked:
                session.used.add(one.address)
            if attribute in ("json", "minified_json"):
                return self.read_document(one)
        if mode == "data":
            found = self._answer(one.block.type, attribute)
            return self._once(key, lambda: self._argument(one, attribute)) if found == UNRESOLVED else found
        kind = one.block.type
        if kind in _NAMED and attribute in ("id", "name"):
            attribute = "name"
        elif kind == "aws_iam_policy" and attribute == "name":
            pass
        elif attribute in ("arn", "id"):
            return linked(arn_of(kind) if attribute == "arn" else UNRESOLVED, one.address)
        value = self._once((mode, one.address, attribute), lambda: self._argument(one, attribute))
        return linked(value, one.address) if type(value) is str or value is MISSING else value

    def _argument(self, one: Instance, name: str) -> Any:
        """An argument as it is written; one that is not, only the provider knows."""
        expression = one.block.expressions().get(name)
        return MISSING if expression is None else one.values.of(expression)

    def _answer(self, kind: str, attribute: str) -> Any:
        """What is known of data that describes where the code is applied."""
        given = self.session.parameters
        account = given.get("AWS::AccountId") or UNKNOWN_ACCOUNT
        region = given.get("AWS::Region") or UNRESOLVED
        partition = given.get("AWS::Partition") or "aws"
        answers = {
            "aws_caller_identity": {"account_id": account, "id": account},
            "aws_partition": {"partition": partition, "id": partition},
            "aws_region": {"name": region, "region": region, "id": region},
        }
        return answers.get(kind, {}).get(attribute, UNRESOLVED)

    def read_body(self, one: Instance) -> dict[str, Any]:
        """The values of a resource; what they take up is used."""
        found: dict[str, Any] = self._once(("body", one.address), lambda: self.body(one.block.body, one.values)[0])
        return found

    def read_document(self, one: Instance) -> Any:
        """The text of a document by itself; those that it takes up are used."""
        return self._once(("data", one.address, "json"), lambda: self.document(one))

    def document(self, one: Instance) -> Any:
        """The text of an ``aws_iam_policy_document``."""
        found, marks = self.body(one.block.body, one.values)
        if not measured(found):
            return UNRESOLVED
        before = statements_before(found)
        place = Place(one.block.path, one.block.line, one.block.column, one.address)
        at = tuple((f"/Statement/{before + number}{element}", line, column) for number, element, line, column in marks)
        return rendered_text(dump_json(rendered(found)), one.address, place, at)

    def body(self, body: Any, values: Values, depth: int = 0) -> tuple[dict[str, Any], tuple[Mark, ...]]:
        """The values of a block, and where its ``statement`` blocks and their elements stand."""
        found: dict[str, Any] = {}
        marks: list[Mark] = []
        for name, expression in attributes(body):
            if name == "dynamic" and isinstance(expression, JsonNode):
                continue
            found[name] = values.of(expression)
            if name == "statement" and isinstance(expression, JsonNode):
                marks += [(at, "", *line_of(item)) for at, item in enumerate(expression.items())]
        for name, content, inside, place in self._inner_blocks(body, values, depth):
            many = found.setdefault(name, [])
            if not isinstance(many, list):
                many = found[name] = [many]
            if name == "statement":
                marks.append((len(many), "", *place))
                marks += [(len(many), *mark) for mark in _of_statement(content)]
            many.append(UNRESOLVED if inside is None else self.body(content, inside, depth + 1)[0])
        return found, tuple(marks)

    def _inner_blocks(
        self, body: Any, values: Values, depth: int
    ) -> Iterator[tuple[str, Any, Values | None, tuple[int, int]]]:
        """Blocks of a body: name, body, values and place; no values where it is not known how many of it there are."""
        dynamic: list[tuple[str, Any, tuple[int, int]]] = []
        if isinstance(body, JsonNode):
            given = dict(body.members()).get("dynamic")
            dynamic = [] if given is None else [(names[0], each, line_of(each)) for names, each in given.labelled(1)]
        for block in children(body, "block"):
            names, content = labels(block)
            if depth > 20 or not names:
                continue
            if names[0] != "dynamic":
                yield names[0], content, values, line_of(block)
            else:
                yield from self._dynamic(names[-1], content, values, line_of(block))
        for name, content, place in dynamic:
            yield from self._dynamic(name, content, values, place)

    def _dynamic(
        self, name: str, body: Any, values: Values, place: tuple[int, int]
    ) -> Iterator[tuple[str, Any, Values | None, tuple[int, int]]]:
        arguments = dict(attributes(body))
        content = arguments.get("content") or next(
            (each for block in children(body, "block") for names, each in [labels(block)] if names == ["content"]), None
        )
        value = values.of(arguments.get("for_each"))
        over = pairs(value)
        if over is None or content is None:
            yield name, content, None, place
            return
        iterator = arguments.get("iterator")
        known = next((str(n.children[0]) for n in inner(iterator) if rule(n) == "identifier"), "") if iterator else ""
        if isinstance(iterator, JsonNode):
            known = str(iterator.value)
        for key, item in over:
            yield name, content, values.bound({known or name: {"key": key, "value": item}}), place

    # --- modules that it calls

    def call(self, name: str) -> tuple[Any, tuple[Module, ...]]:
        """A module that this one calls, as a value, and its instances."""
        if name not in self._calls:
            self._calls[name] = (UNRESOLVED, ())  # in case it leads back here
            self._calls[name] = self._called(name)
        return self._calls[name]

    def _called(self, name: str) -> tuple[Any, tuple[Module, ...]]:
        block = self.blocks.modules.get(name)
        if block is None:
            return UNRESOLVED, ()
        arguments = block.expressions()
        address = f"{self.address}.module.{name}" if self.address else f"module.{name}"
        source = self.values(block.path).of(arguments.get("source"))
        folder = posixpath.normpath(posixpath.join(self.folder, source)) if isinstance(source, str) else ""
        blocks = self._source(source, folder, address)
        if blocks is None:
            return UNRESOLVED, ()
        found, modules = list(self.expanded(block, address)), []
        for each, _, values, sure in found:
            ancestors = (*self.ancestors, self.folder)
            own = {key: node for key, node in arguments.items() if key not in ("source", "count", "for_each")}
            modules.append(
                Module(
                    self.session,
                    blocks,
                    folder,
                    each,
                    values,
                    own,
                    self.doubt_of(block, sure),
                    ancestors,
                    (self, block),
                )
            )
        handles = [Handle(module.output) for module in modules]
        return _as_value(block, [key for _, key, _, _ in found], handles, [sure for *_, sure in found]), tuple(modules)

    def _source(self, source: Any, folder: str, address: str) -> Blocks | None:
        session = self.session
        if not isinstance(source, str) or not source.startswith(("./", "../")):
            where = f" (`{source[:80]}`)" if isinstance(source, str) and UNRESOLVED not in source else ""
            session.notes.add(f"modules from elsewhere{where} are not read without a plan", address, documents=False)
            return None
        if folder in (*self.ancestors, self.folder) or len(self.ancestors) > _DEEPEST_MODULE:
            session.notes.add("a module that calls itself", address)
            return None
        if folder not in session.read:
            files = session.folders.code(folder, session.notes)
            try:
                session.read[folder] = read_blocks(files, session.notes) if files else Blocks()
            except TextError:
                session.read[folder] = Blocks()  # noted
            if not files:
                session.notes.add("a module whose folder cannot be read", f"{address}: {source[:80]}")
        return session.read[folder]

    def called(self) -> Iterator[Module]:
        """Itself, and every module that it calls."""
        yield self
        for name in self.blocks.modules:
            for module in self.call(name)[1] if self.session.instances <= _MOST_INSTANCES else ():
                yield from module.called()


def _as_value(block: Block, keys: list[Any], handles: list[Handle], sure: list[bool]) -> Any:
    """Instances as expressions see them."""
    if sure == [False]:
        return Doubtful(handles)
    arguments = block.expressions()
    if "count" in arguments:
        return handles
    return dict(zip(keys, handles, strict=True)) if "for_each" in arguments else handles[0]


def _of_statement(body: Any) -> Iterator[tuple[str, int, int]]:
    """Where the elements of a ``statement`` block stand."""
    names = dict(LISTS)
    for name, expression in attributes(body):
        if name in names:
            yield (f"/{names[name]}", *line_of(expression))
            lists = [expression, *children(expression, "tuple")]
            items = next((list(inner(each)) for each in lists if rule(each) == "tuple"), [])
            for index, item in enumerate(items):
                yield (f"/{names[name]}/{index}", *line_of(item))


def root_module(session: Session, blocks: Blocks) -> Module:
    """The module of the folder that is read, with the variables of the files beside it."""
    module = Module(session, blocks)
    found: dict[str, Any] = {}
    for path, text in session.folders.variables(session.notes):
        try:
            found.update(read_variables(text))
        except TextError as error:
            session.notes.add(error.message, path)
    module.arguments = found
    return module
