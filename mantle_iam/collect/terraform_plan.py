"""Terraform plans and states as ``terraform show -json`` prints them.

What is "known after apply" stays unknown, except where the configuration in the plan says from which resource it comes: a role of
the same plan, its policies, the blocks of a policy document that is read during apply.
Source: https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mantle_iam.collect.declared import Declared, Ref, sorted_json
from mantle_iam.collect.fields import Notes, objects, text, texts
from mantle_iam.collect.places import TextError
from mantle_iam.collect.terraform_document import rendered
from mantle_iam.collect.terraform_resources import RESOURCES, Resource, arn_of, read_resource
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.inventory import UNRESOLVED, Place

_FORMATS = ("0.1", "0.2", "1")
"""Format versions whose parts read here are the same; of 1 every minor one, which only adds."""
_INDEXES = {"each.key", "each.value", "count.index"}
_HOPS = 20
"""Variables and outputs followed from a reference to its resource."""


def is_plan(value: object) -> bool:
    """Whether it is such a plan or state."""
    if not isinstance(value, Mapping) or "format_version" not in value:
        return False
    # An empty state is its version and nothing else.
    return "planned_values" in value or "values" in value or not set(value) - {"format_version", "terraform_version"}


def is_raw_state(value: object) -> bool:
    """Whether it is a state file itself, whose format is Terraform's own business."""
    return isinstance(value, Mapping) and "terraform_version" in value and "lineage" in value


