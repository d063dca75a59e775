"""Records to text for people: the table of operations, each diagnosis with its evidence and remedy, the fix.

Problems first, the paste-ready policy flush left, nothing wider than the width except what must stay whole to be copied
(ARNs, URLs, commands, the policy).  Knows no terminal; the helpers that other commands share are in ``layout.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from mantle_iam.diagnose.case import Answer, Outcome
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis
from mantle_iam.iam.grammar import write_policy
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import Decision, PolicyType
from mantle_iam.mantle.exchange import Auth, Exchange
from mantle_iam.mantle.operations import Source
from mantle_iam.report.ansi import PLAIN, Ansi, Style
from mantle_iam.report.layout import Cell, Whole, clean, facts, one_line, paragraph, table
from mantle_iam.report.proposal import POLICY_FILE, Blocker, Change, Fix, ManagedAlternative, Proof, Reason, TargetKind
from mantle_iam.report.result import Part, Result

LABELS = 10
"""Width of the labels of a diagnosis and of a fix."""

LAYERS: dict[PolicyType, str] = {
    PolicyType.IDENTITY: "identity-based policy",
    PolicyType.PERMISSIONS_BOUNDARY: "permissions boundary",
    PolicyType.SESSION: "session policy",
    PolicyType.SCP: "service control policy (SCP)",
    PolicyType.RCP: "resource control policy (RCP)",
    PolicyType.VPC_ENDPOINT: "VPC endpoint policy",
    PolicyType.RESOURCE: "resource-based policy",
}
"""AWS's names of the layers."""

_ANSWER_STYLES = {
    Answer.ALLOWED: (Style.GREEN,),
    Answer.DENIED: (Style.RED, Style.BOLD),
    Answer.FAILED: (Style.YELLOW,),
    Answer.UNDECIDED: (Style.YELLOW,),
    Answer.CONTROL: (Style.DIM,),
}


_CONTROLS = {Auth.NONE: "no credential", Auth.JUNK: "made-up key"}
"""Requests that were sent to compare with."""

_WAYS = {Auth.BEARER: "key", Auth.SIGV4: "SigV4"}


def render(result: Result, *, width: int, ansi: Ansi = PLAIN) -> str:
    """The whole report as text that ends with a newline."""
    width = max(width, 40)
    blocks = [list(_outcomes(result, width, ansi))]
    blocks += [list(_diagnosis(diagnosis, part, result, width, ansi)) for part, diagnosis in result.diagnoses()]
    if result.fix:
        blocks += [list(block) for block in _fix(result.fix, width, ansi)]
    if result.notes:
        blocks.append(facts([("note", note) for note in result.notes], width=width, ansi=ansi, indent=0))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


# -- the table of operations


def _outcomes(result: Result, width: int, ansi: Ansi) -> Iterator[str]:
    """The table; left out for a single pasted answer, which the diagnosis quotes anyway."""
    regions = len(result.parts) > 1
    rows = [
        (*([part.case.region or "-"] if regions else []), *_outcome(part, outcome))
        for part in result.parts
        for outcome in part.report.outcomes
    ]
    # A log says the same thing several times.
    distinct = tuple(dict.fromkeys(rows))
    if len(distinct) < 2:
        return
    header = (["region"] if regions else []) + ["operation", "answer", "detail"]
    yield from table(header, distinct, width=width, ansi=ansi)


def _outcome(part: Part, outcome: Outcome) -> tuple[str | Cell, ...]:
    exchanges = part.case.exchanges
    exchange = exchanges[outcome.exchange] if 0 <= outcome.exchange < len(exchanges) else None
    name = outcome.operation or (_request_name(exchange) if exchange else "unknown")
    if exchange:
        marks = [_CONTROLS.get(exchange.auth), exchange.model, _way(exchange, part)]
        name += "".join(f" ({mark})" for mark in marks if mark)
    return name, Cell(outcome.answer, _ANSWER_STYLES.get(outcome.answer, ())), outcome.detail


def _way(exchange: Exchange, part: Part) -> str | None:
    """How the request was authenticated, where the same principal's calls were made in both ways."""
    used = {one.auth for one in part.case.exchanges}
    return _WAYS.get(exchange.auth) if used.issuperset(_WAYS) else None


