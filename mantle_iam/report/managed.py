"""The managed-policy advisor's records to text for people, readable at 72 columns.

Knows no terminal and no policy text; what is said is in the records.  Versions and accounts are ``managed_changes.py``'s, the
JSON document is ``managed_document.py``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mantle_iam.iam.policy import Condition
from mantle_iam.iam.request import AuthorizationRequest
from mantle_iam.mantle.managed_policies import MadeFor
from mantle_iam.mantle.operations import Source
from mantle_iam.mantle.overlay import BEARER_ACTION, SERVICE
from mantle_iam.report.ansi import PLAIN, Ansi, Style
from mantle_iam.report.layout import Cell, Whole, clean, facts, paragraph, table
from mantle_iam.report.managed_records import (
    ActionReach,
    Advice,
    Candidate,
    CapabilityReach,
    ManagedPolicy,
    Reach,
    Report,
)

LABELS = 10
"""Width of the labels."""

REACH_WORDS = {Reach.ALL: "yes", Reach.SOME: "part", Reach.CONDITIONAL: "if", Reach.NONE: "no"}
_STYLES = {
    Reach.ALL: (Style.GREEN,),
    Reach.SOME: (Style.YELLOW,),
    Reach.CONDITIONAL: (Style.YELLOW,),
    Reach.NONE: (Style.RED,),
}
_MADE_FOR = {
    MadeFor.WEB_SEARCH: "an addition to another policy",
    MadeFor.SERVICE: "made for the role of one service; not offered by --for",
    MadeFor.RUNTIME: "about bedrock-runtime",
}
_INDENT = 16
_REFUSED = (Style.RED, Style.BOLD)
LITTLE = 2
"""A policy that lacks more actions than this is no near miss."""
MANY = 8
"""More names than this are counted, not listed, where a list is an aside."""


def short(action: str) -> str:
    """An action of Mantle without its prefix; one of another service as it is."""
    return action.removeprefix(f"{SERVICE}:")


def names(actions: Iterable[str]) -> str:
    """Actions in one line, those of Mantle without their prefix."""
    return ", ".join(map(short, actions))


def mantle_counts(report: Report, preview: frozenset[str]) -> tuple[int, int]:
    """How many actions of Mantle's reference are given: wholly, and in part or under conditions."""
    reaches = [
        one.reach for one in report.actions if one.action.startswith(f"{SERVICE}:") and one.action not in preview
    ]
    return reaches.count(Reach.ALL), len(reaches) - reaches.count(Reach.ALL) - reaches.count(Reach.NONE)


def takes_keys(report: Report) -> bool:
    """Whether calls with a Bedrock API key are allowed."""
    return any(one.action == BEARER_ACTION and one.reach is Reach.ALL for one in report.actions)


# -- every policy


def render_list(
    reports: Sequence[Report], *, total: int, preview: frozenset[str], width: int, ansi: Ansi = PLAIN
) -> str:
    """One block for each policy: name, version, what it is for, how much it gives."""
    lines = [f"Of {total} actions of {SERVICE}, each gives (+ in part):", ""]
    for report in reports:
        whole, part = mantle_counts(report, preview)
        word, style = ("yes", Style.GREEN) if takes_keys(report) else ("no", Style.RED)
        count = f"{whole}+{part}" if part else str(whole)
        policy = report.policy
        key = ansi.paint(f"key {word}", style) + " " * (len("yes") - len(word))
        lines.append(f"{count:>5}  {key}  {ansi.paint(clean(policy.name), Style.BOLD)}")
        lines += paragraph(f"{policy.version}, {policy.date or 'no date'}. {policy.summary}", width, indent=_INDENT)
    lines += ["", *paragraph("`mantle-iam managed NAME` says what one gives and what not.", width)]
    return "\n".join(lines) + "\n"


# -- one policy


