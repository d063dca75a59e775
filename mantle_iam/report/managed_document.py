"""The managed-policy advisor's records to the JSON document of ``mantle-iam managed --output json``.

The writer of ``schemas/managed.schema.json``; the schema's version goes up when a field changes its meaning or goes away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mantle_iam.iam.grammar import write_policy
from mantle_iam.iam.policy import Condition
from mantle_iam.iam.request import AuthorizationRequest, ContextValue
from mantle_iam.report.managed_records import (
    ActionReach,
    Advice,
    Candidate,
    Difference,
    ManagedPolicy,
    ReachChange,
    Refreshed,
    Report,
    VersionEntry,
)

SCHEMA_VERSION = "1"


def document(
    *,
    version: str,
    catalog_date: str,
    reports: Sequence[Report] = (),
    history: Sequence[VersionEntry] | None = None,
    difference: Difference | None = None,
    advice: Advice | None = None,
    refreshed: Sequence[Refreshed] | None = None,
) -> dict[str, Any]:
    """The document as JSON values.  ``version`` is that of the program, ``catalog_date`` the day of the catalogue's data.

    Parts that were not asked for are ``null``.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mantle-iam", "version": version},
        "catalog_date": catalog_date,
        "policies": [_report(report) for report in reports],
        "versions": None if history is None else [_entry(entry) for entry in history],
        "difference": None if difference is None else _difference(difference),
        "advice": None if advice is None else _advice(advice),
        "account": None if refreshed is None else [_refreshed(one) for one in refreshed],
    }


def _policy(policy: ManagedPolicy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "arn": policy.arn,
        "version": policy.version,
        "date": policy.date or None,
        "source": policy.source or None,
        "made_for": policy.made_for.value,
        "attach_word": policy.short_name or None,
    }


def _report(report: Report) -> dict[str, Any]:
    return {
        **_policy(report.policy),
        "summary": report.policy.summary,
        "size": report.size,
        "capabilities": [
            {
                "name": one.capability.name,
                "reach": one.reach.value,
                "actions": [_action(action) for action in one.actions],
            }
            for one in report.capabilities
        ],
        "purposes": [
            {"name": purpose.name, "covered": not purpose.missing, "missing": list(purpose.missing)}
            for purpose in report.purposes
        ],
        "elsewhere": dict(report.elsewhere),
        "notes": list(report.notes),
        "document": write_policy(report.policy.document),
    }


def _action(action: ActionReach) -> dict[str, Any]:
    return {
        "action": action.action,
        "reach": action.reach.value,
        "resources": list(action.resources),
        "conditions": [_condition(condition) for condition in action.conditions],
        "not_on": list(action.lacking),
        "why_not": action.why or None,
        "source": action.source.value,
    }


def _condition(condition: Condition) -> dict[str, Any]:
    return {"operator": condition.operator, "key": condition.key, "values": list(condition.values)}


def _entry(entry: VersionEntry) -> dict[str, Any]:
    return {
        "version": entry.version,
        "date": entry.date,
        "source": entry.source,
        "change": None if entry.change is None else _difference(entry.change),
    }


def _difference(change: Difference) -> dict[str, Any]:
    return {
        "old": _policy(change.old),
        "new": _policy(change.new),
        "gained": [_change(one) for one in change.gained],
        "lost": [_change(one) for one in change.lost],
        "patterns_added": list(change.patterns_added),
        "patterns_removed": list(change.patterns_removed),
        "same_text": change.same_text,
        "relation": change.relation,
        "reason": change.reason or None,
        "witness": _request(change.witness),
    }


def _change(change: ReachChange) -> dict[str, Any]:
    return {"action": change.action, "before": change.before.value, "after": change.after.value}


def _request(request: AuthorizationRequest | None) -> dict[str, Any] | None:
    if request is None:
        return None
    return {"action": request.action, "resources": list(request.resources), "context": _context(request.context)}


def _context(context: Mapping[str, ContextValue | None]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in context.items() if value is not None
    }


def _advice(advice: Advice) -> dict[str, Any]:
    return {
        "purposes": list(advice.purposes),
        "auth": advice.auth,
        "candidates": [_candidate(one) for one in advice.candidates],
        "nearest": [{**_policy(near.policy), "missing": list(near.missing)} for near in advice.nearest],
        "own": {
            "size": advice.own.size,
            "command": advice.own.command,
            "requests": advice.own.requests,
            "removals": advice.own.removals,
            "document": write_policy(advice.own.document),
        },
        "notes": list(advice.notes),
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        **_policy(one.policy),
        "beyond": list(one.beyond),
        "elsewhere": dict(one.elsewhere),
        "witness": _request(one.witness),
        "command": one.command,
    }


def _refreshed(one: Refreshed) -> dict[str, Any]:
    return {
        "name": one.name,
        "arn": one.arn,
        "standing": one.standing.value,
        "ours": None if one.ours is None else _policy(one.ours),
        "theirs": None if one.theirs is None else _policy(one.theirs),
        "days": one.days,
        "difference": None if one.difference is None else _difference(one.difference),
        "reason": one.reason or None,
    }
