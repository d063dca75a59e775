"""Values of Terraform's expressions, as far as the code alone answers them: constants, locals, defaults, a few functions.

Everything else is ``UNRESOLVED``; nothing is guessed.  Works on the syntax tree of python-hcl2 (Lark), knows no resource.
Source: https://developer.hashicorp.com/terraform/language/expressions
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from mantle_iam.collect.declared import Linked, linked
from mantle_iam.collect.places import TextError
from mantle_iam.collect.terraform_json import JsonNode
from mantle_iam.iam.grammar import Number, dump_json
from mantle_iam.iam.inventory import UNRESOLVED

_DEEPEST = 100
_LARGEST = 2_000_000
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}

Path = tuple[str, ...]
Lookup = Callable[[Path], Any]
"""A reference, as the names between its dots (indexes left out), to its value."""
ReadFile = Callable[[str], str | None]


def parse(text: str) -> Any:
    """The syntax tree.

    Raises:
        TextError: it is no HCL (with line and column), or python-hcl2 is not installed.
    """
    try:
        import hcl2
    except ImportError:
        raise TextError("Terraform code, and python-hcl2 is not installed: install `mantle-iam[iac]`") from None
    if len(text) > _LARGEST:
        raise TextError(f"Terraform code of {len(text):,} characters; none above {_LARGEST:,} is read")
    try:
        return hcl2.parses_to_tree(text if text.endswith("\n") else text + "\n")
    except RecursionError:
        raise TextError("nested too deeply") from None
    except Exception as error:  # Lark's own tree of exceptions, and what python-hcl2 lets through
        line, column = getattr(error, "line", None), getattr(error, "column", None)
        if not isinstance(line, int) or not isinstance(column, int) or line < 0:
            raise TextError("not Terraform code: it breaks off or is not understood") from None
        raise TextError(f"not Terraform code: line {line}, column {column}", line, column) from None


def rule(node: Any) -> str:
    """The name of a syntax rule, or of a token's kind."""
    name = getattr(node, "data", None) or getattr(node, "type", "")
    return str(getattr(name, "value", name))


def children(node: Any, *names: str) -> Iterator[Any]:
    """Inner rules, all or those named."""
    for child in getattr(node, "children", ()):
        if hasattr(child, "data") and (not names or rule(child) in names):
            yield child


def line_of(node: Any) -> tuple[int, int]:
    """Line and column where a rule begins; 1, 1 where the parser kept none."""
    meta = getattr(node, "meta", None)
    if meta is not None and not meta.empty:
        return int(meta.line), int(meta.column)
    return (int(node.line), int(node.column)) if getattr(node, "line", None) else (1, 1)


