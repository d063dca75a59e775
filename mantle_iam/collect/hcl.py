"""Terraform code without a plan: the resources of a module and of those it calls, with what the code alone says of them.

Second best: a plan knows remote modules, data and the variables of a run; here they are unknown.
Source: https://developer.hashicorp.com/terraform/language/syntax/configuration
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mantle_iam.collect.declared import Declared, Linked, Ref, Written, sorted_json
from mantle_iam.collect.fields import Notes
from mantle_iam.collect.hcl_blocks import is_code, read_blocks
from mantle_iam.collect.hcl_functions import measured
from mantle_iam.collect.hcl_modules import Instance, Module, Session, root_module
from mantle_iam.collect.hcl_reach import reached
from mantle_iam.collect.hcl_texts import Rendered
from mantle_iam.collect.hcl_tree import line_of
from mantle_iam.collect.terraform_document import has_principals
from mantle_iam.collect.terraform_folders import Folders
from mantle_iam.collect.terraform_resources import OWNERS, RESOURCES, Resource, read_resource
from mantle_iam.iam.inventory import UNRESOLVED, Place, Purpose

__all__ = ["is_code", "read_code"]


def read_code(
    files: Sequence[tuple[str, str]],
    parameters: Mapping[str, str],
    read_file: Callable[[str], str | None],
    notes: Notes,
) -> Declared:
    """What the files of one folder (path and text) declare; one that is not understood is noted, the rest is read.

    Raises:
        TextError: none of them could be read.
    """
    blocks = read_blocks(files, notes)
    session = Session(Folders(files[0][0], read_file), parameters, notes)
    declared = Declared(
        account=parameters.get("AWS::AccountId", ""), partition=parameters.get("AWS::Partition") or "aws"
    )
    try:
        root = root_module(session, blocks)
        _read(root, declared, notes)
        declared.variables = {name: sorted_json(root.variable(name)) for name in blocks.variables}
    except RecursionError:
        notes.add("expressions that lead too far")
    if session.budget.spent:
        notes.add("expressions that take too long: the rest is not known")
    declared.folders = frozenset(map(session.folders.path, session.read))
    return declared


def _read(root: Module, declared: Declared, notes: Notes) -> None:
    modules = list(root.called())
    found: list[tuple[Module, Instance]] = []
    for module in modules:
        for name in module.blocks.resources:
            many = module.instances("resource", name)[1]
            if not many:
                notes.add("of some resources there are none with these variables", name, partial=False)
            found.extend((module, one) for one in many)
    # Owners first: what comes and goes with them is told by them.
    for module, one in sorted(found, key=lambda each: each[1].block.type not in OWNERS):
        read_resource(_resource(module, one, notes), declared, notes)
    for module in modules:
        declared.loose.extend(_unused(module))


def _unused(module: Module) -> Iterator[Written]:
    """Documents that no resource uses: they go to a module that is not read, into an output, or elsewhere."""
    left: list[tuple[Instance, Any]] = []
    for name, block in module.blocks.data.items():
        if block.type != "aws_iam_policy_document":
            continue
        left += [(one, module.read_document(one)) for one in module.instances("data", name)[1]]
    for one, source in left:
        if one.address not in module.session.used and isinstance(source, Rendered):
            purpose = Purpose.RESOURCE if has_principals(source) else Purpose.IDENTITY
            yield Written(one.block.name, source, source.place, purpose, marks=source.marks)


def _resource(module: Module, one: Instance, notes: Notes) -> Resource:
    block = one.block
    place = Place(block.path, block.line, block.column, one.address)
    expressions = block.expressions()
    values: Mapping[str, Any] = dict.fromkeys(expressions, UNRESOLVED)
    # Nothing but IAM is evaluated: a folder may declare anything.
    if block.type in RESOURCES:
        values = module.read_body(one)
        if not measured(values):
            notes.add("larger than is read", one.address)
            values = {}

    def resolve(attribute: str, value: Any) -> Ref:
        if isinstance(value, Linked):
            return Ref(value.key, "" if UNRESOLVED in value else str(value))
        if isinstance(value, str) and UNRESOLVED not in value:
            return Ref(text=value)
        return Ref(among=reached(module, block, expressions[attribute]) if attribute in expressions else None)

    def document(attribute: str, value: Any) -> tuple[object, Place]:
        if isinstance(value, Rendered):
            return value, replace(value.place, address=one.address)
        expression = expressions.get(attribute)
        line, column = (block.line, block.column) if expression is None else line_of(expression)
        return value, Place(block.path, line, column, one.address)

    return Resource(
        block.type,
        one.address,
        values,
        place,
        resolve,
        document,
        lambda source: source.marks if isinstance(source, Rendered) else (),
        lambda attribute: attribute in expressions,
        one.doubt,
    )
