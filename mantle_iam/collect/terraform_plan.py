"""Terraform plans and states as ``terraform show -json`` prints them.

What is "known after apply" stays unknown, except where the configuration in the plan says from which resource it comes: a role of
the same plan, its policies, the blocks of a policy document that is read during apply.
Source: https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mantle_iam.collect.declared import Declared, Ref
from mantle_iam.collect.fields import Notes, objects, text, texts
from mantle_iam.collect.places import TextError
from mantle_iam.collect.terraform_document import rendered
from mantle_iam.collect.terraform_resources import Resource, read_resource
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.inventory import UNRESOLVED, Place

_FORMATS = ("0.1", "0.2", "1")
"""Format versions whose parts read here are the same; of 1 every minor one, which only adds."""
_HOPS = 20
"""Variables and outputs followed from a reference to its resource."""


def is_plan(value: object) -> bool:
    """Whether it is such a plan or state."""
    return isinstance(value, Mapping) and "format_version" in value and ("planned_values" in value or "values" in value)


def is_raw_state(value: object) -> bool:
    """Whether it is a state file itself, whose format is Terraform's own business."""
    return isinstance(value, Mapping) and "terraform_version" in value and "lineage" in value


@dataclass(frozen=True, slots=True)
class _Instance:
    """One resource instance of the plan."""

    address: str
    module: str
    mode: str
    type: str
    name: str
    index: object
    values: Mapping[str, Any]
    pointer: str


@dataclass(slots=True)
class _Plan:
    path: str
    pointer: str
    configuration: Mapping[str, Any]
    instances: list[_Instance] = field(default_factory=list)
    by_name: dict[tuple[str, str], list[_Instance]] = field(default_factory=dict)
    """By module address, and ``type.name`` (with ``data.`` before it)."""

    def add(self, instance: _Instance) -> None:
        self.instances.append(instance)
        prefix = "data." if instance.mode == "data" else ""
        self.by_name.setdefault((instance.module, f"{prefix}{instance.type}.{instance.name}"), []).append(instance)

    def module(self, address: str) -> Mapping[str, Any]:
        """The configuration of a module, by its address."""
        found = _mapping(self.configuration, "root_module")
        for name in _module_names(address):
            found = _mapping(_mapping(_mapping(found, "module_calls"), name), "module")
        return found

    def expressions(self, instance: _Instance) -> Mapping[str, Any]:
        """What the configuration says of the resource's attributes."""
        for _, resource in objects(self.module(instance.module), "resources"):
            if (text(resource, "mode"), text(resource, "type"), text(resource, "name")) == (
                instance.mode,
                instance.type,
                instance.name,
            ):
                return _mapping(resource, "expressions")
        return {}

    def pointed_at(self, instance: _Instance, attribute: str) -> Iterator[_Instance]:
        """The resource instances that an attribute's expression names."""
        expression = self.expressions(instance).get(attribute)
        for reference in _references(expression):
            yield from self.follow(instance.module, reference, instance.index, 0)

    def follow(self, module: str, reference: str, index: object, hops: int) -> Iterator[_Instance]:
        """The instances that ``reference`` means within ``module``."""
        if hops > _HOPS:
            return
        parts = _split(reference)
        if parts[0][0] == "module" and len(parts) > 2:
            yield from self._output(module, parts, index, hops)
        elif parts[0][0] == "var" and len(parts) > 1 and module:
            parent, name = _parent(module)
            call = _mapping(_mapping(self.module(parent), "module_calls"), name)
            for outer in _references(_mapping(call, "expressions").get(parts[1][0])):
                yield from self.follow(parent, outer, _last_index(module), hops + 1)
        else:
            length = 3 if parts[0][0] == "data" else 2
            named = self.by_name.get((module, ".".join(name for name, _ in parts[:length])), [])
            wanted = parts[length - 1][1] if len(parts) >= length else None
            yield from _chosen(named, wanted, index)

    def _output(self, module: str, parts: list[tuple[str, object]], index: object, hops: int) -> Iterator[_Instance]:
        name, wanted = parts[1]
        prefix = f"{module}.module.{name}" if module else f"module.{name}"
        addresses = {i.module for i in self.instances if _same_call(i.module, prefix)}
        calls = sorted({_cut(address, prefix) for address in addresses})
        if wanted is not None:
            calls = [call for call in calls if _last_index(call) == wanted]
        elif len(calls) > 1:
            calls = [call for call in calls if _last_index(call) == index]
        if len(calls) != 1:
            return
        output = _mapping(_mapping(self.module(calls[0]), "outputs"), parts[2][0])
        for reference in _references(output.get("expression")):
            yield from self.follow(calls[0], reference, None, hops + 1)