def _request_name(exchange: Exchange) -> str:
    """What to call a request that is no known operation."""
    if exchange.url:
        return f"{exchange.method or 'request'} {exchange.url}"
    return exchange.hint_operation or exchange.source or "unknown"


# -- a diagnosis


def _heading(diagnosis: Diagnosis) -> tuple[str, tuple[Style, ...]]:
    """The first word of a diagnosis and its colour: how bad and how sure in one."""
    if diagnosis.code == "allowed":
        return "ok", (Style.GREEN, Style.BOLD)
    if diagnosis.confidence is Confidence.CONCLUSIVE:
        return "error", (Style.RED, Style.BOLD)
    if diagnosis.confidence is Confidence.LIKELY:
        return "likely", (Style.YELLOW, Style.BOLD)
    return "unknown", (Style.YELLOW, Style.BOLD)


def _diagnosis(diagnosis: Diagnosis, part: Part, result: Result, width: int, ansi: Ansi) -> Iterator[str]:
    word, styles = _heading(diagnosis)
    head = f"{word}[{clean(diagnosis.code)}]"
    first, *rest = paragraph(f"{head}: {diagnosis.title}", width, hang=4)
    yield ansi.paint(head, *styles) + ansi.paint(first.removeprefix(head), Style.BOLD)
    yield from (ansi.paint(line, Style.BOLD) for line in rest)
    if diagnosis.explanation:
        yield from paragraph(diagnosis.explanation, width, indent=2)
    rows = list(_diagnosis_facts(diagnosis))
    if len(result.parts) > 1 and part.case.region:
        rows.insert(0, ("region", part.case.region))
    yield from facts(rows, width=width, ansi=ansi, column=LABELS)


