"""``mantle-iam can-i``: one action against policy files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from mantle_iam.cli.common import color_option, output_option, print_json, read_policy, use_color
from mantle_iam.errors import InputError
from mantle_iam.iam.action import Action
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.near_miss import deny_reasons, near_misses
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.principals import read_caller
from mantle_iam.iam.request import (
    AuthorizationRequest,
    ContextValue,
    Decision,
    Documents,
    EvaluationResult,
    NearMiss,
    PolicySet,
    PolicyType,
    StatementRef,
)
from mantle_iam.iam.request_json import near_miss_object, reference_object, result_object
from mantle_iam.iam.validation import policy_problems

PLACEHOLDER_ACCOUNT = "111122223333"
ALWAYS_SENT = ("aws:SourceIp", "aws:SecureTransport", "aws:CurrentTime", "aws:EpochTime", "aws:UserAgent", "aws:userid")
"""Keys that (nearly) every request carries: unknown rather than absent when not given."""
OF_THE_PRINCIPAL = ("aws:PrincipalArn", "aws:PrincipalType", "aws:username")
OF_THE_ACCOUNT = ("aws:PrincipalAccount", "aws:ResourceAccount")
EXIT_CODES = {Decision.ALLOWED: 0, Decision.EXPLICIT_DENY: 1, Decision.IMPLICIT_DENY: 1, Decision.UNKNOWN: 3}
_SHOWN = 6

Place = tuple[PolicyType, int | None, int]


@dataclass(slots=True)
class _Loaded:
    """The documents by layer, and the file of each."""

    files: dict[Place, str] = field(default_factory=dict)
    documents: dict[Place, PolicyDocument] = field(default_factory=dict)

    def layer(self, paths: tuple[str, ...], kind: PolicyType) -> Documents | None:
        """One document per file; ``None`` when no file is given."""
        found = [document for path in paths for document in self._read(path)]
        return self._keep(found, kind, None) if paths else None

    def levels(self, paths: tuple[str, ...], kind: PolicyType) -> tuple[Documents, ...] | None:
        """One level per path; a folder is a level with every ``*.json`` in it."""
        if not paths:
            return None
        return tuple(self._keep(self._read(path), kind, level) for level, path in enumerate(paths))

    def _keep(self, found: list[tuple[str, PolicyDocument]], kind: PolicyType, level: int | None) -> Documents:
        for index, (file, document) in enumerate(found):
            self.files[kind, level, index] = file
            self.documents[kind, level, index] = document
        return tuple(document for _, document in found)

    def _read(self, path: str) -> list[tuple[str, PolicyDocument]]:
        files = [path]
        if path != "-" and Path(path).is_dir():
            files = sorted(str(file) for file in Path(path).glob("*.json"))
            if not files:
                raise InputError(f"the folder `{path}` holds no *.json file")
        return [(file, read_policy(file)) for file in files]


_MANY: dict[str, Any] = {"multiple": True, "metavar": "FILE"}


@click.command("can-i")
@click.argument("action")
@click.option("--policy", **_MANY, help="Identity policy of the user, its groups or the role; repeatable, - for stdin.")
@click.option("--boundary", **_MANY, help="Permissions boundary.")
@click.option("--session", **_MANY, help="Session policy; repeatable.")
@click.option("--scp", multiple=True, metavar="FILE|DIR", help="SCPs of one level; repeat per level, root first.")
@click.option("--rcp", multiple=True, metavar="FILE|DIR", help="RCPs of one level; repeat per level, root first.")
@click.option("--vpc-endpoint", **_MANY, help="Policy of the VPC endpoint that the request goes through.")
@click.option("--resource-policy", **_MANY, help="The resource's own policy.")
@click.option("--principal", metavar="ARN", help="Who asks; without it, keys about the principal are unknown.")
@click.option("--issuer", metavar="ARN", help="Role (with its path) or user behind a session.")
@click.option("--resource", "resources", multiple=True, metavar="ARN", help="What on; repeatable, all are needed.")
@click.option("--region", default="us-east-1", show_default=True, help="Region of the assumed resource.")
@click.option("--context", multiple=True, metavar="KEY=VALUE", help="Context key; repeated or KEY[]= is multi-valued.")
@click.option("--unknown", multiple=True, metavar="KEY|LAYER", help="What may be in force or sent, and is not known.")
@output_option("text", "json")
@color_option
def command(**options: Any) -> int:
    """Say whether ACTION is allowed by policy files, by what, or what withholds it.

    A layer for which no file is given is not in force (declare it with --unknown identity, scp, ... if it may be).
    FILE is a policy document or what an AWS command prints around one. A context key that is not given is
    absent, except those that every request carries (the model of an inference, the source IP), which are unknown.

    \b
    mantle-iam can-i bedrock-mantle:CreateInference --policy inference.json \\
      --context bedrock-mantle:Model=openai.gpt-oss-120b --scp root/ --scp workloads/

    Exit codes: 0 allowed, 1 denied, 2 wrong usage, 3 unknown.
    """
    notes: list[str] = []
    loaded = _Loaded()
    request = _request(options, notes)
    policies = _policies(options, loaded)
    result = evaluate(request, policies)
    _note_missing(result, notes)
    _note_problems(loaded, notes)
    misses = (*deny_reasons(request, policies), *near_misses(request, policies))
    if options["output"] == "json":
        print_json(_json(request, result, misses, loaded, notes))
    else:
        text = _text(request, policies, result, misses, loaded, notes, options["color"])
        # Said aloud, since click would take colours out wherever it sees no terminal.
        click.echo(text, nl=False, color=use_color(options["color"]))
    return EXIT_CODES[result.decision]


def _policies(options: dict[str, Any], loaded: _Loaded) -> PolicySet:
    layers = {kind.value for kind in PolicyType}
    return PolicySet(
        identity=loaded.layer(options["policy"], PolicyType.IDENTITY) or (),
        permissions_boundary=loaded.layer(options["boundary"], PolicyType.PERMISSIONS_BOUNDARY),
        session=loaded.layer(options["session"], PolicyType.SESSION),
        scp=loaded.levels(options["scp"], PolicyType.SCP),
        rcp=loaded.levels(options["rcp"], PolicyType.RCP),
        vpc_endpoint=loaded.layer(options["vpc_endpoint"], PolicyType.VPC_ENDPOINT),
        resource=loaded.layer(options["resource_policy"], PolicyType.RESOURCE),
        unknown=frozenset(PolicyType(name) for name in options["unknown"] if name in layers),
    )


def _request(options: dict[str, Any], notes: list[str]) -> AuthorizationRequest:
    action = _action(options["action"], notes)
    context = _context(options["context"])
    layers = {kind.value for kind in PolicyType}
    unknown = {name for name in options["unknown"] if name not in layers}
    given = {key.lower() for key in context}
    unknown.update(key for key in (*ALWAYS_SENT, *_of_the_action(str(action))) if key.lower() not in given)
    principal, resources = options["principal"], tuple(options["resources"])
    account = _account(principal, options["issuer"], resources)
    if principal is None:
        unknown.update(key for key in OF_THE_PRINCIPAL if key.lower() not in given)
        if account is None:
            unknown.update(key for key in OF_THE_ACCOUNT if key.lower() not in given)
        principal = f"arn:aws:iam::{account or PLACEHOLDER_ACCOUNT}:user/any"
        notes.append("no --principal was given: some IAM user of the resource's account is assumed")
    if not resources:
        resources = _default_resources(str(action), account or PLACEHOLDER_ACCOUNT, options["region"])
        notes.append(f"no --resource was given: {', '.join(f'`{name}`' for name in resources)} is assumed")
    return AuthorizationRequest(
        principal, str(action), resources, None, context, frozenset(unknown), issuer=options["issuer"]
    )


def _account(principal: str | None, issuer: str | None, resources: tuple[str, ...]) -> str | None:
    if principal is not None:
        return read_caller(principal, issuer).account
    arns = (Arn.try_parse(resource) for resource in resources)
    return next((arn.account for arn in arns if arn is not None and arn.account), None)


def _action(text: str, notes: list[str]) -> Action:
    """The action in its usual spelling; one that the catalogue does not have is noted and asked all the same."""
    from mantle_iam.mantle.catalog import catalog_date, has_service, known_action, nearest_action

    action = Action.parse(text)
    if "*" in text or "?" in text:
        raise InputError(f"`{text}` is a pattern, and one action is asked for", help="ask for each action by itself")
    known = known_action(str(action))
    if known is not None:
        return Action.parse(known.name)
    if not has_service(action.service.lower()):
        notes.append(f"`{action.service}` is not a service prefix in the data of {catalog_date()}")
        return action
    near = nearest_action(str(action))
    hint = f"; the nearest that is: `{near}`" if near else ""
    notes.append(f"`{action}` is not in the data of {catalog_date()}{hint}")
    return action


def _default_resources(action: str, account: str, region: str) -> tuple[str, ...]:
    """An ARN per resource type of a bedrock-mantle action; ``*`` for what has no resource types or is of another service."""
    from mantle_iam.mantle.catalog import SERVICE, resource_arns
    from mantle_iam.mantle.scope import Scope

    if action.partition(":")[0] != SERVICE:
        return ("*",)
    scope = Scope(account=account, regions=(region,), projects=("default",))
    patterns = resource_arns(action, scope)
    return tuple(pattern if pattern == "*" else pattern.replace("*", "example") for pattern in patterns)


def _of_the_action(action: str) -> tuple[str, ...]:
    """The service's own keys that requests for ``action`` carry: every inference names a model, every key has a type."""
    from mantle_iam.mantle.catalog import SERVICE, condition_keys

    prefix = f"{SERVICE}:"
    return tuple(key for key in condition_keys(action) if key.startswith(prefix)) if action.startswith(prefix) else ()


