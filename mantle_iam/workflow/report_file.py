"""The reader of what ``report/document.py`` writes: a report of ``probe`` or ``explain``, back to the permissions it misses.

A fix in the report is taken as it is, since it was proven with policies that the report does not hold; without one the
diagnoses are read, and what they miss is worked out as ``fix.py`` would.  Makes no policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NoReturn, TypeVar, cast

from mantle_iam.diagnose.case import Case, Outcome, Report
from mantle_iam.diagnose.codes import is_code
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.errors import InputError, PolicyError
from mantle_iam.generate.actions import parsed_action
from mantle_iam.generate.patterns import has_wildcard
from mantle_iam.iam.grammar import load_json, parse_policy
from mantle_iam.iam.policy import Effect, Statement
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.credential import Credential, CredentialKind
from mantle_iam.mantle.exchange import Auth, Exchange
from mantle_iam.mantle.operations import Permission
from mantle_iam.mantle.overlay import RUNTIME_BEARER_ACTION
from mantle_iam.mantle.sources import Source
from mantle_iam.report.document import SCHEMA_VERSION
from mantle_iam.report.result import Part
from mantle_iam.workflow.fix import explicit_denials
from mantle_iam.workflow.wanted import wanted_permissions

W = TypeVar("W", bound=StrEnum)

_MAX_EXCHANGES = 10_000

_SERVICES = ("bedrock-mantle", "bedrock-websearch", "aws-marketplace")
"""Whose actions calls to Mantle need."""

_LAYERS = {
    PolicyType.IDENTITY: "the principal's own policies",
    PolicyType.PERMISSIONS_BOUNDARY: "the permissions boundary",
    PolicyType.SESSION: "the session policy",
    PolicyType.SCP: "a service control policy",
    PolicyType.RCP: "a resource control policy",
    PolicyType.VPC_ENDPOINT: "the VPC endpoint policy",
    PolicyType.RESOURCE: "the resource's policy",
}


@dataclass(frozen=True, slots=True)
class Missing:
    """A permission that the report misses, and the layer that withholds it."""

    permission: Permission
    layer: PolicyType


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What a report says for a policy; ``denied`` and ``notes`` are sentences without a full stop."""

    missing: tuple[Missing, ...]
    denied: tuple[str, ...] = ()
    """Denies that no Allow ends, with their layer."""
    notes: tuple[str, ...] = ()
    allowed: bool = False
    """Every diagnosis is that the call is allowed."""


def read_report(text: str) -> ReadReport:
    """Read the JSON report of ``probe`` or ``explain``.

    Raises:
        InputError: it is none.
    """
    value = _object(text)
    diagnoses = value.get("diagnoses")
    if not isinstance(diagnoses, list) or not all(isinstance(one, Mapping) for one in diagnoses):
        _refuse_other(value)
    if value.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"the report has schema version `{value.get('schema_version')}`, and `{SCHEMA_VERSION}` is read",
            help="make it again with this version of mantle-iam",
        )
    parts = tuple(_parts(value, [_diagnosis(one) for one in diagnoses], diagnoses))
    read = [diagnosis for part in parts for diagnosis in part.report.diagnoses]
    notes = list(_doubts(read))
    fix = value.get("fix")
    if isinstance(fix, Mapping):
        denied = tuple(_blockers(fix))
        missing = tuple(_of_changes(fix, read))
        # In its own words, except for what its author said of the way to attach it.
        notes += [str(note) for note in fix.get("notes") or () if "no policy is offered" in str(note)]
    else:
        blockers = explicit_denials(parts)
        denied = tuple(_denied(b.policy_type, b.actions, b.policy) for b in blockers)
        wanted = () if denied else tuple(one for part in parts for one in wanted_permissions(part))
        missing = tuple(dict.fromkeys(Missing(_evident(one.permission, read), one.layer) for one in wanted))
    notes += _strange(missing)
    return ReadReport(missing, denied, tuple(dict.fromkeys(notes)), all(one.code == "allowed" for one in read))


def layer_name(layer: PolicyType) -> str:
    """The layer in words."""
    return _LAYERS[layer]