def _diagnosis_facts(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    if diagnosis.code != "allowed":
        yield from _labelled(_actions_label(diagnosis), diagnosis.actions)
        if diagnosis.resource:
            yield "on", diagnosis.resource
    if diagnosis.principal:
        yield "who", diagnosis.principal
    if layer := layer_sentence(diagnosis):
        yield "layer", layer
    if diagnosis.policy:
        yield "policy", diagnosis.policy
    seen = (f"{one.source}: {one.says}" if one.says else one.source for one in diagnosis.evidence)
    yield from _labelled("evidence", tuple(dict.fromkeys(seen)))
    if diagnosis.code != "allowed":
        yield "confidence", diagnosis.confidence.value
    yield from _labelled("to decide", diagnosis.would_decide)
    if diagnosis.remedy and diagnosis.code != "allowed":
        yield "fix", diagnosis.remedy
    if diagnosis.reference:
        yield "reference", diagnosis.reference


def _actions_label(diagnosis: Diagnosis) -> str:
    if diagnosis.effect == "explicit":
        return "denied"
    # The action of a condition that fails is granted, only not for this request.
    return "refused" if diagnosis.code == "condition-not-met" else "missing"


def _labelled(label: str, texts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for number, text in enumerate(texts):
        yield label if number == 0 else "", text


def policy_lines(document: PolicyDocument) -> list[str]:
    """Indented JSON in ASCII, so that nothing in it is hidden or obeyed by a terminal, ready to paste."""
    return json.dumps(write_policy(document), indent=2).replace("\x7f", "\\u007f").split("\n")


def layer_sentence(diagnosis: Diagnosis) -> str:
    """Which layer refused, and how; empty when it is not an authorization matter or not known."""
    if diagnosis.policy_type is None:
        return ""
    layer = LAYERS[diagnosis.policy_type]
    if diagnosis.effect == "explicit":
        return f"{layer}: a statement denies it (explicit deny)"
    if diagnosis.effect == "implicit":
        what = "no statement there applies" if diagnosis.code == "condition-not-met" else "nothing there allows it"
        return f"{layer}: {what} (implicit deny)"
    return layer


# -- the fix


def _fix(fix: Fix, width: int, ansi: Ansi) -> Iterator[Iterator[str]]:
    if fix.blocked_by:
        yield _blocked(fix, width, ansi)
    elif not fix.changes and fix.notes:
        yield iter(facts([("note", note) for note in fix.notes], width=width, ansi=ansi, indent=0))
    for change in fix.changes:
        yield _change(fix, change, width, ansi)
        yield iter(policy_lines(change.document))
        yield _after_policy(fix, change, width, ansi)


def _blocked(fix: Fix, width: int, ansi: Ansi) -> Iterator[str]:
    explicit = any(blocker.effect == "explicit" for blocker in fix.blocked_by)
    why = (
        "a deny elsewhere would still win"
        if explicit
        else "a layer that takes no Allow of yours would still withhold it"
    )
    yield ansi.paint(f"no policy is offered: {why}", Style.BOLD)
    rows = [row for blocker in fix.blocked_by for row in _blocker_facts(blocker)]
    rows += [("note", note) for note in fix.notes if not fix.changes]
    yield from facts(rows, width=width, ansi=ansi, column=LABELS)


def _blocker_facts(blocker: Blocker) -> Iterator[tuple[str, str]]:
    yield "layer", f"{LAYERS[blocker.policy_type] if blocker.policy_type else 'not named'} ({blocker.effect} deny)"
    yield from _labelled("denied", blocker.actions)
    if blocker.policy:
        yield "policy", blocker.policy
    if blocker.detail:
        yield "why", blocker.detail


def _change(fix: Fix, change: Change, width: int, ansi: Ansi) -> Iterator[str]:
    if change.policy_type is PolicyType.IDENTITY:
        title = "the policy that ends it"
        if change.target:
            title += f", for the {_kind(change.target.kind)} {one_line(change.target.name)}"
        if fix.confidence is not Confidence.CONCLUSIVE:
            title += ", if that is the cause"
    else:
        title = f"to add to the {LAYERS[change.policy_type]} that is in force (not a policy for the identity)"
    yield from (ansi.paint(line, Style.BOLD) for line in paragraph(title + ":", width, hang=4))


def _kind(kind: TargetKind) -> str:
    return kind.value.replace("-", " ")


def _after_policy(fix: Fix, change: Change, width: int, ansi: Ansi) -> Iterator[str]:
    observed = any(reason.observed for reason in change.reasons)
    reasons = dict.fromkeys(_reason_sentence(reason, observed) for reason in change.reasons)
    rows: list[tuple[str, str | Whole]] = [*_labelled("why", tuple(reasons))]
    if change is fix.changes[-1]:
        rows += [("proof", proof_sentence(fix.proof))] if fix.proof else []
    if change.commands:
        one_of = " one of" if len(change.commands) > 1 else ""
        rows.append(("attach", f"save the policy as {POLICY_FILE}, then{one_of}"))
        rows += [("", Whole(command)) for command in change.commands]
    if change is fix.changes[-1]:
        rows += _managed_facts(fix.managed) if fix.managed else []
        rows += [("note", note) for note in fix.notes]
    yield from facts(rows, width=width, ansi=ansi, column=LABELS)


def _reason_sentence(reason: Reason, others_observed: bool) -> str:
    seen = (
        ""
        if reason.observed
        else " (also needed, not observed)"
        if others_observed
        else " (the refusal does not name it)"
    )
    sure = " [inferred]" if reason.source is Source.INF else ""
    return f"{reason.action}: {reason.why}{seen}{sure}"


def proof_sentence(proof: Proof) -> str:
    """What the evaluation showed, and what it could not show."""
    requests = (
        "the refused request is" if proof.requests == 1 else f"all {proof.requests} requests that stand for it are"
    )
    if proof.decision is Decision.ALLOWED:
        return f"evaluated together with every policy that binds the principal: {requests} allowed"
    if proof.decision is Decision.UNKNOWN:
        layers = {layer.value: f"any {LAYERS[layer]}" for layer in PolicyType}
        names = ", ".join(layers.get(name, name) for name in proof.depends_on)
        what = "together with the policies that could be read" if proof.policies_read else "by itself"
        return f"evaluated {what}: {requests} allowed, unless something that was not read denies: {names}"
    return f"evaluated: {requests} still refused ({proof.decision.value}), so this is not enough"


def _managed_facts(managed: ManagedAlternative) -> list[tuple[str, str | Whole]]:
    actions = ", ".join(managed.gives)
    rows: list[tuple[str, str | Whole]] = [
        (
            "or",
            f"AWS's managed policy {managed.name} ({managed.version}) covers it too and allows more: {actions} "
            f"on {', '.join(managed.resources)}",
        )
    ]
    return [*rows, ("", Whole(managed.command))] if managed.command else rows
