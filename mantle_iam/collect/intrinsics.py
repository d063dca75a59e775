"""CloudFormation's intrinsic functions, as far as parameters, mappings and the template itself answer them.

What they do not answer is ``UNRESOLVED``: imports, dynamic references, attributes of resources that AWS makes up.  A reference
to a resource of the template stays told from others (``Linked``), whether its name is known or not.  Everything is answered once
and what is made is bounded, so that a template of names made of names of names takes no more time than another.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mantle_iam.collect.declared import Linked, linked
from mantle_iam.collect.own_account import UNKNOWN_ACCOUNT
from mantle_iam.collect.template_loops import LOOP, LoopError, Loops
from mantle_iam.iam.grammar import Repeated, dump_json
from mantle_iam.iam.inventory import UNRESOLVED
from mantle_iam.mantle.endpoint import partition_of

_DEEPEST = 150
_DEEPEST_NAMES = 20
_NAMES = re.compile(r"\$\{([^{}$]*)\}")
_LONGEST: Final = 1_000_000
_MOST_MADE = 20_000_000
"""Characters and elements that the functions of one template make together."""
_DYNAMIC = "{{resolve:"
_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}


class _NoValue:
    """``AWS::NoValue``: as if it had not been written."""


NO_VALUE: Final = _NoValue()


class Kept(list[Any]):
    """A list without its ``AWS::NoValue``; ``indexes`` are those of its items in the text."""

    indexes: tuple[int, ...]


_WITH_ROLES = ("AWS::Serverless::Function", "AWS::Serverless::StateMachine")
_NAMED = {
    "AWS::IAM::Role": ("RoleName", "role"),
    "AWS::IAM::User": ("UserName", "user"),
    "AWS::IAM::Group": ("GroupName", "group"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "policy"),
}


class Template:
    """A template and the values given for its parameters.

    ``prefix`` stands before the keys of its resources, where it is nested in another.  ``output`` answers for the stacks that are
    nested in it: the key of one and the name of an output give its value.
    """

    def __init__(
        self,
        value: Mapping[str, Any],
        parameters: Mapping[str, Any],
        prefix: str = "",
        output: Callable[[str, str], Any] = lambda key, name: UNRESOLVED,
    ) -> None:
        self.prefix = prefix
        self._output = output
        self._given = parameters
        self._declared = _mapping(value, "Parameters")
        self._mappings = _mapping(value, "Mappings")
        self._left = _MOST_MADE
        self._answered: dict[tuple[str, str], Any] = {}
        self._asking = 0
        self._held: dict[str, bool | None] = {}
        self._loops = Loops(self._items)
        self.loops: list[str] = []
        """Keys of the loops that could not be written out."""
        self._conditions: dict[str, Any] = {}
        self.resources: dict[str, Any] = {}
        self._conditions |= {key: found for key, (found, _) in self._section(value, "Conditions").items()}
        self.outputs = {key: found for key, (found, _) in self._section(value, "Outputs").items()}
        self.places = self._section(value, "Resources")
        """Resources and their pointers."""
        self.resources |= {key: found for key, (found, _) in self.places.items()}

    def _section(self, value: Mapping[str, Any], name: str) -> dict[str, tuple[Any, str]]:
        found: dict[str, tuple[Any, str]] = {}
        for key, item in _mapping(value, name).items():
            try:
                one = {str(key): item}
                found.update({inner: (made, at) for inner, made, at in self._loops.written_out(one, f"/{name}")})
            except LoopError as error:
                self.loops.append(error.key)
        return found

    def _items(self, collection: Any) -> list[str] | None:
        found = self.resolved(collection)
        if not isinstance(found, list):
            return None
        items = [_text(item) for item in found]
        return None if None in items or any(UNRESOLVED in str(item) for item in items) else [str(i) for i in items]

    @property
    def account(self) -> str:
        """The account of the stack; ``UNKNOWN_ACCOUNT`` stands for one that was not told, here as in its principals."""
        return str(self._given.get("AWS::AccountId") or UNKNOWN_ACCOUNT)

    @property
    def partition(self) -> str:
        """Its partition: as told, else that of its region, else ``aws``."""
        return str(self._given.get("AWS::Partition") or partition_of(str(self._given.get("AWS::Region", ""))))

    def resolved(self, value: Any, depth: int = 0) -> Any:
        """``value`` with every function replaced by what it gives."""
        if depth > _DEEPEST:
            return UNRESOLVED
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, list):
            return self._list(value, depth)
        return UNRESOLVED if isinstance(value, str) and _DYNAMIC in value else value

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        found: list[tuple[int, Any]] = []
        for at, item in enumerate(value):
            possible = self._possible(item, depth + 1)
            found += [(at, one) for one in ([self.resolved(item, depth + 1)] if possible is None else possible)]
        kept = Kept(item for _, item in found if item is not NO_VALUE)
        kept.indexes = tuple(at for at, item in found if item is not NO_VALUE)
        return [*kept] if kept.indexes == tuple(range(len(value))) else kept

    def _possible(self, value: Any, depth: int) -> list[Any] | None:
        """The statements in the branches of an ``Fn::If`` whose condition is not known, as statements that may not apply.

        ``None``: it is something else.
        """
        branches = value.get("Fn::If") if isinstance(value, Mapping) and len(value) == 1 else None
        if (
            not isinstance(branches, list)
            or len(branches) != 3
            or depth > _DEEPEST
            or self.holds(branches[0]) is not None
        ):
            return None
        found: list[Any] = []
        for branch in branches[1:]:
            inner = self._possible(branch, depth + 1)
            if inner is None:
                made = self.resolved(branch, depth + 1)
                many = made if isinstance(made, list) else [] if made is NO_VALUE else [made]
                if not all(isinstance(one, Mapping) and "Effect" in one for one in many):
                    return None
                inner = [_perhaps(one) for one in many]
            found += inner
        return found or None

    def _object(self, value: Mapping[str, Any], depth: int) -> Any:
        if len(value) == 1:
            name = str(next(iter(value)))
            if name in _FUNCTIONS:
                return self._bounded(_FUNCTIONS[name](self, value[name], depth + 1))
            if name.startswith("Fn::") and not name.startswith(LOOP):
                return UNRESOLVED
        if "Fn::Transform" in value:
            return UNRESOLVED  # what a macro or an include puts beside the others is not known
        pairs: list[tuple[str, Any]] = [(str(key), item) for key, item in value.items()]
        if any(key.startswith(LOOP) for key, _ in pairs):
            try:
                pairs = [(key, item) for key, item, _ in self._loops.written_out(value)]
            except LoopError as error:
                self.loops.append(error.key)
                return UNRESOLVED
        found = {key: self.resolved(item, depth + 1) for key, item in pairs}
        if found.get("Statement") == UNRESOLVED:
            found["Statement"] = self._possible(dict(pairs)["Statement"], depth + 1) or UNRESOLVED
        kept = {key: item for key, item in found.items() if item is not NO_VALUE}
        if isinstance(value, Repeated):
            repeated = Repeated(kept)
            repeated.keys_twice = value.keys_twice
            return repeated
        return kept

    def _bounded(self, made: Any) -> Any:
        if isinstance(made, str | list | dict):
            self._left -= len(made)
        dynamic = isinstance(made, str) and _DYNAMIC in made
        return UNRESOLVED if dynamic or self._left <= 0 else made

    def holds(self, name: object, depth: int = 0) -> bool | None:
        """Whether a condition of the template is met; ``None``: not known."""
        if not isinstance(name, str) or name not in self._conditions or depth > _DEEPEST:
            return None
        if name not in self._held:
            self._held[name] = None  # for one that hangs on itself
            self._held[name] = self._true(self._conditions[name], depth + 1)
        return self._held[name]

    def _true(self, value: Any, depth: int) -> bool | None:
        if isinstance(value, bool):
            return value
        if not isinstance(value, Mapping) or len(value) != 1 or depth > _DEEPEST:
            return None
        name, argument = next(iter(value.items()))
        if name == "Condition":
            return self.holds(argument, depth)
        many = argument if isinstance(argument, list) else [argument]
        if name == "Fn::Equals" and len(many) == 2:
            one, other = (_text(self.resolved(item, depth)) for item in many)
            return None if one is None or other is None or UNRESOLVED in one + other else one == other
        parts = [self._true(item, depth + 1) for item in many]
        if name == "Fn::Not" and len(parts) == 1:
            return None if parts[0] is None else not parts[0]
        if name == "Fn::And":
            return False if False in parts else None if None in parts else True
        if name == "Fn::Or":
            return True if True in parts else None if None in parts else False
        return None

    def named(self, name: str) -> Any:
        """What ``Ref`` gives: a pseudo parameter, a parameter, or the name of a resource."""
        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Partition": self.partition,
            "AWS::URLSuffix": _SUFFIXES.get(self.partition, "amazonaws.com"),
        }
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in pseudo:
            return pseudo[name]
        if name in self._declared and "AWS::SSM::" in str(_mapping(self._declared, name).get("Type")):
            return UNRESOLVED  # what is given is the name of a parameter in the store, not its value
        if str(_mapping(self._declared, name).get("NoEcho")).lower() == "true":
            return UNRESOLVED  # never shown
        if name in self._given and name not in self.resources:
            return self._typed(name, self._given[name])
        if name in self._declared:
            return self._typed(name, _mapping(self._declared, name).get("Default", UNRESOLVED))
        return self.resource(name, "")

    def _typed(self, name: str, value: Any) -> Any:
        kind = str(_mapping(self._declared, name).get("Type"))
        if isinstance(value, str) and (kind == "CommaDelimitedList" or kind.startswith("List<")):
            return UNRESOLVED if UNRESOLVED in value else [item.strip() for item in value.split(",")]
        return value

    def resource(self, key: str, attribute: str) -> Any:
        """The name of a resource, or its ARN or output where that is what is asked for."""
        asked = (key, attribute)
        if asked not in self._answered:
            there = isinstance(self.resources.get(key), Mapping) or self.made_by_sam(key)
            unknown = linked(UNRESOLVED, self.prefix + key) if there else UNRESOLVED
            self._answered[asked] = unknown  # for one whose name is made of itself
            if self._asking > _DEEPEST_NAMES:
                return unknown
            self._asking += 1
            self._answered[asked] = self._resource(key, attribute, unknown)
            self._asking -= 1
        return self._answered[asked]

    def made_by_sam(self, key: str) -> bool:
        """Whether it is the role that SAM makes for a function or a state machine, which a template may name.

        https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources.html
        """
        owner = self.resources.get(key.removesuffix("Role")) if key.endswith("Role") else None
        return isinstance(owner, Mapping) and owner.get("Type") in _WITH_ROLES

    def _resource(self, key: str, attribute: str, unknown: str) -> Any:
        resource = self.resources.get(key)
        kind = str(resource.get("Type")) if isinstance(resource, Mapping) else ""
        if attribute.startswith("Outputs."):
            return self._output(key, attribute.removeprefix("Outputs."))
        if kind not in _NAMED:
            return unknown
        attribute_name, word = _NAMED[kind]
        properties = _mapping(resource, "Properties")
        name = self.resolved(properties[attribute_name], 1) if attribute_name in properties else UNRESOLVED
        path = self.resolved(properties.get("Path", "/"), 1)
        if not isinstance(name, str) or not isinstance(path, str):
            return unknown
        if attribute == "Arn" or kind == "AWS::IAM::ManagedPolicy":
            name = f"arn:{self.partition}:iam::{self.account}:{word}{path.rstrip('/')}/{name}"
        elif attribute:
            return UNRESOLVED
        return linked(name, self.prefix + key)


def _perhaps(statement: Mapping[str, Any]) -> dict[str, Any]:
    """A statement of which nobody knows whether it is there: it has one more condition, of which nothing is known."""
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, Mapping):
        return dict(statement)
    equals = conditions.get("StringEquals")
    more = {**(equals if isinstance(equals, Mapping) else {}), UNRESOLVED: "true"}
    return {**statement, "Condition": {**conditions, "StringEquals": more}}


def _mapping(owner: object, name: str) -> Mapping[str, Any]:
    value = owner.get(name) if isinstance(owner, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    """A scalar as CloudFormation writes it; ``None``: it is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def _ref(template: Template, argument: Any, depth: int) -> Any:
    return template.named(argument) if isinstance(argument, str) else UNRESOLVED


