"""Versions of a managed policy, differences between them, and the account's text against ours, as text for people.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mantle_iam.report.ansi import PLAIN, Ansi, Style
from mantle_iam.report.layout import Whole, clean, facts, paragraph
from mantle_iam.report.managed import LABELS, MANY, REACH_WORDS, names, plural, request_text, short
from mantle_iam.report.managed_records import (
    Difference,
    ManagedPolicy,
    ReachChange,
    Refreshed,
    Standing,
    VersionEntry,
)

_STANDING = {
    Standing.CURRENT: ("current", (Style.GREEN,)),
    Standing.OLDER: ("ours is older", (Style.YELLOW, Style.BOLD)),
    Standing.NEWER: ("ours is newer", (Style.YELLOW,)),
    Standing.DIFFERENT: ("differs", (Style.RED, Style.BOLD)),
    Standing.NOT_SHIPPED: ("not shipped", ()),
    Standing.ABSENT: ("absent", (Style.YELLOW,)),
    Standing.UNREADABLE: ("unreadable", (Style.RED,)),
}


# -- versions and differences


def render_history(name: str, entries: Sequence[VersionEntry], *, width: int, ansi: Ansi = PLAIN) -> str:
    """The versions of a policy, newest first, each with what it changed."""
    lines = [ansi.paint(clean(name), Style.BOLD), ""]
    for entry in entries:
        text = "its text is not at hand" if entry.source is None else "the oldest text at hand"
        if entry.change is not None:
            text = f"since {entry.change.old.version}: {_summary(entry.change)}"
        lines += facts([(f"{entry.version:<4}{entry.date or 'unknown':<11}", text)], width=width, ansi=ansi, column=15)
    lines += ["", *paragraph("AWS publishes no history; versions may be missing.", width)]
    return "\n".join(lines) + "\n"


def _summary(change: Difference) -> str:
    """The difference in one line."""
    if change.same_text:
        return "the same text"
    parts = [f"+ {names(one.action for one in change.gained)}"] if change.gained else []
    parts += [f"- {names(one.action for one in change.lost)}"] if change.lost else []
    added, removed = _untold(change, change.patterns_added), _untold(change, change.patterns_removed)
    parts += [f"+ {_few(added)}"] if added else []
    parts += [f"- {_few(removed)}"] if removed else []
    return "; ".join(parts) or "the same actions, otherwise written"


def _untold(change: Difference, patterns: Sequence[str]) -> list[str]:
    """The patterns whose effect is not told already, action by action."""
    told = {one.action.lower() for one in (*change.gained, *change.lost)}
    services = {action.partition(":")[0] for action in told}
    return [
        pattern
        for pattern in patterns
        if pattern.lower() not in told and not ("*" in pattern and pattern.lower().partition(":")[0] in services)
    ]


def _few(patterns: Sequence[str]) -> str:
    if len(patterns) <= MANY:
        return names(patterns)
    services = ", ".join(dict.fromkeys(pattern.partition(":")[0] for pattern in patterns))
    return f"{len(patterns)} action patterns of {services}"


def render_difference(change: Difference, *, width: int, ansi: Ansi = PLAIN) -> str:
    """What one version gives beside another."""
    return "\n".join(_difference(change, width, ansi)) + "\n"


def _difference(change: Difference, width: int, ansi: Ansi) -> Iterator[str]:
    old, new = change.old, change.new
    dates = f"{old.version} ({old.date or 'no date'}) -> {new.version} ({new.date or 'no date'})"
    yield ansi.paint(clean(f"{new.name}: {dates}"), Style.BOLD)
    if change.same_text:
        yield from paragraph("the same text", width, indent=2)
        return
    rows = [*_changes("gives", change.gained), *_changes("gives less", change.lost)]
    for label, patterns in (("adds", change.patterns_added), ("removes", change.patterns_removed)):
        if other := _untold(change, patterns):
            rows.append((label, ", ".join(other)))
    if not (change.gained or change.lost):
        rows.append(("in Mantle", "no action is given further or less far"))
    rows.append(("relation", f"{new.version} is {change.relation}" + (f": {change.reason}" if change.reason else "")))
    if change.witness is not None:
        rows.append(("witness", f"{new.version} alone allows {request_text(change.witness)}"))
    yield from facts(rows, width=width, ansi=ansi, column=LABELS)


def _changes(label: str, changes: Sequence[ReachChange]) -> list[tuple[str, str]]:
    return [
        (label if number == 0 else "", f"{short(one.action)} ({REACH_WORDS[one.before]} -> {REACH_WORDS[one.after]})")
        for number, one in enumerate(changes)
    ]


# -- the account


def render_refreshed(found: Sequence[Refreshed], *, width: int, ansi: Ansi = PLAIN) -> str:
    """Each policy of the account against ours."""
    blocks = [list(_refreshed(one, width, ansi)) for one in found]
    return "\n".join("\n".join(block) for block in blocks) + "\n"


def _refreshed(one: Refreshed, width: int, ansi: Ansi) -> Iterator[str]:
    word, styles = _STANDING[one.standing]
    yield f"{ansi.paint(clean(word), *styles)}: {clean(one.name)}"
    rows: list[tuple[str, str | Whole]] = []
    if one.theirs is not None and one.standing is not Standing.NOT_SHIPPED:
        rows.append(("account", _version(one.theirs)))
    if one.ours is not None and one.standing is not Standing.CURRENT:
        late = {Standing.OLDER: "older", Standing.NEWER: "newer"}.get(one.standing)
        age = f", {plural(one.days, 'day')} {late}" if late and one.days else ""
        rows.append(("ours", _version(one.ours) + age))
    if one.reason:
        rows.append(("why", one.reason))
    if one.standing in (Standing.OLDER, Standing.NEWER) and one.difference is None:
        rows.append(("text", "the same in both versions"))
    if one.difference is not None:
        rows.append(("account +/-", _summary(one.difference)))
        rows.append(("relation", f"the account's text is {one.difference.relation}"))
    yield from facts(rows, width=width, ansi=ansi, column=11)


def _version(policy: ManagedPolicy) -> str:
    return f"{policy.version}{f' of {policy.date}' if policy.date else ''}"
