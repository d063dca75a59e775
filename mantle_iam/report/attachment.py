"""Plans and outcomes of ``attach`` as text for people and as the JSON document of ``--output json``.

The writer of ``schemas/attach.schema.json``; adds nothing to what the records say.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from mantle_iam.attach.calls import Step
from mantle_iam.attach.outcome import Outcome, Status, Verification, Verified
from mantle_iam.attach.plan import (
    ActionGain,
    Change,
    CustomerChange,
    Gain,
    InlineChange,
    Plan,
    State,
    Target,
    TargetKind,
    Usage,
)
from mantle_iam.attach.steps import is_there
from mantle_iam.attach.undo import UndoPlan
from mantle_iam.attach.undo_records import Undo, undo_calls
from mantle_iam.iam.grammar import policy_json, write_policy
from mantle_iam.iam.request import PolicyType
from mantle_iam.report.ansi import PLAIN, Ansi, Style
from mantle_iam.report.layout import Whole, clean, facts, one_line, paragraph

SCHEMA_VERSION = "1"
_NEARLY_FULL = 0.8
_LAYERS = frozenset(layer.value for layer in PolicyType)
LAYER_WORDS = {
    PolicyType.IDENTITY.value: "the identity policies",
    PolicyType.PERMISSIONS_BOUNDARY.value: "the permissions boundary",
    PolicyType.SCP.value: "the service control policies",
    PolicyType.SESSION.value: "the session policy",
}

Row = tuple[str, str | Whole]


# Text


def plan_lines(plan: Plan, undo: Undo, *, width: int, ansi: Ansi = PLAIN) -> Iterator[str]:
    """The plan for people."""
    yield ansi.paint(f"Plan for {clean(str(plan.target))}", Style.BOLD)
    rows = [_now(plan.state), *(_change_row(plan, change) for change in plan.changes), *_gain_rows(plan.gains)]
    if plan.idle:
        rows.append(("allows", "nothing that was not allowed, as the target is now"))
    if plan.losses:
        rows.append(("takes away", _short(plan.losses)))
    if plan.already:
        rows.append(("already", f"{len(plan.already)} actions that it grants are allowed now"))
    if plan.others:
        rows.append(("besides", ", ".join(plan.others)))
    rows.extend(("quota", _usage_words(one)) for one in plan.quotas if one.used > one.limit * _NEARLY_FULL)
    rows.extend(("note", note) for note in plan.notes)
    rows.extend(_steps(plan.steps))
    if plan.steps:
        rows.extend(_labelled("undo", (Whole(call.command) for call in undo_calls(undo))))
    yield from facts(rows, width=width, ansi=ansi)


def undo_lines(plan: UndoPlan, *, width: int, ansi: Ansi = PLAIN) -> Iterator[str]:
    """The way back for people."""
    target, written = clean(str(plan.state.target)), clean(plan.undo.written_at)
    yield ansi.paint(f"Plan to take back from {target}", Style.BOLD)
    rows: list[Row] = [("attached", written), _now(plan.state), *_labelled("undo", (step.does for step in plan.steps))]
    if plan.losses:
        rows.append(("takes away", _short(plan.losses)))
    if plan.gains:
        rows.append(("allows", _short(plan.gains)))
    rows.extend(("changed", conflict) for conflict in plan.conflicts)
    rows.extend(("note", note) for note in plan.notes)
    rows.extend(_steps(plan.steps))
    yield from facts(rows, width=width, ansi=ansi)


def outcome_lines(outcome: Outcome, target: Target, *, width: int) -> Iterator[str]:
    """How an attachment ended; an error itself is the caller's to show."""
    applied = outcome.applied
    if outcome.status is Status.DONE:
        reach = "" if outcome.verification is not None and outcome.verification.result is Verified.GONE else _SOON
        yield from paragraph(f"done: {'; '.join(step.does for step in applied.done)}{reach}", width, hang=2)
    elif applied.failed is not None:
        done = "; ".join(step.does for step in applied.done) or "nothing"
        yield from paragraph(f"done: {done}", width, hang=2)
        yield from paragraph(f"{'not known' if applied.unsure else 'not done'}: {applied.failed.does}", width, hang=2)
        if applied.rest:
            yield from paragraph(f"not begun: {'; '.join(step.does for step in applied.rest)}", width, hang=2)
    for note in (*applied.notes, *outcome.notes):
        yield from paragraph(f"note: {note}", width, hang=2)
    if outcome.verification is not None:
        yield from paragraph(_verification_words(outcome.verification), width, hang=2)
    if outcome.undo_file is not None:
        yield f"take it back with: {clean(shlex.join(['mantle-iam', 'attach', '--undo', outcome.undo_file]))}"
    if outcome.rights is not None:
        yield from paragraph(f"the rest needs {', '.join(outcome.missing)}; a policy for it:", width, hang=2)
        yield policy_json(outcome.rights)