def _get_att(template: Template, argument: Any, depth: int) -> Any:
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        return UNRESOLVED
    return template.resource(parts[0], parts[1])


def _sub(template: Template, argument: Any, depth: int) -> Any:
    text, names = (argument[0], argument[1]) if isinstance(argument, list) and len(argument) == 2 else (argument, {})
    if not isinstance(text, str) or not isinstance(names, Mapping) or len(text) > _LONGEST:
        return UNRESOLVED
    only: list[Any] = []
    left = _LONGEST

    def put(match: re.Match[str]) -> str:
        nonlocal left
        if left <= 0:
            return ""
        name = match.group(1).strip()
        if name.startswith("!"):
            return "${" + name[1:] + "}"  # a literal one, as policy variables are
        if name in names:
            value = template.resolved(names[name], depth)
        elif "." in name:
            value = template.resource(*name.split(".", 1))
        else:
            value = template.named(name)
        only.append(value)
        written = _text(value)
        written = UNRESOLVED if written is None else written
        left -= len(written)
        return written if left > 0 else ""

    found = _NAMES.sub(put, text)
    if left <= 0:
        return UNRESOLVED
    if len(only) == 1 and isinstance(only[0], Linked) and found == only[0]:
        return only[0]
    return found


def _join(template: Template, argument: Any, depth: int) -> Any:
    if not isinstance(argument, list) or len(argument) != 2:
        return UNRESOLVED
    between, items = (template.resolved(item, depth) for item in argument)
    if not isinstance(between, str) or not isinstance(items, list):
        return UNRESOLVED
    texts = [UNRESOLVED if written is None else written for written in map(_text, items)]
    if sum(map(len, texts)) + len(between) * len(texts) > _LONGEST:
        return UNRESOLVED
    return between.join(texts)