def is_log(value: object) -> bool:
    """Whether it is a message of ``terraform plan -json``, which prints what happens and no plan."""
    return isinstance(value, Mapping) and {"@level", "@message", "type"} <= set(value)


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
    sensitive: list[_Instance] = field(default_factory=list)
    by_name: dict[tuple[str, str], dict[str, _Instance]] = field(default_factory=dict)
    """By module address and ``type.name`` (with ``data.`` before it), by index."""
    calls: dict[str, dict[str, str]] = field(default_factory=dict)
    """Addresses of the instances of a module by that of its call, which has no index, and by index."""
    _modules: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _followed: dict[tuple[str, str, str, bool], tuple[dict[str, _Instance], bool]] = field(default_factory=dict)
    _configured: dict[tuple[str, ...], Mapping[tuple[str, ...], Mapping[str, Any]]] = field(default_factory=dict)

    def add(self, instance: _Instance) -> None:
        self.instances.append(instance)
        prefix = "data." if instance.mode == "data" else ""
        named = self.by_name.setdefault((instance.module, f"{prefix}{instance.type}.{instance.name}"), {})
        named[str(instance.index)] = instance
        module = instance.module
        while module and module not in self._modules:
            self.module(module)
            parent, name = _parent(module)
            self.calls.setdefault(_call(parent, name), {})[str(_last_index(module))] = module
            module = parent

    def module(self, address: str) -> Mapping[str, Any]:
        """The configuration of a module, by its address."""
        if address not in self._modules:
            found = _mapping(self.configuration, "root_module")
            for name in _module_names(address):
                found = _mapping(_mapping(_mapping(found, "module_calls"), name), "module")
            self._modules[address] = found
        return self._modules[address]

    def configured(self, instance: _Instance) -> Mapping[str, Any]:
        """What the configuration says of the resource."""
        names = tuple(_module_names(instance.module))
        if names not in self._configured:
            self._configured[names] = {
                (text(each, "mode"), text(each, "type"), text(each, "name")): each
                for _, each in objects(self.module(instance.module), "resources")
            }
        return self._configured[names].get((instance.mode, instance.type, instance.name), {})

    def expressions(self, instance: _Instance) -> Mapping[str, Any]:
        """What it says of the resource's attributes."""
        return _mapping(self.configured(instance), "expressions")

    def pointed_at(self, instance: _Instance, attribute: str) -> tuple[dict[str, _Instance], bool]:
        """The resource instances that an attribute's expression names; ``block.attribute`` for that of an only block.

        And whether it can be no other: an expression is known by what it refers to and not by what it does.
        """
        configured = self.configured(instance)
        expression: Any = _mapping(configured, "expressions")
        for name in attribute.split("."):
            only = expression[0] if isinstance(expression, list) and len(expression) == 1 else expression
            expression = only.get(name) if isinstance(only, Mapping) else None
        return self._all(_Place(instance.module, instance.index, configured.get("for_each_expression")), expression, 0)

    def _all(self, at: _Place, expression: object, hops: int) -> tuple[dict[str, _Instance], bool]:
        """The instances that an expression at ``at`` refers to, and whether it is known what all of it refers to."""
        references = list(_references(expression))
        by_index = bool(_INDEXES & set(references))
        if len(references) > 1:
            # Of a set it is the key, with which one of the others is chosen.
            references = [reference for reference in references if reference not in _INDEXES]
        found: dict[str, _Instance] = {}
        sure = hops <= _HOPS
        for reference in references if sure else ():
            more, certain = self._follow(at, reference, by_index or at.value, hops + 1)
            found |= more
            sure = sure and certain
        return found, sure

    def _follow(self, at: _Place, reference: str, by_index: bool, hops: int) -> tuple[dict[str, _Instance], bool]:
        parts = _split(reference)
        head = parts[0][0]
        if (
            head in ("count", "path", "terraform", "self")
            or reference == "each.key"
            or (head == "var" and not at.module)
        ):
            return {}, True
        if head == "each":
            return self._all(_Place(at.module, at.index, None, value=True), at.loop, hops)
        key = (at.module, str(at.index), reference, by_index)
        if key not in self._followed:
            self._followed[key] = {}, False  # in case it leads back here
            self._followed[key] = self._reached(at, parts, at.index if by_index else None, hops)
        return self._followed[key]

    def _reached(
        self, at: _Place, parts: list[tuple[str, object]], index: object, hops: int
    ) -> tuple[dict[str, _Instance], bool]:
        head = parts[0][0]
        if head == "module" and len(parts) > 2:
            return self._output(at.module, parts, index, hops)
        if head == "var" and len(parts) > 1:
            parent, name = _parent(at.module)
            call = _mapping(_mapping(self.module(parent), "module_calls"), name)
            outside = _Place(parent, _last_index(at.module), call.get("for_each_expression"))
            return self._all(outside, _mapping(call, "expressions").get(parts[1][0]), hops)
        length = 3 if head == "data" else 2
        named = self.by_name.get((at.module, ".".join(name for name, _ in parts[:length])), {})
        chosen = _chosen(named, parts[length - 1][1] if len(parts) >= length else None, index)
        if chosen is not None:
            return {chosen.address: chosen}, True
        return {one.address: one for one in named.values()}, not named and head not in ("local", "module")

    def _output(
        self, module: str, parts: list[tuple[str, object]], index: object, hops: int
    ) -> tuple[dict[str, _Instance], bool]:
        name, wanted = parts[1]
        call = _chosen(self.calls.get(_call(module, name), {}), wanted, index)
        if call is None:
            return {}, False
        output = _mapping(_mapping(self.module(call), "outputs"), parts[2][0])
        return self._all(_Place(call, None, None), output.get("expression"), hops)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an expression stands: module, index of the instance, and what that is one of (``for_each``)."""

    module: str
    index: object
    loop: object
    value: bool = False
    """Whether it is the ``for_each`` itself, of which the element with the same key is meant."""


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


def _call(module: str, name: str) -> str:
    """The address of a call, whose instances may have an index."""
    return f"{module}.module.{name}" if module else f"module.{name}"


_One = TypeVar("_One")


def _chosen(named: Mapping[str, _One], wanted: object, index: object) -> _One | None:
    """The instance meant: by its index, as the only one, or as that of the same index as the one that refers."""
    if wanted is not None and not (isinstance(wanted, str) and wanted.startswith(("each.", "count."))):
        return named.get(str(wanted))
    if len(named) == 1:
        return next(iter(named.values()))
    return None if index is None else named.get(str(index))


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
    for instance in plan.sensitive:
        if instance.type in RESOURCES:
            message = "values that are marked as sensitive are never shown, and count as not known"
            notes.add(message, instance.address, partial=False)
    declared = Declared()
    declared.account, declared.partition = _account(plan)
    given = _mapping(value, "variables")
    declared.variables = {name: sorted_json(each["value"]) for name, each in given.items() if "value" in each}
    for instance in plan.instances:
        if instance.mode == "managed":
            read_resource(_resource(plan, instance), declared, notes)
    return declared


def _take_changes(value: Mapping[str, Any], plan: _Plan) -> None:
    for index, change in objects(value, "resource_changes"):
        details = _mapping(change, "change")
        if details.get("actions") in (["delete"], ["forget"]) or text(change, "deposed"):
            continue
        values = _merged(_merged(details.get("after"), details.get("after_unknown")), details.get("after_sensitive"))
        instance = _instance(change, text(change, "module_address"), values, f"/resource_changes/{index}/change/after")
        plan.add(instance)
        if _marked(details.get("after_sensitive")):
            plan.sensitive.append(instance)


def _marked(value: object, depth: int = 0) -> bool:
    """Whether anything of it is marked."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return value is True or (depth < 50 and any(_marked(one, depth + 1) for one in inner))