class Values:
    """Evaluates expressions of one module."""

    def __init__(self, lookup: Lookup, read_file: ReadFile) -> None:
        self._lookup = lookup
        self._read_file = read_file

    def of(self, node: Any, depth: int = 0) -> Any:
        """The value of an expression."""
        if depth > _DEEPEST:
            return UNRESOLVED
        evaluate = _RULES.get(rule(node))
        return UNRESOLVED if evaluate is None else evaluate(self, node, depth + 1)

    def term(self, node: Any, depth: int) -> Any:
        """``expr_term``: its one inner rule, with or without parentheses."""
        for child in getattr(node, "children", ()):
            if hasattr(child, "data"):
                if rule(child) != "new_line_or_comment":
                    return self.of(child, depth)
            elif rule(child).startswith("HEREDOC"):
                return self._heredoc(str(child), depth)
        return UNRESOLVED

    def string(self, node: Any, depth: int) -> Any:
        """A quoted text with its interpolations."""
        found: list[Any] = []
        for part in children(node, "string_part"):
            inner = next(iter(part.children), "")
            if hasattr(inner, "data"):
                term = next(children(inner), None)
                found.append(UNRESOLVED if term is None else self.of(term, depth))
            else:
                found.append(_unescaped(str(inner)))
        return _joined(found)

    def _heredoc(self, written: str, depth: int) -> Any:
        first, _, rest = written.rstrip("\r\n").partition("\n")
        lines = rest.split("\n")[:-1]
        if first.startswith("<<-"):
            indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
            lines = [line[indent:] for line in lines]
        return self.template("\n".join(lines), depth)

    def template(self, text: str, depth: int) -> Any:
        """A text with ``${…}``; ``%{…}`` makes all of it unknown."""
        found: list[Any] = []
        at = 0
        while (start := text.find("${", at)) >= 0:
            if text[start - 1 : start] == "$" and start > at:
                found.append(text[at : start - 1] + "${")
                at = start + 2
                continue
            found.append(text[at:start])
            end = _closing(text, start + 2)
            if end < 0:
                return UNRESOLVED
            found.append(self._parsed(text[start + 2 : end], depth))
            at = end + 1
        found.append(text[at:])
        return UNRESOLVED if any(isinstance(part, str) and "%{" in part for part in found) else _joined(found)

    def _parsed(self, expression: str, depth: int) -> Any:
        if depth > _DEEPEST or len(expression) > 1000 or "\n" in expression:
            return UNRESOLVED
        try:
            return self._expression(expression, depth)
        except TextError:
            return UNRESOLVED

    def _expression(self, expression: str, depth: int) -> Any:
        """The value of an expression in a text.  Raises ``TextError`` where it is none."""
        tree = parse(f"x = {expression}\n")
        attribute = next((found for body in children(tree, "body") for found in children(body, "attribute")), None)
        return UNRESOLVED if attribute is None else self.of(expression_of(attribute), depth + 1)

    def reference(self, node: Any, depth: int) -> Any:
        """``a.b["c"].d``: what it refers to."""
        path = path_of(node)
        return self._lookup(path) if path else UNRESOLVED

    def identifier(self, node: Any, depth: int) -> Any:
        """A name alone, which is no value."""
        return UNRESOLVED

    def literal(self, node: Any, depth: int) -> Any:
        """``true``, ``false``, ``null`` or a number."""
        written = "".join(str(child) for child in node.children)
        return {"true": True, "false": False, "null": None}.get(written, Number(written))

    def json_(self, node: JsonNode, depth: int) -> Any:
        """A value of the JSON syntax."""
        value = node.value
        if isinstance(value, Mapping):
            return {name: self.of(inner, depth) for name, inner in node.members()}
        if isinstance(value, list):
            return [self.of(inner, depth) for inner in node.items()]
        if not isinstance(value, str) or isinstance(value, Number) or ("${" not in value and "%{" not in value):
            return value
        if value.startswith("${") and value.endswith("}"):
            try:
                return self._expression(value[2:-1], depth)
            except TextError:
                pass  # several, as in "${a}-${b}"
        return self.template(value, depth)

    def tuple_(self, node: Any, depth: int) -> Any:
        """A list."""
        return [self.of(child, depth) for child in children(node) if rule(child) != "new_line_or_comment"]

    def object_(self, node: Any, depth: int) -> Any:
        """An object."""
        return {key: self.of(value, depth) for key, value in elements(node, self, depth)}

    def conditional(self, node: Any, depth: int) -> Any:
        """``a ? b : c``, where ``a`` is known."""
        parts = [child for child in children(node) if rule(child) != "new_line_or_comment"]
        holds = self.of(parts[0], depth) if len(parts) == 3 else UNRESOLVED
        return UNRESOLVED if not isinstance(holds, bool) else self.of(parts[1 if holds else 2], depth)

    def binary(self, node: Any, depth: int) -> Any:
        """Equality and logic of what is known; no arithmetic."""
        parts = list(children(node))
        inner = [part for term in parts[1:] if rule(term) == "binary_term" for part in term.children]
        operator = next(("".join(map(str, part.children)) for part in inner if rule(part) == "binary_operator"), "")
        right = next((part for part in inner if hasattr(part, "data") and rule(part) not in _ASIDE), None)
        if right is None or operator.strip() not in ("==", "!=", "&&", "||"):
            return UNRESOLVED
        one, other = self.of(parts[0], depth), self.of(right, depth)
        if operator.strip() in ("==", "!="):
            plain = all(isinstance(side, str | bool) and UNRESOLVED not in str(side) for side in (one, other))
            return ((str(one) == str(other)) is (operator.strip() == "==")) if plain else UNRESOLVED
        if isinstance(one, bool) and isinstance(other, bool):
            return (one and other) if operator.strip() == "&&" else (one or other)
        return UNRESOLVED

    def call(self, node: Any, depth: int) -> Any:
        """A function, if it is one of the few."""
        name = next((str(child.children[0]) for child in children(node, "identifier")), "")
        given = [self.of(argument, depth) for found in children(node, "arguments") for argument in children(found)]
        if name == "file" and len(given) == 1 and isinstance(given[0], str) and UNRESOLVED not in given[0]:
            content = self._read_file(given[0])
            return UNRESOLVED if content is None else content
        function = _FUNCTIONS.get(name)
        try:
            return UNRESOLVED if function is None else function(*given)
        except (TypeError, ValueError, RecursionError, AttributeError):
            return UNRESOLVED


_ASIDE = ("binary_operator", "new_line_or_comment")


def expression_of(attribute: Any) -> Any:
    """The expression of an attribute."""
    return next(
        (child for child in children(attribute) if rule(child) not in ("identifier", "new_line_or_comment")), None
    )


def elements(node: Any, values: Values, depth: int) -> Iterator[tuple[str, Any]]:
    """Keys of an object, and the expressions of their values."""
    for element in children(node, "object_elem"):
        parts = [part for part in children(element) if rule(part) != "new_line_or_comment"]
        if len(parts) != 2:
            continue
        inner = next(children(parts[0]), None)
        name = _bare(inner)
        if name is None:
            value = values.of(inner, depth + 1) if inner is not None else UNRESOLVED
            name = value if isinstance(value, str) else UNRESOLVED
        yield name, parts[1]


def _bare(node: Any) -> str | None:
    """An object's key written without quotes."""
    inner = list(children(node)) if node is not None and rule(node) == "expr_term" else [node]
    if len(inner) == 1 and inner[0] is not None and rule(inner[0]) == "identifier" and len(node.children) == 1:
        return str(inner[0].children[0])
    return None