def _if(template: Template, argument: Any, depth: int) -> Any:
    if not isinstance(argument, list) or len(argument) != 3:
        return UNRESOLVED
    holds = template.holds(argument[0], depth)
    return UNRESOLVED if holds is None else template.resolved(argument[1 if holds else 2], depth)


def _find_in_map(template: Template, argument: Any, depth: int) -> Any:
    if not isinstance(argument, list) or len(argument) < 3:
        return UNRESOLVED
    found: Any = template._mappings
    for key in argument[:3]:
        name = template.resolved(key, depth)
        if not isinstance(name, str) or UNRESOLVED in name:
            return UNRESOLVED
        found = found.get(name) if isinstance(found, Mapping) else None
    if found is None and len(argument) == 4 and isinstance(argument[3], Mapping) and "DefaultValue" in argument[3]:
        return template.resolved(argument[3]["DefaultValue"], depth)
    return UNRESOLVED if found is None else found


def _select(template: Template, argument: Any, depth: int) -> Any:
    if not isinstance(argument, list) or len(argument) != 2:
        return UNRESOLVED
    index, items = (template.resolved(item, depth) for item in argument)
    digits = str(index)
    if not isinstance(items, list) or not (digits.isascii() and digits.isdigit() and len(digits) < 6):
        return UNRESOLVED
    return items[int(digits)] if int(digits) < len(items) else UNRESOLVED


def _split(template: Template, argument: Any, depth: int) -> Any:
    if not isinstance(argument, list) or len(argument) != 2:
        return UNRESOLVED
    by, text = (template.resolved(item, depth) for item in argument)
    if not isinstance(by, str) or not by or not isinstance(text, str) or UNRESOLVED in text:
        return UNRESOLVED
    return text.split(by)


def _length(template: Template, argument: Any, depth: int) -> Any:
    value = template.resolved(argument, depth)
    return len(value) if isinstance(value, list) else UNRESOLVED


def _to_json(template: Template, argument: Any, depth: int) -> Any:
    value = template.resolved(argument, depth)
    return value if isinstance(value, str) else dump_json(value)


_FUNCTIONS: Final = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Length": _length,
    "Fn::ToJsonString": _to_json,
}