def _context(pairs: tuple[str, ...]) -> dict[str, ContextValue]:
    found: dict[str, list[str]] = {}
    several: set[str] = set()
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (equals and key.removesuffix("[]")):
            raise InputError(f"`{pair}` is not KEY=VALUE", help="write --context aws:SourceIp=192.0.2.1")
        if key.endswith("[]"):
            several.add(key.removesuffix("[]"))
        found.setdefault(key.removesuffix("[]"), []).append(value)
    return {
        key: values[0] if len(values) == 1 and key not in several else tuple(values) for key, values in found.items()
    }


def _note_missing(result: EvaluationResult, notes: list[str]) -> None:
    if result.missing_context and result.decision is not Decision.ALLOWED:
        keys = ", ".join(f"`{key}`" for key in result.missing_context)
        notes.append(f"taken as absent from the request: {keys}; give --context KEY=VALUE, or --unknown KEY")


def _note_problems(loaded: _Loaded, notes: list[str]) -> None:
    found = [
        f"{loaded.files[place]}: {problem.pointer or '/'}: {problem.message}"
        for place, document in loaded.documents.items()
        for problem in policy_problems(document, place[0])
    ]
    notes.extend(found[:_SHOWN])
    if len(found) > _SHOWN:
        notes.append(f"{len(found) - _SHOWN} more problems in the documents")


