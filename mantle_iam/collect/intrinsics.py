"""CloudFormation's intrinsic functions, as far as parameters, mappings and the template itself answer them.

What they do not answer is ``UNRESOLVED``: imports, dynamic references, attributes of resources that AWS makes up.  A reference
to a resource of the template stays told from others (``Linked``), whether its name is known or not.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mantle_iam.collect.declared import UNKNOWN_ACCOUNT, Linked, linked
from mantle_iam.iam.grammar import Number, Repeated, dump_json
from mantle_iam.iam.inventory import UNRESOLVED

_DEEPEST = 150
_NAMES = re.compile(r"\$\{([^{}$]*)\}")
_LONGEST: Final = 1_000_000
_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}


class _NoValue:
    """``AWS::NoValue``: as if it had not been written."""


NO_VALUE: Final = _NoValue()

_NAMED = {
    "AWS::IAM::Role": ("RoleName", "role"),
    "AWS::IAM::User": ("UserName", "user"),
    "AWS::IAM::Group": ("GroupName", "group"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "policy"),
}


class Template:
    """A template and the values given for its parameters."""

    def __init__(self, value: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self.value = value
        self._given = parameters
        self._declared = _mapping(value, "Parameters")
        self._mappings = _mapping(value, "Mappings")
        self._conditions = _mapping(value, "Conditions")
        self.resources = _mapping(value, "Resources")
        self._asked: set[str] = set()

    @property
    def account(self) -> str:
        """The account of the stack; ``UNKNOWN_ACCOUNT`` stands for one that was not told, here as in its principals."""
        return self._given.get("AWS::AccountId") or UNKNOWN_ACCOUNT

    @property
    def partition(self) -> str:
        """Its partition; ``aws`` unless told."""
        return self._given.get("AWS::Partition") or "aws"

    def resolved(self, value: Any, depth: int = 0) -> Any:
        """``value`` with every function replaced by what it gives."""
        if depth > _DEEPEST:
            return UNRESOLVED
        if isinstance(value, Mapping):
            if len(value) == 1:
                name = str(next(iter(value)))
                if name in _FUNCTIONS:
                    return _FUNCTIONS[name](self, value[name], depth + 1)
                if name.startswith("Fn::"):
                    return UNRESOLVED
            found = {key: self.resolved(item, depth + 1) for key, item in value.items()}
            kept = {str(key): item for key, item in found.items() if item is not NO_VALUE}
            if isinstance(value, Repeated):
                repeated = Repeated(kept)
                repeated.keys_twice = value.keys_twice
                return repeated
            return kept
        if isinstance(value, list):
            items = [self.resolved(item, depth + 1) for item in value]
            return [item for item in items if item is not NO_VALUE]
        if isinstance(value, str) and not isinstance(value, Number) and "{{resolve:" in value:
            return UNRESOLVED
        return value

    def holds(self, name: object, depth: int = 0) -> bool | None:
        """Whether a condition of the template is met; ``None``: not known."""
        if not isinstance(name, str) or name not in self._conditions or depth > _DEEPEST or name in self._asked:
            return None
        self._asked.add(name)
        try:
            return self._true(self._conditions[name], depth + 1)
        finally:
            self._asked.discard(name)

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
            one, other = (self.resolved(item, depth) for item in many)
            return None if _vague(one) or _vague(other) else str(one) == str(other)
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
        if name in self._given:
            return self._typed(name, self._given[name])
        if name in self._declared:
            default = _mapping(self._declared, name).get("Default", UNRESOLVED)
            if "AWS::SSM::" in str(_mapping(self._declared, name).get("Type")):
                return UNRESOLVED  # the default is the name of a parameter in the store, not its value
            return self._typed(name, default)
        return self.resource(name, "")

    def _typed(self, name: str, value: Any) -> Any:
        kind = str(_mapping(self._declared, name).get("Type"))
        if isinstance(value, str) and (kind == "CommaDelimitedList" or kind.startswith("List<")):
            return [item.strip() for item in value.split(",")]
        return value

    def resource(self, key: str, attribute: str) -> Any:
        """The name of a resource, or its ARN where that is what is asked for."""
        resource = self.resources.get(key)
        if not isinstance(resource, Mapping):
            return UNRESOLVED
        kind = str(resource.get("Type"))
        if kind not in _NAMED:
            return linked(UNRESOLVED, key)
        attribute_name, word = _NAMED[kind]
        properties = _mapping(resource, "Properties")
        name = self.resolved(properties[attribute_name], 1) if attribute_name in properties else UNRESOLVED
        path = self.resolved(properties.get("Path", "/"), 1)
        if not isinstance(name, str) or not isinstance(path, str):
            return linked(UNRESOLVED, key)
        if attribute == "Arn" or kind == "AWS::IAM::ManagedPolicy":
            name = f"arn:{self.partition}:iam::{self.account}:{word}{path.rstrip('/')}/{name}"
        elif attribute:
            return UNRESOLVED
        return linked(name, key)


def _mapping(owner: object, name: str) -> Mapping[str, Any]:
    value = owner.get(name) if isinstance(owner, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _vague(value: Any) -> bool:
    return not isinstance(value, str | int | bool) or (isinstance(value, str) and UNRESOLVED in value)


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

    def put(match: re.Match[str]) -> str:
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
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else UNRESOLVED

    found = _NAMES.sub(put, text)
    if len(only) == 1 and isinstance(only[0], Linked) and found == only[0]:
        return only[0]
    return found


def _join(template: Template, argument: Any, depth: int) -> Any:
    if not isinstance(argument, list) or len(argument) != 2:
        return UNRESOLVED
    between, items = (template.resolved(item, depth) for item in argument)
    if not isinstance(between, str) or not isinstance(items, list):
        return UNRESOLVED
    return between.join(item if isinstance(item, str) else UNRESOLVED for item in items)


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
        found = found.get(name) if isinstance(found, Mapping) and isinstance(name, str) else None
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
    "Fn::ToJsonString": _to_json,
}
