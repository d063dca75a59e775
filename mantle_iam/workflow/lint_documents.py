"""Policy documents as people have them in JSON files: bare, as an AWS command prints them, or several in one text.

Decides where in a text its documents stand and what they are called; ``iam.grammar`` reads them.  What is no such text (a dump, a
plan, a template, a folder) is ``collect``'s.

Sources: the outputs of ``get-policy-version``, ``get-role-policy``, ``get-role`` (IAM) and ``describe-policy`` (Organizations).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mantle_iam.audit.lint.guess import guess_purpose
from mantle_iam.collect.places import TextError, read_json
from mantle_iam.errors import PolicyError
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import NamedPolicy, Place, Purpose

# Where the document is, and what it then is (``None``: not said by that).
_WRAPPERS: Final[tuple[tuple[tuple[str, ...], Purpose | None], ...]] = (
    (("PolicyVersion", "Document"), None),
    (("PolicyDocument",), None),
    (("Role", "AssumeRolePolicyDocument"), Purpose.TRUST),
    (("AssumeRolePolicyDocument",), Purpose.TRUST),
    (("Document",), None),
    (("InlinePolicy",), None),
    (("Policy", "Content"), None),
    (("Content",), None),
    (("document",), None),
)
_NAMES: Final = ("Name", "PolicyName", "name")
_ARNS: Final = ("Arn", "arn")
_TYPES: Final = ("Type", "policy_type")
_KINDS: Final = {
    "SERVICE_CONTROL_POLICY": Purpose.SCP,
    "RESOURCE_CONTROL_POLICY": Purpose.RCP,
    "permissions-boundary": Purpose.BOUNDARY,
    **{purpose.value: purpose for purpose in Purpose},
}


@dataclass(frozen=True, slots=True)
class Broken:
    """What should be a policy document and cannot be one."""

    message: str
    place: Place
    help: str = ""


@dataclass(frozen=True, slots=True)
class Guess:
    """What was told of a document that did not say what it is for."""

    purpose: Purpose
    reason: str


Found = tuple[NamedPolicy | Broken, Guess | None]


def policies_in(text: str, path: str, kind: Purpose | None = None) -> Iterator[Found] | None:
    """The documents of a JSON text, each with its pointer and with what was guessed; ``None`` where it holds something else.

    Raises:
        TextError: it is not JSON.
    """
    values, several = _values(text)
    if any(_document(each) is None for each in values):
        return None
    return (_policy(each, f"/{index}" if several else "", path, kind) for index, each in enumerate(values))


def _values(text: str) -> tuple[list[Any], bool]:
    """The JSON values of a text (one, a list, or JSON lines), and whether pointers begin with an index."""
    try:
        value = read_json(text)
    except TextError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in lines):
            raise
        return [read_json(line) for line in lines], True
    return (value, True) if isinstance(value, list) else ([value], False)


def _document(value: object) -> tuple[Any, tuple[str, ...], Purpose | None] | None:
    """The document in ``value``, the path to it, and what its wrapper says that it is."""
    if not isinstance(value, Mapping):
        return None
    if "Statement" in value:
        return value, (), None
    for steps, purpose in _WRAPPERS:
        inner: Any = value
        for name in steps:
            inner = inner.get(name) if isinstance(inner, Mapping) else None
        if isinstance(inner, str) or (isinstance(inner, Mapping) and "Statement" in inner):
            return inner, steps, purpose
    return None


def _policy(value: Any, at: str, path: str, kind: Purpose | None) -> Found:
    found = _document(value)
    assert found is not None  # noqa: S101 - asked of every value before
    inner, steps, purpose = found
    place = Place(path, pointer=at + "".join(f"/{step}" for step in steps))
    try:
        document = parse_policy(inner)
    except PolicyError as error:
        return Broken(error.message, Place(path, pointer=place.pointer + error.pointer), error.help or ""), None
    name, arn, said = _called(value) if steps else ("", "", None)
    meant = kind or said or purpose
    if meant is not None:
        return NamedPolicy(name, document, meant, place, arn), None
    guess = Guess(*guess_purpose(document, path))
    return NamedPolicy(name, document, guess.purpose, place, arn), guess


def _called(value: Mapping[str, Any]) -> tuple[str, str, Purpose | None]:
    """Name, ARN and kind that stand beside the document."""
    owners: list[Mapping[str, Any]] = [value]
    owners += [each for each in (value.get("Policy"), value.get("PolicySummary")) if isinstance(each, Mapping)]
    owners += [inner for each in owners if isinstance(inner := each.get("PolicySummary"), Mapping)]

    def first(keys: tuple[str, ...]) -> str:
        return next((owner[key] for owner in owners for key in keys if isinstance(owner.get(key), str)), "")

    return first(_NAMES), first(_ARNS), _KINDS.get(first(_TYPES))