def _file(ref: StatementRef, loaded: _Loaded) -> str:
    return loaded.files[ref.policy_type, ref.level, ref.document]


def _json(
    request: AuthorizationRequest,
    result: EvaluationResult,
    misses: Iterable[NearMiss],
    loaded: _Loaded,
    notes: list[str],
) -> dict[str, Any]:
    def located(ref: StatementRef, fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "file": _file(ref, loaded)}

    shown = [located(miss.statement, near_miss_object(miss)) for miss in misses]
    return {
        "schema_version": "1",
        "request": {
            "principal": request.principal,
            "action": request.action,
            "resource": list(request.resources),
            "context": {key: list(v) if isinstance(v, tuple) else v for key, v in request.context.items()},
            "unknown": sorted(request.unknown_context),
        },
        **result_object(result),
        "determining": [located(ref, reference_object(ref)) for ref in result.determining],
        "missing_context": list(result.missing_context),
        "undecided": [located(ref, reference_object(ref)) for ref in result.undecided],
        "near_misses": [one for one in shown if one["failures"]],
        "denied_because": [one for one in shown if not one["failures"]],
        "notes": notes,
    }


def _text(
    request: AuthorizationRequest,
    policies: PolicySet,
    result: EvaluationResult,
    misses: tuple[NearMiss, ...],
    loaded: _Loaded,
    notes: list[str],
    color: str,
) -> str:
    from mantle_iam.cli.show import text_width
    from mantle_iam.report.ansi import Ansi, Style
    from mantle_iam.report.layout import facts, paragraph

    ansi, width = Ansi(use_color(color)), text_width()
    tone = {0: Style.GREEN, 1: Style.RED, 3: Style.YELLOW}[EXIT_CODES[result.decision]]
    lines = [f"{ansi.paint(result.decision.value, Style.BOLD, tone)}: {_sentence(result)}"]
    rows: list[tuple[str, str]] = [("action", request.action)]
    rows += [("resource" if index == 0 else "", name) for index, name in enumerate(request.resources)]
    rows.append(("principal", request.principal))
    rows += [("by" if index == 0 else "", _named(ref, loaded)) for index, ref in enumerate(result.determining)]
    if result.depends_on:
        rows.append(("depends on", ", ".join(result.depends_on)))
    rows += [("layers" if not index else "", layer) for index, layer in enumerate(_layers(policies, result))]
    lines += facts(rows, width=width, ansi=ansi)
    blocks = (
        (
            "denied because",
            [f"{_named(miss.statement, loaded)}: {miss.detail}" for miss in misses if not miss.failures],
        ),
        ("near misses", [f"{_named(miss.statement, loaded)}: {miss.detail}" for miss in misses if miss.failures]),
        ("may matter", [_named(ref, loaded) for ref in result.undecided]),
        ("notes", notes),
    )
    for title, texts in blocks:
        if texts:
            lines += ["", ansi.paint(title, Style.BOLD)]
        for text in texts[:_SHOWN] if title == "near misses" else texts:
            lines += paragraph(f"- {text}", width, 2, 2)
    return "\n".join(lines) + "\n"