_SOON = "; it is in force within seconds to a few minutes"


def _verification_words(found: Verification) -> str:
    if found.result is Verified.GONE:
        return f"verified: {found.reason} (after {found.seconds:.0f} s)"
    if found.result is Verified.NOT_TRIED:
        return f"not verified: {found.reason}"
    what = "it is still refused" if found.result is Verified.STILL_REFUSED else "whether it is in force is not known"
    return f"{what} after {found.seconds:.0f} s and {found.attempts} calls: {found.reason}"


def _now(state: State) -> Row:
    names = [
        "an inline policy"
        if state.target.kind is TargetKind.PERMISSION_SET and bound.arn is None
        else one_line(f"{bound.name}{'' if bound.arn else ' (inline)'}")
        for bound in state.policies
    ]
    return ("now", ", ".join(names) or "no policy of its own")


def _change_row(plan: Plan, change: Change) -> Row:
    count = len(change.document.statements)
    size = f"{count} statement{'' if count == 1 else 's'}"
    state = plan.state
    there = is_there(state, change)
    if isinstance(change, InlineChange):
        verb = "there" if there else "put" if state.inline_named(change.name) is None else "replace"
        if state.target.kind is TargetKind.PERMISSION_SET:
            return (verb, f"its inline policy, {size} with those that are there")
        return (verb, f"inline policy {change.name}, {size}")
    if isinstance(change, CustomerChange):
        policy = state.customer_named(change.arn)
        made = policy is None or not policy.versions
        return ("there" if there else "create" if made else "attach", f"policy {change.name} ({change.arn}), {size}")
    return ("there" if there else "attach", f"{change.name} ({change.arn}, {change.version})")


def _gain_rows(gains: Iterable[ActionGain]) -> Iterator[Row]:
    """What becomes of the actions: those of the same fate on one line, what is sure first."""
    order = ("allows", "allows if", "refused")
    by_fate: dict[tuple[str, str], list[str]] = {}
    for gain in gains:
        by_fate.setdefault(_fate(gain), []).append(gain.action)
    for (label, rest), actions in sorted(by_fate.items(), key=lambda item: (order.index(item[0][0]), item[0][1])):
        yield label, _short(actions) + rest


def _fate(gain: ActionGain) -> tuple[str, str]:
    depends = ", ".join(LAYER_WORDS.get(name, name) for name in gain.depends_on)
    if gain.gain is Gain.ALLOWED:
        return ("allows", "")
    if gain.gain is Gain.WITHHELD:
        by = f" ({', '.join(gain.by)})" if gain.by else ""
        return ("refused", f": still withheld by {depends}{by}")
    if gain.gain is Gain.CONDITIONAL:
        where = " and ".join(f"{key} is {' or '.join(values)}" for key, values in gain.where)
        return ("allows", f", where {where}") if where else ("allows if", f": depends on {depends}")
    layers = ", ".join(LAYER_WORDS.get(name, name) for name in gain.depends_on if name in _LAYERS)
    keys = ", ".join(name for name in gain.depends_on if name not in _LAYERS)
    depending = f", depending on {keys}" if keys else ""
    return ("allows", f"{depending}, unless {layers}, which could not be read, refuse it")


def _short(actions: Iterable[str]) -> str:
    return ", ".join(action.partition(":")[2] for action in actions)


def _usage_words(one: Usage) -> str:
    source = "" if one.known else " by default; the account's own limit is not known"
    over = ": too many" if one.over else ""
    return f"{one.used} of {one.limit}{source} {one.what}{over}"