def _take_module(module: Mapping[str, Any], plan: _Plan, at: str, address: str, depth: int) -> None:
    for index, resource in objects(module, "resources"):
        values = _merged(resource.get("values"), resource.get("sensitive_values"))
        plan.add(_instance(resource, address, values, f"{at}/resources/{index}/values"))
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
    """Values with ``UNRESOLVED`` where they are known after apply, or marked as sensitive: those are never shown."""
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
        found, sure = plan.pointed_at(instance, attribute)
        targets = [one for one in found.values() if one.mode == "managed" and (not known or known in _names(one))]
        if known or (sure and len(targets) == 1):
            return Ref(targets[0].address if targets else "", known)
        return Ref(among=tuple(one.address for one in targets) if sure else None)

    def document(attribute: str, value: Any) -> tuple[object, Place]:
        where = Place(plan.path, address=instance.address, pointer=f"{place.pointer}/{attribute}")
        found, sure = plan.pointed_at(instance, attribute) if value == UNRESOLVED else ({}, False)
        target = next(iter(found.values()), None)
        if not sure or len(found) != 1 or target is None or target.type != "aws_iam_policy_document":
            return value, where
        json_ = target.values.get("json")
        known = isinstance(json_, str) and UNRESOLVED not in json_
        at = Place(plan.path, address=target.address, pointer=plan.pointer + target.pointer)
        return (json_ if known else rendered(_typed(plan, target))), at

    def configured(attribute: str) -> bool:
        return attribute in plan.expressions(instance)

    return Resource(instance.type, instance.address, instance.values, place, resolve, document, configured=configured)


def _typed(plan: _Plan, document: _Instance) -> Mapping[str, Any]:
    """The values of a policy document, with ARNs that are not known yet and those of one type of resource alone."""
    written = list(objects(plan.expressions(document), "statement"))
    blocks = document.values.get("statement")
    if not isinstance(blocks, list) or len(blocks) != len(written):
        return document.values
    found = []
    for block, (_, expressions) in zip(blocks, written, strict=True):
        arns = {_arn(reference) for reference in _references(expressions.get("resources"))}
        values = block.get("resources") if isinstance(block, Mapping) else None
        if isinstance(values, list) and len(arns) == 1:
            (arn,) = arns
            block = {**block, "resources": [arn if value in (None, UNRESOLVED) else value for value in values]}
        found.append(block)
    return {**document.values, "statement": found}


def _arn(reference: str) -> str:
    parts = _split(reference)
    return arn_of(parts[0][0]) if len(parts) == 3 and parts[2][0] == "arn" else UNRESOLVED


def _names(instance: _Instance) -> tuple[str, ...]:
    return tuple(text(instance.values, name) for name in ("name", "id", "arn"))