def _object(text: str) -> Mapping[str, Any]:
    if not text.strip():
        raise InputError(
            "the report is empty", help="the command before the pipe may have failed; its message says why"
        )
    try:
        value = load_json(text)
    except (json.JSONDecodeError, RecursionError):
        raise InputError(
            "the report is not JSON", help="make it with mantle-iam probe --output json, or explain --output json"
        ) from None
    if not isinstance(value, Mapping):
        raise InputError("the report is a JSON object", help="make it with mantle-iam probe --output json")
    return value


def _refuse_other(value: Mapping[str, Any]) -> NoReturn:
    if "principals" in value:
        raise InputError(
            "a report of `audit` says what principals may do, not what they miss",
            help="name it: --for PURPOSE or --action ACTION; or give the report of probe or explain",
        )
    if "Statement" in value:
        raise InputError("a policy is no report", help="to narrow a policy: --narrow FILE --to FILE")
    raise InputError(
        "the input is no report of `probe` or `explain`", help="make it with mantle-iam probe --output json"
    )


# -- records


def _diagnosis(value: Mapping[str, Any]) -> Diagnosis:
    code = _text(value, "code")
    if not is_code(code):
        raise InputError(f"the report has the diagnosis `{code[:60]}`, which is none")
    evidence = value.get("evidence")
    evidence = evidence if isinstance(evidence, list) else []
    effect = value.get("effect")
    return Diagnosis(
        code=code,
        confidence=_word(Confidence, value, "confidence") or Confidence.INCONCLUSIVE,
        title=_text(value, "title"),
        explanation=_text(value, "explanation"),
        evidence=tuple(
            Evidence(_text(one, "source"), _text(one, "says"), _index(one.get("exchange")))
            for one in evidence
            if isinstance(one, Mapping)
        ),
        remedy=_text(value, "remedy"),
        reference=_text(value, "reference"),
        policy_type=_word(PolicyType, value, "policy_type"),
        effect="explicit" if effect == "explicit" else "implicit" if effect == "implicit" else None,
        actions=tuple(str(parsed_action(action)) for action in _texts(value, "actions")),
        resource=_text(value, "resource") or None,
        principal=_text(value, "principal") or None,
        policy=_text(value, "policy") or None,
    )


def _parts(
    value: Mapping[str, Any], diagnoses: Iterable[Diagnosis], written: Iterable[Mapping[str, Any]]
) -> Iterator[Part]:
    """One part for each Region that was asked, as the report was made."""
    found: dict[str | None, list[Diagnosis]] = {}
    for diagnosis, one in zip(diagnoses, written, strict=True):
        found.setdefault(_text(one, "region") or None, []).append(diagnosis)
    outcomes = value.get("outcomes")
    rows = [one for one in outcomes if isinstance(one, Mapping)] if isinstance(outcomes, list) else []
    for region, own in found.items():
        mine = [row for row in rows if (_text(row, "region") or None) == region]
        case = _case(value.get("credential"), region, own, mine)
        table = tuple(
            Outcome(
                _index(row.get("exchange")) or 0,
                _text(row, "operation") or None,
                _texts(row, "actions"),
                _text(row, "answer"),
                _text(row, "detail"),
            )
            for row in mine
        )
        yield Part(case, Report(tuple(own), table))


def _case(
    credential: object, region: str | None, diagnoses: Iterable[Diagnosis], rows: Iterable[Mapping[str, Any]]
) -> Case:
    exchanges: dict[int, Exchange] = {}
    for row in rows:
        index = _index(row.get("exchange"))
        if index is not None:
            exchanges[index] = _exchange(row)
    listed = tuple(exchanges.get(index, Exchange(status=200)) for index in range(max(exchanges, default=-1) + 1))
    return Case(
        exchanges=listed,
        credential=_credential(credential) if isinstance(credential, Mapping) else None,
        region=region,
        model=next((one.model for one in listed if one.model), None),
        project=next((one.project for one in listed if one.project), None),
        principal=next((one.principal for one in diagnoses if one.principal), None),
    )


def _exchange(row: Mapping[str, Any]) -> Exchange:
    return Exchange(
        method=_text(row, "method") or None,
        url=_text(row, "url") or None,
        auth=_word(Auth, row, "auth") or Auth.UNKNOWN,
        model=_text(row, "model") or None,
        project=_text(row, "project") or None,
        status=_index(row.get("status")),
    )


def _credential(value: Mapping[str, Any]) -> Credential:
    return Credential(
        _word(CredentialKind, value, "kind") or CredentialKind.UNKNOWN,
        "…",
        account=_text(value, "account") or None,
        region=_text(value, "region") or None,
    )


