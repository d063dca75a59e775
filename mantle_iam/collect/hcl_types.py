"""Type constraints of Terraform's variables, as far as they change a value: sets, optional attributes, values given as text.

Source: https://developer.hashicorp.com/terraform/language/expressions/type-constraints
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mantle_iam.collect.hcl_functions import Missing, call, countable
from mantle_iam.collect.hcl_tree import children, inner, rule
from mantle_iam.collect.hcl_values import Values, elements
from mantle_iam.collect.places import TextError
from mantle_iam.collect.terraform_json import JsonNode
from mantle_iam.iam.inventory import UNRESOLVED


def parsed_variable(written: str, constraint: Any, values: Values) -> Any:
    """What somebody gives for a variable on a command line: a text for one that is a text, else an expression."""
    kind, _ = _constraint(constraint, values)
    if kind in ("", "string", "any"):
        return written
    try:
        return values.expression(written)
    except TextError:
        return UNRESOLVED


def converted(value: Any, constraint: Any, values: Values) -> Any:
    """A value as its type has it."""
    kind, arguments = _constraint(constraint, values)
    if value is None or isinstance(value, Missing) or not arguments:
        return value
    if kind == "set":
        items = [converted(item, arguments[0], values) for item in value] if isinstance(value, list) else value
        return call("toset", [items])
    if kind == "list" and isinstance(value, list):
        return [converted(item, arguments[0], values) for item in value]
    if kind == "map" and isinstance(value, Mapping):
        return {key: converted(item, arguments[0], values) for key, item in value.items()}
    if kind == "object" and isinstance(value, Mapping) and countable(value):
        return _object(value, arguments[0], values)
    return value


def _object(value: Mapping[str, Any], constraint: Any, values: Values) -> Any:
    shape = next(iter(children(constraint, "object")), None) if rule(constraint) == "expr_term" else constraint
    found = {}
    for name, each in elements(shape, values):
        kind, arguments = _constraint(each, values)
        optional = kind == "optional" and bool(arguments)
        inside = arguments[0] if optional else each
        if name in value and not (optional and value[name] is None and len(arguments) > 1):
            found[name] = converted(value[name], inside, values)
        elif optional:
            found[name] = converted(values.of(arguments[1]) if len(arguments) > 1 else None, inside, values)
    return found


def _constraint(node: Any, values: Values) -> tuple[str, list[Any]]:
    """The name of a type and its arguments."""
    if isinstance(node, JsonNode):
        try:
            node = values.scope.parser.expression(str(node.value))
        except TextError:
            return "", []
    if rule(node) == "expr_term":
        node = next(inner(node), None)
    if rule(node) == "identifier":
        return str(node.children[0]), []
    if rule(node) != "function_call":
        return "", []
    name = next((str(child.children[0]) for child in children(node, "identifier")), "")
    return name, [argument for found in children(node, "arguments") for argument in inner(found)]