def _steps(steps: tuple[Step, ...]) -> Iterator[Row]:
    yield from _labelled("command", (Whole(step.call.command) for step in steps))


def _labelled(label: str, texts: Iterable[str | Whole]) -> Iterator[Row]:
    for number, text in enumerate(texts):
        yield (label if number == 0 else "", text)


# JSON


def plan_document(plan: Plan, undo: Undo, outcome: Outcome, *, version: str) -> dict[str, Any]:
    """A plan to attach and how it ended.  ``version`` is that of the program."""
    return {
        **_head("attach", plan.state, version),
        "changes": [_change_document(change) for change in plan.changes],
        "steps": _steps_document(plan.steps),
        "undo_commands": [call.command for call in undo_calls(undo)] if plan.steps else [],
        "gains": [_gain_document(gain) for gain in plan.gains],
        "already": list(plan.already),
        "losses": list(plan.losses),
        "others": list(plan.others),
        "redundant": plan.redundant,
        "quotas": [_usage_document(one) for one in plan.quotas],
        "conflicts": [],
        "notes": list(plan.notes),
        "outcome": _outcome_document(outcome),
    }


def undo_plan_document(plan: UndoPlan, outcome: Outcome, *, version: str) -> dict[str, Any]:
    """A plan to take something back and how it ended."""
    return {
        **_head("undo", plan.state, version),
        "changes": [],
        "steps": _steps_document(plan.steps),
        "undo_commands": [],
        "gains": [{"action": a, "gain": "allowed", "depends_on": [], "where": [], "by": []} for a in plan.gains],
        "already": [],
        "losses": list(plan.losses),
        "others": [],
        "redundant": False,
        "quotas": [],
        "conflicts": list(plan.conflicts),
        "notes": list(plan.notes),
        "outcome": _outcome_document(outcome),
    }


def _head(operation: str, state: State, version: str) -> dict[str, Any]:
    target = state.target
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mantle-iam", "version": version},
        "operation": operation,
        "target": {
            "kind": target.kind.value,
            "name": target.name,
            "arn": target.arn,
            "account": target.account or None,
            "partition": target.partition,
            "instance_arn": target.instance_arn,
        },
        "before": [{"name": bound.name, "arn": bound.arn} for bound in state.policies],
    }


def _change_document(change: Change) -> dict[str, Any]:
    what = {"InlineChange": "inline", "CustomerChange": "customer-managed"}.get(type(change).__name__, "managed")
    return {
        "change": what,
        "name": change.name,
        "arn": None if isinstance(change, InlineChange) else change.arn,
        "document": write_policy(change.document),
    }


def _steps_document(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    return [{"does": step.does, "action": step.call.action, "command": step.call.command} for step in steps]


def _gain_document(gain: ActionGain) -> dict[str, Any]:
    return {
        "action": gain.action,
        "gain": gain.gain.value,
        "depends_on": list(gain.depends_on),
        "where": [{"key": key, "values": list(values)} for key, values in gain.where],
        "by": list(gain.by),
    }


def _usage_document(one: Usage) -> dict[str, Any]:
    return {
        "what": one.what,
        "used": one.used,
        "now": one.now,
        "limit": one.limit,
        "limit_known": one.known,
        "adjustable": one.adjustable,
        "over": one.over,
    }


def _outcome_document(outcome: Outcome) -> dict[str, Any]:
    applied, found = outcome.applied, outcome.verification
    return {
        "status": outcome.status.value,
        "exit_code": outcome.exit_code,
        "reason": outcome.reason,
        "done": [step.does for step in applied.done],
        "failed": None if applied.failed is None else applied.failed.does,
        "not_begun": [step.does for step in applied.rest],
        "undo_file": outcome.undo_file,
        "missing_actions": list(outcome.missing),
        "rights": None if outcome.rights is None else write_policy(outcome.rights),
        "verification": None
        if found is None
        else {
            "result": found.result.value,
            "reason": found.reason,
            "attempts": found.attempts,
            "seconds": round(found.seconds, 3),
        },
        "notes": [*applied.notes, *outcome.notes],
    }
