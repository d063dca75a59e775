"""The syntax tree of HCL: parsed by python-hcl2 (Lark), and how to walk through it.  Knows no meaning of anything.

Source: https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mantle_iam.collect.places import TextError

_LARGEST = 1_000_000
"""Characters of a file; the parser takes about 70,000 of them a second."""
_REMEMBERED = 4096


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


class Parser:
    """Parses expressions that stand in texts, each once."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def expression(self, text: str) -> Any:
        """The expression.  Raises ``TextError`` where it is none."""
        if text not in self._known:
            tree = parse(f"x = {text}\n")
            found = [attribute for body in children(tree, "body") for attribute in children(body, "attribute")]
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[text] = expression_of(found[0]) if len(found) == 1 else None
        return self._known[text]


def rule(node: Any) -> str:
    """The name of a syntax rule, or of a token's kind."""
    name = getattr(node, "data", None) or getattr(node, "type", "")
    return str(getattr(name, "value", name))


def children(node: Any, *names: str) -> Iterator[Any]:
    """Inner rules, all or those named."""
    for child in getattr(node, "children", ()):
        if hasattr(child, "data") and (not names or rule(child) in names):
            yield child


def inner(node: Any) -> Iterator[Any]:
    """Inner rules but for ends of lines and comments."""
    return (child for child in children(node) if rule(child) != "new_line_or_comment")


def line_of(node: Any) -> tuple[int, int]:
    """Line and column where a rule begins; 1, 1 where the parser kept none."""
    meta = getattr(node, "meta", None)
    if meta is not None and not meta.empty:
        return int(meta.line), int(meta.column)
    return (int(node.line), int(node.column)) if getattr(node, "line", None) else (1, 1)


def token_of(node: Any) -> tuple[str, int]:
    """The text of a rule that is one token, and its line."""
    token = node.children[0]
    return str(token), int(getattr(token, "line", None) or 1)


def expression_of(attribute: Any) -> Any:
    """The expression of an attribute."""
    return next((child for child in inner(attribute) if rule(child) not in ("identifier", "keyword")), None)