# -- what it says


def _of_changes(fix: Mapping[str, Any], diagnoses: list[Diagnosis]) -> Iterator[Missing]:
    changes = fix.get("changes")
    for change in changes if isinstance(changes, list) else ():
        if not isinstance(change, Mapping):
            continue
        layer = _word(PolicyType, change, "policy_type") or PolicyType.IDENTITY
        reasons = change.get("reasons")
        why = [one for one in reasons if isinstance(one, Mapping)] if isinstance(reasons, list) else []
        try:
            document = parse_policy(cast("Any", change.get("policy")))
        except PolicyError as error:
            raise InputError(f"the report's policy cannot be read: {error.message}") from None
        for index, statement in enumerate(document.statements):
            if statement.effect is not Effect.ALLOW or statement.not_actions or statement.not_resources:
                raise InputError(
                    "the report's policy does more than to allow actions on resources",
                    help="make the report again with mantle-iam explain or probe",
                )
            yield from (
                Missing(_evident(permission, diagnoses), layer) for permission in _permissions(statement, index, why)
            )


def _permissions(statement: Statement, index: int, reasons: Iterable[Mapping[str, Any]]) -> Iterator[Permission]:
    for action in statement.actions:
        reason = next(
            (one for one in reasons if str(one.get("statement")) == str(index) and one.get("action") == action), {}
        )
        for resource in statement.resources:
            yield Permission(
                action,
                resource,
                statement.conditions,
                _text(reason, "why"),
                _word(Source, reason, "source") or Source.DOC,
                _text(reason, "reference"),
            )


def _evident(permission: Permission, diagnoses: Iterable[Diagnosis]) -> Permission:
    """The permission with the words that the diagnosis which misses it rests on."""
    for diagnosis in diagnoses:
        if permission.action in diagnosis.actions and diagnosis.evidence:
            seen = diagnosis.evidence[0]
            text = f"{permission.because}: {seen.source}: {seen.says}" if permission.because else seen.says
            return replace(permission, because=text[:400])
    return permission


def _doubts(diagnoses: Iterable[Diagnosis]) -> Iterator[str]:
    for diagnosis in diagnoses:
        if diagnosis.code == "allowed" or not diagnosis.actions:
            continue
        if diagnosis.confidence is Confidence.LIKELY:
            yield f"`{diagnosis.code}` for {', '.join(diagnosis.actions)} is likely, not certain"
        elif diagnosis.confidence is Confidence.INCONCLUSIVE:
            yield f"`{diagnosis.code}` for {', '.join(diagnosis.actions)} is inconclusive, and no permission rests on it alone"


def _strange(missing: Iterable[Missing]) -> Iterator[str]:
    """What no refusal of Mantle's calls asks for: a report is a file, and whoever wrote it may have wanted more.

    Raises:
        InputError: an action is a pattern; refusals name actions.
    """
    for one in missing:
        action = one.permission.action
        if has_wildcard(action):
            raise InputError(
                f"the report asks for `{action}`, and no refusal names a pattern of actions",
                help="make the report again; to grant a pattern, ask for it: --action",
            )
        if action.partition(":")[0].lower() not in _SERVICES and action.lower() != RUNTIME_BEARER_ACTION.lower():
            yield f"{action} is not an action of Mantle, and is granted since the report misses it: make sure that it is meant"


def _blockers(fix: Mapping[str, Any]) -> Iterator[str]:
    blocked = fix.get("blocked_by")
    for one in blocked if isinstance(blocked, list) else ():
        if isinstance(one, Mapping):
            words = _denied(_word(PolicyType, one, "policy_type"), _texts(one, "actions"), _text(one, "policy") or None)
            yield words if one.get("effect") == "explicit" else words.replace(" denies ", " does not allow ")


def _denied(layer: PolicyType | None, actions: Iterable[str], policy: str | None) -> str:
    who = _LAYERS[layer] if layer else "a policy that the refusal does not name"
    return f"{who}{f' ({policy})' if policy else ''} denies {', '.join(actions) or 'the call'}"


# -- JSON values


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _texts(value: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = value.get(name)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _index(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and int(text[:6]) < _MAX_EXCHANGES else None


def _word(kind: type[W], value: Mapping[str, Any], name: str) -> W | None:
    try:
        return kind(_text(value, name))
    except ValueError:
        return None
