"""The artifacts that every format is checked with: every kind, names plain and hostile, documents of every shape.

``cases.json`` holds them; this reads it.  A case that is ``hostile`` has names that AWS would refuse and a format must quote all
the same: a linter that knows AWS's rules for names is not asked about it, everything else is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mantle_iam import bundled
from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind, Trust, TrustedBy
from mantle_iam.generate.render import FORMATS, render
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import Condition, PolicyDocument, Principals, Statement

_NAMES = ("name", "description", "partition", "endpoint", "instance", "key_age_days")
_LISTS = ("roles", "users", "groups", "targets")


@dataclass(frozen=True, slots=True)
class Case:
    """One artifact."""

    id: str
    artifact: Artifact
    hostile: bool
    """Whether a name in it is one that AWS refuses."""


def _case(given: dict[str, Any], documents: dict[str, PolicyDocument]) -> Case:
    trust = given.get("trust")
    artifact = Artifact(
        documents=tuple(documents[name] for name in given["documents"]),
        kind=Kind(given["kind"]),
        **{name: given[name] for name in _NAMES if name in given},
        **{name: tuple(given[name]) for name in _LISTS if name in given},
        trust=Trust(**{**trust, "by": TrustedBy(trust["by"])}) if trust else None,
        permissions=tuple(documents[name] for name in given.get("permissions", ())),
    )
    return Case(given["id"], artifact, given.get("hostile", False))


def _load() -> tuple[Case, ...]:
    read = json.loads((Path(__file__).parent / "cases.json").read_text("utf-8"))
    documents = {name: parse_policy(document) for name, document in read["documents"].items()}
    return tuple(_case(given, documents) for given in read["cases"])


CASES = _load()


def cases_for(format_name: str) -> tuple[Case, ...]:
    """The cases of every kind that the format has a form for."""
    (found,) = [one.load() for one in FORMATS if one.name == format_name]
    return tuple(case for case in CASES if case.artifact.kind not in found.missing)


def template(name: str) -> str:
    """The text of a template, as ``render`` wants it."""
    return bundled.templates().joinpath(*name.split("/")).read_text("utf-8")


def text_of(case: Case, format_name: str) -> str:
    """The case in the format.  Raises ``InputError`` where the format refuses it."""
    return render(case.artifact, format_name, template)


def accepted(format_name: str) -> tuple[tuple[Case, str], ...]:
    """The cases that the format writes, each with its text; those that it refuses by its own rules are left out."""
    found = []
    for case in cases_for(format_name):
        try:
            found.append((case, text_of(case, format_name)))
        except InputError:
            continue
    return tuple(found)


def documents_of(artifact: Artifact) -> tuple[PolicyDocument, ...]:
    """All documents that a format has to say."""
    return (*artifact.documents, *artifact.permissions)


def normal(document: PolicyDocument) -> PolicyDocument:
    """The document with its lists in order and without repetition, as tools that keep sets write it.

    A document without ``Version`` is one of ``2008-10-17``.
    """
    return PolicyDocument(
        tuple(map(_normal_statement, document.statements)), document.version or "2008-10-17", document.id
    )


def _normal_statement(statement: Statement) -> Statement:
    return Statement(
        effect=statement.effect,
        actions=_set(statement.actions),
        not_actions=_set(statement.not_actions),
        resources=_set(statement.resources),
        not_resources=_set(statement.not_resources),
        principals=_normal_principals(statement.principals),
        not_principals=_normal_principals(statement.not_principals),
        conditions=tuple(
            sorted(
                (Condition(c.operator, c.key, _set(c.values)) for c in statement.conditions),
                key=lambda c: (c.operator, c.key),
            )
        ),
        sid=statement.sid,
    )


def _normal_principals(principals: Principals | None) -> Principals | None:
    if principals is None:
        return None
    return Principals(tuple(sorted((kind, _set(values)) for kind, values in principals.by_type)))


def _set(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))