def path_of(node: Any) -> Path:
    """Names of a reference; indexes are left out.  Empty for what is no plain reference."""
    kind = rule(node)
    if kind == "identifier":
        return (str(node.children[0]),)
    if kind == "expr_term":
        inner = list(children(node))
        return path_of(inner[0]) if len(inner) == 1 and len(node.children) == 1 else ()
    if kind not in ("get_attr_expr_term", "index_expr_term", "full_splat_expr_term", "attr_splat_expr_term"):
        return ()
    parts = list(children(node))
    owner = path_of(parts[0]) if parts else ()
    if not owner or len(parts) < 2:
        return ()
    if rule(parts[1]) in ("full_splat", "attr_splat"):
        attributes = [name for attr in children(parts[1], "get_attr") for name in children(attr, "identifier")]
        return (*owner, *(str(name.children[0]) for name in attributes))
    names = [str(name.children[0]) for name in children(parts[1], "identifier")]
    if rule(parts[1]) == "get_attr":
        return (*owner, *names)
    key = [str(part.children[0]) for part in parts[1].iter_subtrees() if rule(part) == "string_part"]
    return (*owner, *key) if len(key) == 1 and owner[0] in ("local", "var") else owner


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text.replace("$${", "${").replace("%%{", "%{")
    found, at = [], 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in _ESCAPES:
            found.append(_ESCAPES[text[at + 1]])
            at += 2
        elif text[at] == "\\" and text[at + 1 : at + 2] == "u" and len(text) >= at + 6:
            try:
                found.append(json.loads(f'"{text[at : at + 6]}"'))
            except ValueError:
                found.append(text[at : at + 6])
            at += 6
        else:
            found.append(text[at])
            at += 1
    return "".join(found).replace("$${", "${").replace("%%{", "%{")


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2 and parts[1] == "" and isinstance(parts[0], Linked):
        return parts[0]
    found = "".join(_text(part) for part in parts)
    keys = [part.key for part in parts if isinstance(part, Linked)]
    return (
        linked(found, keys[0])
        if len(keys) == 1 and found.strip() == str(next(p for p in parts if isinstance(p, Linked)))
        else found
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else UNRESOLVED


def _closing(text: str, start: int) -> int:
    depth = 0
    for at in range(start, min(len(text), start + 1001)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            if depth == 0:
                return at
            depth -= 1
    return -1


def _lists(*given: Any) -> Any:
    if not all(isinstance(item, list) for item in given):
        return UNRESOLVED
    return [item for many in given for item in many]


def _flatten(value: Any) -> Any:
    if not isinstance(value, list):
        return UNRESOLVED
    return [inner for item in value for inner in (_flatten(item) if isinstance(item, list) else [item])]


def _merge(*given: Any) -> Any:
    if not all(isinstance(item, Mapping) for item in given):
        return UNRESOLVED
    return {key: value for item in given for key, value in item.items()}


def _join(between: Any, *lists: Any) -> Any:
    items = _lists(*lists)
    return UNRESOLVED if not isinstance(items, list) else _text(between).join(map(_text, items))


def _format(pattern: str, *given: Any) -> Any:
    pieces = pattern.split("%s")
    if len(pieces) != len(given) + 1 or any("%" in piece for piece in pieces):
        return UNRESOLVED
    return "".join(piece + (_text(given[i]) if i < len(given) else "") for i, piece in enumerate(pieces))


def _same(value: Any) -> Any:
    return value


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "jsonencode": dump_json,
    "concat": _lists,
    "flatten": _flatten,
    "merge": _merge,
    "join": _join,
    "format": _format,
    "distinct": lambda value: list(dict.fromkeys(value)) if isinstance(value, list) else UNRESOLVED,
    "compact": lambda value: [item for item in value if item] if isinstance(value, list) else UNRESOLVED,
    "toset": _same,
    "tolist": _same,
    "tostring": _text,
    "lower": lambda value: value.lower() if UNRESOLVED not in value else UNRESOLVED,
    "upper": lambda value: value.upper() if UNRESOLVED not in value else UNRESOLVED,
    "trimspace": lambda value: value.strip(),
}
_RULES: Final[Mapping[str, Callable[[Values, Any, int], Any]]] = {
    "expr_term": Values.term,
    "string": Values.string,
    "interpolation": Values.term,
    "get_attr_expr_term": Values.reference,
    "index_expr_term": Values.reference,
    "full_splat_expr_term": Values.reference,
    "attr_splat_expr_term": Values.reference,
    "identifier": Values.identifier,
    "literal_value": Values.literal,
    "int_lit": Values.literal,
    "float_lit": Values.literal,
    "tuple": Values.tuple_,
    "object": Values.object_,
    "conditional": Values.conditional,
    "binary_op": Values.binary,
    "function_call": Values.call,
    "json": Values.json_,
    "heredoc_template": lambda values, node, depth: values._heredoc("".join(map(str, node.children)), depth),
    "heredoc_template_trim": lambda values, node, depth: values._heredoc("".join(map(str, node.children)), depth),
}
