"""The two tables of documents for rules, read: ``cases.json`` in full, ``variants.json`` in short.

A variant is ``[why, statements, kind or {"kind", "auth", "version"}]``; a statement is ``[effect, actions, resources, conditions,
principal]``, the last two if there are any.  ``!`` before an action or a resource stands for ``NotAction`` or ``NotResource``,
``{n}`` for n characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mantle_iam.audit.findings import Finding
from mantle_iam.audit.lint.engine import Settings, lint_policy
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import NamedPolicy, Purpose
from mantle_iam.mantle.operations import AuthMethod

HERE = Path(__file__).parent
_REPEAT = re.compile(r"\{(\d+)\}")


@dataclass(frozen=True, slots=True)
class Case:
    """A document, what it is for, and whether a rule is to find something in it."""

    rule: str
    fires: bool
    why: str
    document: dict[str, Any]
    kind: str = "identity"
    auth: str | None = None

    def __str__(self) -> str:
        return f"{self.rule}-{'fires' if self.fires else 'silent'}-{self.why}"

    def found(self, document: dict[str, Any] | None = None) -> tuple[Finding, ...]:
        """What lint says of the document, or of another one in its place."""
        return lint(self.document if document is None else document, self.kind, self.auth)


def lint(document: Any, kind: str = "identity", auth: str | None = None) -> tuple[Finding, ...]:
    """Every finding in a document."""
    policy = NamedPolicy("p", parse_policy(document), Purpose(kind))
    return lint_policy(policy, Settings(AuthMethod(auth) if auth else None))


def cases() -> tuple[Case, ...]:
    """Both tables."""
    return (*_full(), *_short())


def _full() -> Iterator[Case]:
    table = json.loads((HERE / "cases.json").read_text("utf-8"))
    for rule, group in table.items():
        for side in ("fires", "silent"):
            for each in group[side]:
                fields = {name: each[name] for name in ("kind", "auth") if name in each}
                yield Case(rule, side == "fires", each["why"], each["document"], **fields)


def _short() -> Iterator[Case]:
    table = json.loads((HERE / "variants.json").read_text("utf-8"))
    for rule, group in table.items():
        for side in ("fires", "silent"):
            for why, statements, *more in group[side]:
                yield _made(rule, side == "fires", why, statements, *more)


def named_documents(table: str) -> Iterator[Case]:
    """The documents of a table without rules, by their names."""
    for name, (statements, *more) in json.loads((HERE / table).read_text("utf-8")).items():
        yield _made("", False, name, statements, *more)


def _made(rule: str, fires: bool, why: str, statements: list[Any], more: Any = None) -> Case:
    fields = more if isinstance(more, dict) else {"kind": more or "identity"}
    version = fields.get("version", "2012-10-17")
    document = {"Version": version} if version else {}
    document["Statement"] = [statement(*each) for each in statements]
    return Case(rule, fires, why, document, fields.get("kind", "identity"), fields.get("auth"))


def statement(
    effect: str, actions: Any, resources: Any, conditions: Any = None, principal: Any = None
) -> dict[str, Any]:
    """A statement from its short form."""
    return {
        "Effect": effect,
        **({"Principal": principal} if principal else {}),
        **_element("Action", actions),
        **_element("Resource", resources),
        **({"Condition": conditions} if conditions else {}),
    }


def _element(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    texts = [
        _REPEAT.sub(lambda found: "x" * int(found[1]), each) for each in ([value] if isinstance(value, str) else value)
    ]
    negated = texts[0].startswith("!")
    bare = [each.removeprefix("!") for each in texts]
    return {f"Not{name}" if negated else name: bare[0] if isinstance(value, str) else bare}
