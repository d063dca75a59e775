"""On which resources an expression may hang, whatever it does with them: for those whose value is not known.

Follows names alone, through locals, variables, outputs and ``for_each``; evaluates nothing but how many of a block there are.
Source: https://developer.hashicorp.com/terraform/language/expressions/references
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mantle_iam.collect.hcl_blocks import Block, attributes
from mantle_iam.collect.hcl_modules import Module
from mantle_iam.collect.hcl_tree import children, inner, rule
from mantle_iam.collect.terraform_json import JsonNode

_OPAQUE = ("heredoc_template", "heredoc_template_trim")
_MOST = 2000
"""Names followed."""


def reached(module: Module, block: Block, expression: Any) -> tuple[str, ...] | None:
    """Addresses of the resources that an argument of ``block`` may hang on; ``None``: it may be any."""
    open_: list[tuple[Module, Block | None, Any]] = [(module, block, expression)]
    seen: set[tuple[str, str, int]] = set()
    found: dict[str, None] = {}
    while open_:
        owner, within, node = open_.pop()
        if len(seen) > _MOST:
            return None
        names, clear = _names(node)
        if not clear:
            return None
        for name in names:
            key = (owner.address, ".".join(name[:3]), id(within))
            if key in seen:
                continue
            seen.add(key)
            for address in _addresses(owner, name):
                found[address] = None
            open_.extend(_next(owner, within, name))
    return tuple(found)


def _names(node: Any) -> tuple[list[tuple[str, ...]], bool]:
    """Every name in an expression, and whether there can be no other."""
    found, open_ = [], [node]
    while open_:
        one = open_.pop()
        if isinstance(one, JsonNode) or rule(one) in _OPAQUE:
            return [], False
        name = _name(one)
        if len(name) > 1:
            found.append(name)
        open_.extend(children(one))
    return found, True


def _name(node: Any) -> tuple[str, ...]:
    """``a.b`` of ``a[0].b``; empty where it is none."""
    names: list[str] = []
    while node is not None:
        kind, parts = rule(node), list(inner(node))
        if kind == "identifier":
            return (str(node.children[0]), *reversed(names))
        if kind == "get_attr_expr_term" and len(parts) > 1:
            names.extend(str(each.children[0]) for each in inner(parts[1]))
        elif kind not in ("index_expr_term", "full_splat_expr_term", "attr_splat_expr_term", "expr_term"):
            return ()
        node = parts[0] if parts else None
    return ()


def _addresses(module: Module, name: tuple[str, ...]) -> Iterator[str]:
    if ".".join(name[:2]) in module.blocks.resources:
        yield from (one.address for one in module.instances("resource", ".".join(name[:2]))[1])


def _next(module: Module, within: Block | None, name: tuple[str, ...]) -> Iterator[tuple[Module, Block | None, Any]]:
    """What a name is made of, and where that stands."""
    blocks = module.blocks
    if name[0] == "local" and name[1] in blocks.locals:
        yield module, None, blocks.locals[name[1]][0]
    elif name[0] == "var" and module.caller is not None and name[1] in module.arguments:
        yield (*module.caller, module.arguments[name[1]])
    elif name[0] in ("each", "count") and within is not None:
        arguments = within.expressions()
        yield from ((module, None, arguments[meta]) for meta in ("for_each", "count") if meta in arguments)
    elif name[0] == "module":
        for called in module.call(name[1])[1]:
            outputs = called.blocks.outputs
            for output in (outputs[each] for each in outputs if len(name) == 2 or each == name[2]):
                yield called, output, output.expressions().get("value")
    elif name[0] == "data" and ".".join(name[1:3]) in blocks.data:
        block = blocks.data[".".join(name[1:3])]
        yield from ((module, block, expression) for _, expression in attributes(block.body))