def _sentence(result: EvaluationResult) -> str:
    layers = ", ".join(kind.value for kind in result.withheld_by)
    return {
        Decision.ALLOWED: "every layer given allows it",
        Decision.EXPLICIT_DENY: f"a Deny applies; in the way: {layers}",
        Decision.IMPLICIT_DENY: f"nothing allows it in: {layers}",
        Decision.UNKNOWN: "it cannot be said from what is known",
    }[result.decision]


def _named(ref: StatementRef, loaded: _Loaded) -> str:
    sid = f", Sid {ref.sid}" if ref.sid else ""
    level = "" if ref.level is None else f", level {ref.level}"
    return f"{_file(ref, loaded)} ({ref.policy_type.value}{level}), statement {ref.statement}{sid}"


def _layers(policies: PolicySet, result: EvaluationResult) -> list[str]:
    """One line per layer: in the way, passed, not known, or not in force."""
    denying = {ref.policy_type for ref in result.determining} if result.decision is Decision.EXPLICIT_DENY else set()
    lines = []
    for kind in PolicyType:
        given = getattr(policies, kind.name.lower())
        if kind in policies.unknown:
            state = "not known"
        elif given is None:
            state = "not in force"
        elif kind in denying:
            state = "denies"
        elif kind in result.withheld_by:
            state = "does not allow"
        elif result.decision is Decision.UNKNOWN or kind is PolicyType.RESOURCE:
            state = "given"
        else:
            state = "passed"
        lines.append(f"{kind.value}: {state}")
    return lines