def _mapping(owner: object, name: str) -> Mapping[str, Any]:
    value = owner.get(name) if isinstance(owner, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _references(expression: object, depth: int = 0) -> Iterator[str]:
    """References of an expression, each once in its longest form: Terraform lists ``a.b.c`` and ``a.b``."""
    if isinstance(expression, list):
        for item in expression if depth < 3 else ():
            yield from _references(item, depth + 1)
        return
    names = texts(expression, "references")
    for index, name in enumerate(names):
        if index == 0 or not names[index - 1].startswith((f"{name}.", f"{name}[")):
            yield name


def _split(address: str) -> list[tuple[str, object]]:
    """``a.b[0].c`` as names with their indexes; dots within an index's quotes do not count."""
    found: list[tuple[str, object]] = []
    name, index, quoted, inside = "", "", False, False
    for character in address:
        if inside:
            if character == '"':
                quoted = not quoted
            if character == "]" and not quoted:
                inside = False
            else:
                index += character
        elif character == "[":
            inside = True
        elif character == ".":
            found.append((name, _index(index)))
            name, index = "", ""
        else:
            name += character
    found.append((name, _index(index)))
    return found


def _index(written: str) -> object:
    if not written:
        return None
    if written.startswith('"'):
        return written[1:-1]
    return int(written) if written.isascii() and written.isdigit() and len(written) < 10 else written


def _module_names(address: str) -> list[str]:
    return [name for name, _ in _split(address)[1::2]] if address else []


def _last_index(address: str) -> object:
    return _split(address)[-1][1] if address else None


def _parent(address: str) -> tuple[str, str]:
    """The address of the module that calls, and the name of the call."""
    parts = _split(address)
    name = parts[-1][0]
    keep = len(parts) // 2 - 1
    if keep == 0:
        return "", name
    end, seen = 0, 0
    quoted = False
    for position, character in enumerate(address):
        if character == '"':
            quoted = not quoted
        elif character == "." and not quoted:
            seen += 1
            if seen == 2 * keep:
                end = position
                break
    return address[:end], name


def _same_call(address: str, prefix: str) -> bool:
    return address == prefix or address.startswith((f"{prefix}[", f"{prefix}."))


def _cut(address: str, prefix: str) -> str:
    """The part of a module's address that ``prefix`` begins, with its index."""
    rest = address[len(prefix) :]
    if not rest.startswith("["):
        return prefix
    quoted = False
    for position, character in enumerate(rest):
        if character == '"':
            quoted = not quoted
        elif character == "]" and not quoted:
            return prefix + rest[: position + 1]
    return address


def _chosen(named: list[_Instance], wanted: object, index: object) -> Iterator[_Instance]:
    """The instance meant: by its index, as the only one, or as that of the same index as the one that refers."""
    if wanted is not None and not (isinstance(wanted, str) and wanted.startswith(("each.", "count."))):
        yield from (instance for instance in named if _equal(instance.index, wanted))
    elif len(named) == 1:
        yield named[0]
    else:
        yield from (instance for instance in named if instance.index is not None and _equal(instance.index, index))


def _equal(one: object, other: object) -> bool:
    return str(one) == str(other)


def read_plan(value: Mapping[str, Any], path: str, pointer: str, notes: Notes) -> Declared:
    """What the plan would make.

    Raises:
        TextError: it is of a format that is not known here.
    """
    version = text(value, "format_version")
    if version not in _FORMATS and version.partition(".")[0] not in _FORMATS:
        raise TextError(f"a Terraform plan of format `{version[:40]}`; known are 0.1, 0.2 and 1")
    if value.get("errored") is True:
        notes.add("Terraform could not finish this plan")
    plan = _Plan(path, pointer, _mapping(value, "configuration"))
    _take_changes(value, plan)
    if not plan.instances:
        for name in ("planned_values", "values"):
            _take_module(_mapping(_mapping(value, name), "root_module"), plan, f"/{name}/root_module", "", 0)
    prior = _mapping(_mapping(value, "prior_state"), "values")
    seen = {instance.address for instance in plan.instances}
    before = _Plan(path, pointer, {})
    _take_module(_mapping(prior, "root_module"), before, "/prior_state/values/root_module", "", 0)
    for instance in before.instances:
        if instance.mode == "data" and instance.address not in seen:
            plan.add(instance)
    declared = Declared()
    declared.account, declared.partition = _account(plan)
    for instance in plan.instances:
        if instance.mode == "managed":
            read_resource(_resource(plan, instance), declared, notes)
    return declared


def _take_changes(value: Mapping[str, Any], plan: _Plan) -> None:
    for index, change in objects(value, "resource_changes"):
        details = _mapping(change, "change")
        if details.get("actions") in (["delete"], ["forget"]) or text(change, "deposed"):
            continue
        values = _merged(details.get("after"), details.get("after_unknown"))
        instance = _instance(change, text(change, "module_address"), values, f"/resource_changes/{index}/change/after")
        plan.add(instance)


def _take_module(module: Mapping[str, Any], plan: _Plan, at: str, address: str, depth: int) -> None:
    for index, resource in objects(module, "resources"):
        plan.add(_instance(resource, address, resource.get("values"), f"{at}/resources/{index}/values"))
    for index, child in objects(module, "child_modules"):
        if depth < 50:
            _take_module(child, plan, f"{at}/child_modules/{index}", text(child, "address"), depth + 1)


def _instance(found: Mapping[str, Any], module: str, values: object, pointer: str) -> _Instance:
    return _Instance(
        text(found, "address"),
        module,
        text(found, "mode") or "managed",
        text(found, "type"),
        text(found, "name"),
        found.get("index"),
        values if isinstance(values, Mapping) else {},
        pointer,
    )


def _merged(after: Any, unknown: Any, depth: int = 0) -> Any:
    """Values with ``UNRESOLVED`` where they are known after apply."""
    if unknown is True:
        return UNRESOLVED
    if depth > 50:
        return after
    if isinstance(unknown, Mapping) and isinstance(after, Mapping | None):
        known = dict(after or {})
        for name, inner in unknown.items():
            known[name] = _merged(known.get(name), inner, depth + 1)
        return known
    if isinstance(unknown, list) and isinstance(after, list):
        return [_merged(item, unknown[i] if i < len(unknown) else None, depth + 1) for i, item in enumerate(after)]
    return after


def _account(plan: _Plan) -> tuple[str, str]:
    """The account into which the plan goes, if it says so: by who makes it, or by the ARNs of what there is already."""
    accounts: dict[str, str] = {}
    for instance in plan.instances:
        if instance.type == "aws_caller_identity" and text(instance.values, "account_id").isdigit():
            return text(instance.values, "account_id"), _partition(text(instance.values, "arn"))
        arn = Arn.try_parse(text(instance.values, "arn"))
        if instance.mode == "managed" and arn is not None and arn.account.isdigit():
            accounts[arn.account] = arn.partition
    return next(iter(accounts.items())) if len(accounts) == 1 else ("", "aws")


def _partition(arn: str) -> str:
    parsed = Arn.try_parse(arn)
    return parsed.partition if parsed is not None else "aws"


def _resource(plan: _Plan, instance: _Instance) -> Resource:
    place = Place(plan.path, address=instance.address, pointer=plan.pointer + instance.pointer)

    def resolve(attribute: str, value: Any) -> Ref:
        known = value if isinstance(value, str) and UNRESOLVED not in value else ""
        for target in plan.pointed_at(instance, attribute):
            if target.mode == "managed" and (not known or known in _names(target)):
                return Ref(target.address, known)
        return Ref(text=known)

    def document(attribute: str, value: Any) -> tuple[object, Place]:
        where = Place(plan.path, address=instance.address, pointer=f"{place.pointer}/{attribute}")
        if value == UNRESOLVED:
            for target in plan.pointed_at(instance, attribute):
                if target.type == "aws_iam_policy_document":
                    json_ = target.values.get("json")
                    known = isinstance(json_, str) and UNRESOLVED not in json_
                    at = Place(plan.path, address=target.address, pointer=plan.pointer + target.pointer)
                    return (json_ if known else rendered(target.values)), at
        return value, where

    def configured(attribute: str) -> bool:
        return attribute in plan.expressions(instance)

    return Resource(instance.type, instance.address, instance.values, place, resolve, document, configured=configured)


def _names(instance: _Instance) -> tuple[str, ...]:
    return tuple(text(instance.values, name) for name in ("name", "id", "arn"))
