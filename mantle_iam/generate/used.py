"""What was used: the reader of ``schemas/used.schema.json``, which takes requests of ``evaluate`` and CloudTrail records as well.

A context key that a record does not name is *unknown* (a log rarely tells all), one that is ``null`` was absent for certain.
Decides nothing about policies.
Source: https://docs.aws.amazon.com/bedrock/latest/userguide/logging-cloudtrail-mantle.html (records of Mantle; the event's name
is the action's name; inference, token counts and files are data events; CallWithBearerToken is no event).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mantle_iam.errors import InputError
from mantle_iam.iam.action import Action
from mantle_iam.iam.grammar import load_json
from mantle_iam.iam.principals import is_principal
from mantle_iam.iam.request import ContextValue
from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.endpoint import is_region_name, partition_of
from mantle_iam.mantle.operations import operations_needing
from mantle_iam.mantle.scope import Scope

MAX_RECORDS: Final = 100_000
"""More than this is a log, not a list of what was used; told so rather than worked on for minutes."""

DATA_EVENTS: Final = frozenset(
    f"{overlay.SERVICE}:{name}"
    for name in (
        "CreateInference", "GetInference", "CancelInference", "DeleteInference", "CountTokens",
        "ListFiles", "CreateFile", "GetFile", "DeleteFile",
    )
)  # fmt: skip
"""Actions that CloudTrail records only where a trail asks for data events."""

_EVENT_SOURCE: Final = overlay.SERVICE_PRINCIPAL
_TOKEN_TYPES: Final = ("SHORT_TERM", "LONG_TERM")


@dataclass(frozen=True, slots=True)
class Used:
    """One permission that was used, and what is known of the request."""

    action: str
    resource: str
    context: Mapping[str, ContextValue | None] = field(default_factory=dict)
    """``None``: the key was absent for certain."""
    principal: str | None = None
    count: int = 1
    """How often."""
    any_project: bool = False
    """The call was for a list of projects, so that ``resource`` is one of many."""
    pattern: bool = False
    """``resource`` has ``*`` for what the log does not tell."""


@dataclass(frozen=True, slots=True)
class UsedList:
    """Everything that was used, each once, and what to tell about the input in sentences without a full stop."""

    used: tuple[Used, ...]
    notes: tuple[str, ...] = ()
    logged: bool = False
    """Some of it comes from CloudTrail, where data events may be missing."""


def read_used(text: str) -> UsedList:
    """Read a list of what was used: the published form, JSON lines, or CloudTrail's ``Records``.

    Raises:
        InputError: it is none of these, or holds nothing that was used.
    """
    notes: dict[str, None] = {}
    found: dict[tuple[Any, ...], Used] = {}
    logged = False
    for number, record in enumerate(_records(text), 1):
        if number > MAX_RECORDS:
            raise InputError(f"more than {MAX_RECORDS} records of use", help="give each permission that was used once")
        if "action" in record:
            uses: tuple[Used, ...] = (_used(record, number),)
        elif "eventSource" in record:
            uses, logged = tuple(_event(record, number, notes)), True
        else:
            raise InputError(
                f"record {number} has neither an `action` nor an `eventSource`",
                help='a record reads {"action": "bedrock-mantle:CreateInference", "resource": "arn:…"}',
            )
        for use in uses:
            key = (use.action.lower(), use.resource, tuple(sorted(use.context.items(), key=str)), use.principal)
            known = found.get(key)
            found[key] = use if known is None else replace(known, count=known.count + use.count)
    if not found:
        raise InputError("nothing was used, according to the list", help="without any use, no policy is the smallest")
    return UsedList(tuple(found.values()), tuple(notes), logged)


def _records(text: str) -> Iterator[Mapping[str, Any]]:
    try:
        value = load_json(text)
    except RecursionError:
        raise InputError("the list of what was used is nested too deeply") from None
    except json.JSONDecodeError:
        values: list[Any] = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                values.append(load_json(line))
            except (json.JSONDecodeError, RecursionError):
                raise InputError(
                    f"the list of what was used is not JSON: line {number}",
                    help="one JSON document, or one JSON object a line",
                ) from None
        value = values
    if isinstance(value, Mapping):
        for name in ("used", "Records"):
            if isinstance(value.get(name), list):
                value = value[name]
                break
        else:
            value = [value]
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise InputError("the list of what was used is a list of JSON objects", help="see used.schema.json")
    yield from value


def _used(record: Mapping[str, Any], number: int) -> Used:
    action = Action.parse(_text(record, "action", number))
    resource = record.get("resource", "*")
    if isinstance(resource, list) and len(resource) == 1:
        (resource,) = resource
    if not isinstance(resource, str) or not resource:
        raise InputError(f"record {number}: `resource` is one ARN, or `*`", help="give a record for each resource")
    principal = record.get("principal")
    if principal is not None and not (isinstance(principal, str) and is_principal(principal)):
        raise InputError(f"record {number}: `principal` is not the ARN of a user, role or session")
    count = record.get("count", 1)
    if isinstance(count, bool) or not str(count).isdecimal():
        raise InputError(f"record {number}: `count` is a number")
    info = catalog.known_action(str(action))
    return Used(info.name if info else str(action), resource, _context(record, number), principal, int(str(count)))


def _context(record: Mapping[str, Any], number: int) -> dict[str, ContextValue | None]:
    context = record.get("context")
    context = {} if context is None else context
    if not isinstance(context, Mapping):
        raise InputError(f"record {number}: `context` is an object")
    found: dict[str, ContextValue | None] = {}
    for key, value in context.items():
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str | int | float | bool) or item is None for item in items):
            raise InputError(f"record {number}: `context.{key}` is a string, a number, a boolean or a list of them")
        texts = tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)
        found[str(key)] = None if value is None else texts if isinstance(value, list) else texts[0]
    return found


def _event(record: Mapping[str, Any], number: int, notes: dict[str, None]) -> Iterator[Used]:
    """What a CloudTrail record shows to have been used: the event's action, what its call always needs, and the key."""
    if record["eventSource"] != _EVENT_SOURCE:
        notes.setdefault(f"records of other services than {_EVENT_SOURCE} were left out")
        return
    if record.get("errorCode"):
        notes.setdefault("refused calls were left out: what was refused was not used")
        return
    action = f"{overlay.SERVICE}:{_text(record, 'eventName', number)}"
    parameters = record.get("requestParameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    identity = record.get("userIdentity")
    arn = identity.get("arn") if isinstance(identity, Mapping) else None
    principal = arn if isinstance(arn, str) and is_principal(arn) else None
    context: dict[str, ContextValue | None] = {}
    model = parameters.get("model")
    if isinstance(model, str) and catalog.carries(action, overlay.MODEL_KEY):
        context[overlay.MODEL_KEY] = model
    scope = _scope(record, parameters)
    operations = operations_needing(action)
    needed = {need.action: need.any_project for one in operations[:1] for need in one.actions if need.when is None}
    for name, any_project in {action: False, **needed}.items():
        for resource in catalog.resource_arns(name, scope):
            yield Used(
                name, resource, context if name == action else {}, principal, any_project=any_project, pattern=True
            )
    if str(parameters.get("callWithBearerToken")).lower() == "true":
        kind = parameters.get("bearerTokenType")
        known: dict[str, ContextValue | None] = {overlay.BEARER_TYPE_KEY: kind} if kind in _TOKEN_TYPES else {}
        yield Used(overlay.BEARER_ACTION, "*", known, principal)


def _scope(record: Mapping[str, Any], parameters: Mapping[str, Any]) -> Scope:
    region = record.get("awsRegion")
    account = str(record.get("recipientAccountId") or "")
    project = parameters.get("project_id")
    known = isinstance(region, str) and is_region_name(region)
    return Scope(
        partition_of(region) if known and isinstance(region, str) else "aws",
        account if len(account) == 12 and account.isdecimal() else None,
        (region,) if known and isinstance(region, str) else (),
        (project if isinstance(project, str) and project and "*" not in project else "default",),
    )


def _text(record: Mapping[str, Any], name: str, number: int) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value or "*" in value or "?" in value:
        raise InputError(f"record {number}: `{name}` is one action's name")
    return value