def render_report(report: Report, *, total: int, preview: frozenset[str], width: int, ansi: Ansi = PLAIN) -> str:
    """What one policy gives, where, what it does not give and whom that hurts."""
    width = max(width, 40)
    blocks = [
        _head(report, total, preview, width, ansi),
        _capabilities(report, width, ansi),
        _where(report, width, ansi),
        _why(report, width, ansi),
        _purposes(report, width, ansi),
        facts([("note", note) for note in report.notes], width=width, ansi=ansi, indent=0),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _title(policy: ManagedPolicy) -> str:
    return f"{policy.name} {policy.version}{f' ({policy.date})' if policy.date else ''}"


def _head(report: Report, total: int, preview: frozenset[str], width: int, ansi: Ansi) -> list[str]:
    policy = report.policy
    whole, part = mantle_counts(report, preview)
    rows: list[tuple[str, str | Whole]] = [("arn", policy.arn)]
    if policy.short_name:
        rows.append(("attach", Whole(f"mantle-iam attach --managed {policy.short_name} --user NAME")))
    if policy.made_for in _MADE_FOR:
        rows.append(("made for", _MADE_FOR[policy.made_for]))
    rows.append(("gives", f"{whole} of {total} actions of {SERVICE}" + (f", {part} more in part" if part else "")))
    if report.elsewhere:
        services = [f"{service} ({number})" for service, number in report.elsewhere]
        rows.append(("elsewhere", f"action patterns of {', '.join(services)}"))
    if policy.source:
        rows.append(("source", policy.source))
    title = ansi.paint(clean(_title(policy)), Style.BOLD)
    summary = paragraph(policy.summary, width, indent=2) if policy.summary else []
    return [title, *summary, *facts(rows, width=width, ansi=ansi, column=LABELS)]


def _capabilities(report: Report, width: int, ansi: Ansi) -> list[str]:
    shown = [one for one in report.capabilities if one.reach is not Reach.NONE or _touches_mantle(report)]
    rows = [(one.capability.title, Cell(REACH_WORDS[one.reach], _STYLES[one.reach]), _detail(one)) for one in shown]
    if len(shown) < len(report.capabilities):
        rows.append(("all else" if shown else "anything", Cell(REACH_WORDS[Reach.NONE], _STYLES[Reach.NONE]), ""))
    return table(("for", "", "actions"), rows, width=width, ansi=ansi)


def _touches_mantle(report: Report) -> bool:
    """Whether it gives anything of Mantle itself; else the list of what it does not give says nothing."""
    return any(one.reach is not Reach.NONE and one.action.startswith(f"{SERVICE}:") for one in report.actions)


def _detail(one: CapabilityReach) -> str:
    given = [_given(action) for action in one.actions if action.reach is not Reach.NONE]
    lacking = [short(action.action) for action in one.actions if action.reach is Reach.NONE]
    if not given:
        return ", ".join(lacking)
    return ", ".join(given) + (f"; not {', '.join(lacking)}" if lacking else "")


def _given(action: ActionReach) -> str:
    name = short(action.action)
    if action.lacking:
        return f"{name} (not of {', '.join(f'{kind}s' for kind in action.lacking)})"
    if action.reach is Reach.SOME:
        return f"{name} (on some)"
    return f"{name} (if)" if action.reach is Reach.CONDITIONAL else name


def _condition(condition: Condition) -> str:
    return f"{condition.key} {condition.operator} {', '.join(condition.values)}"


def _where(report: Report, width: int, ansi: Ansi) -> list[str]:
    """On which resources and under which conditions, for everything that is given."""
    found: dict[tuple[tuple[str, ...], tuple[Condition, ...]], list[str]] = {}
    for one in report.capabilities:
        for action in one.actions:
            if action.reach is not Reach.NONE:
                titles = found.setdefault((action.resources, action.conditions), [])
                if one.capability.title not in titles:
                    titles.append(one.capability.title)
    if not found:
        return []
    lines = [ansi.paint("On which resources, under which conditions", Style.BOLD)]
    for (resources, conditions), titles in found.items():
        lines += paragraph(" or ".join(resources), width, indent=2)
        rows = [("when", _condition(condition)) for condition in conditions]
        lines += facts([*rows, ("for", ", ".join(titles))], width=width, ansi=ansi, indent=4, column=4)
    return lines


def _why(report: Report, width: int, ansi: Ansi) -> list[str]:
    """Actions that a statement names and does not give, by reason."""
    found: dict[tuple[str, Source], list[str]] = {}
    for action in report.actions:
        if action.why:
            found.setdefault((action.why, action.source), []).append(action.action)
    if not found:
        return []
    lines = [ansi.paint("Named by it, and not given", Style.BOLD)]
    for (why, source), actions in found.items():
        lines += paragraph(names(actions), width, indent=2, hang=2)
        lines += paragraph(f"{why} [{source}]", width, indent=4)
    return lines


def _purposes(report: Report, width: int, ansi: Ansi) -> list[str]:
    covered = [purpose.name for purpose in report.purposes if not purpose.missing]
    lines = [ansi.paint("For which purposes (of mantle-iam generate --for)", Style.BOLD)]
    nothing = "none" if _touches_mantle(report) else "none: it gives no action of Mantle"
    lines += facts([("covers", ", ".join(covered) or nothing)], width=width, ansi=ansi, column=LABELS)
    rows = [(purpose.name, _lacks(purpose.missing)) for purpose in report.purposes if purpose.missing]
    if rows and _touches_mantle(report):
        lines += ["", *table(("not", "lacks"), rows, width=width, ansi=ansi, indent=2)]
    return lines


def _lacks(missing: Sequence[str]) -> str:
    first_call = all(action.startswith("aws-marketplace:") for action in missing)
    return names(missing) + (" (an account's first call to a Marketplace model)" if first_call else "")


def request_text(request: AuthorizationRequest) -> str:
    """A witness in one line: action, resources, what is special about its context."""
    values = [
        f"{key} = {value if isinstance(value, str) else ', '.join(value)}"
        for key, value in request.context.items()
        # What is known of any direct call says nothing about this one.
        if value is not None and not key.islower()
    ]
    return f"{request.action} on {', '.join(request.resources)}" + (f" with {'; '.join(values)}" if values else "")


# -- which one fits


def render_advice(advice: Advice, *, width: int, ansi: Ansi = PLAIN) -> str:
    """Which managed policy covers a purpose and what more it gives; else which is nearest; and one's own."""
    title = f"For {', '.join(advice.purposes)} ({advice.auth})"
    title += ", the narrowest first" if len(advice.candidates) > 1 else ""
    blocks = [[ansi.paint(clean(title), Style.BOLD)]]
    blocks += [_candidate(one, width, ansi, first=number == 0) for number, one in enumerate(advice.candidates)]
    blocks.append(_lacking(advice, width, ansi))
    own = advice.own
    blocks.append(
        [
            ansi.paint("The smallest policy of your own", Style.GREEN, Style.BOLD),
            *facts(
                [
                    ("size", f"{own.size} characters, {plural(len(own.document.statements), 'statement')}"),
                    ("proven", f"{own.requests} requests allowed, {own.removals} removals refused"),
                    ("write it", Whole(own.command)),
                ],
                width=width,
                ansi=ansi,
                column=LABELS,
            ),
        ]
    )
    blocks.append(facts([("note", note) for note in advice.notes], width=width, ansi=ansi, indent=0))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _lacking(advice: Advice, width: int, ansi: Ansi) -> list[str]:
    """What does not cover it: the nearest where nothing does, else only what lacks a little."""
    if not advice.candidates:
        one = advice.nearest[0].policy.name if advice.chosen and advice.nearest else None
        title = ansi.paint(f"{clean(one)} does not cover it" if one else "No managed policy covers it", *_REFUSED)
        near = advice.nearest
    else:
        title = "Almost"
        near = tuple(one for one in advice.nearest if len(one.missing) <= LITTLE)
    named = advice.candidates or not advice.chosen
    rows = [(one.policy.name if named else "lacks", ("lacks " if named else "") + _lacks(one.missing)) for one in near]
    return [title, *facts(rows, width=width, ansi=ansi)] if rows else []


def plural(number: int, noun: str) -> str:
    """``1 day``, ``2 days``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _candidate(one: Candidate, width: int, ansi: Ansi, *, first: bool) -> list[str]:
    rows: list[tuple[str, str | Whole]] = []
    if one.beyond:
        listed = f": {names(one.beyond)}" if len(one.beyond) <= MANY else ""
        rows.append(("more", f"{plural(len(one.beyond), 'action')} of {SERVICE} that it does not need{listed}"))
    if one.elsewhere:
        services = ", ".join(f"{service} {number}" for service, number in one.elsewhere)
        rows.append(("elsewhere", f"{plural(sum(n for _, n in one.elsewhere), 'action')} ({services})"))
    if one.witness is not None:
        rows.append(("witness", f"it alone allows {request_text(one.witness)}"))
    if one.command:
        rows.append(("attach", Whole(one.command)))
    title = f"{clean(_title(one.policy))} covers it"
    return [
        ansi.paint(title, *((Style.GREEN, Style.BOLD) if first else ())),
        *facts(rows, width=width, ansi=ansi, column=LABELS),
    ]
