"""An audit: accounts in, principals and requirements out, one account at a time.

Composes ``audit`` (what the policies say), ``generate`` (what would end a failure) and an executor.  No argument line and no
printing here; whoever shows a report takes its rows as they come and reads the rest at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from mantle_iam.audit.matrix import Plan, sheet_of
from mantle_iam.audit.requirements import Must, Rule, RuleResult, Shortfall
from mantle_iam.audit.results import Shape
from mantle_iam.errors import InputError, MantleIamError
from mantle_iam.iam.inventory import Account
from mantle_iam.iam.policy import Condition
from mantle_iam.iam.request import Decision, PolicyType
from mantle_iam.mantle import overlay
from mantle_iam.mantle.operations import AuthMethod, Permission
from mantle_iam.workflow.audit_journal import Journal
from mantle_iam.workflow.shards import ClientExecutor, InlineExecutor, Shard, collect_less, run_shards

EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1
EXIT_UNKNOWN: Final = 3
_MOST_SHORTFALLS: Final = 200
"""Of one rule that are told one by one; all are counted."""
_AHEAD: Final = 2
"""Accounts in flight for each worker."""

_DENIALS: Final = {
    "create-keys": "key-creation",
    "set-retention": "data-retention-changes",
    "bedrock-mantle:PutAccountDataRetention": "data-retention-changes",
    "bedrock-mantle:CreateProject": "project-creation",
    "fine-tune": "cost",
    "bedrock-mantle:CreateFineTuningJob": "cost",
    "iam:CreateServiceSpecificCredential": "key-creation",
}
_KEY_DENIALS: Final = {
    AuthMethod.LONG_TERM_KEY.value: "long-term-keys",
    AuthMethod.SHORT_TERM_KEY.value: "short-term-keys",
}


@dataclass(frozen=True, slots=True)
class Engine:
    """By what accounts are run."""

    workers: int = 1
    name: str = "processes"
    """``processes`` or ``dask``."""
    scheduler: str = ""
    """Address of a dask scheduler."""


@dataclass(frozen=True, slots=True)
class Row:
    """One principal."""

    arn: str
    account: str
    shape: Shape


@dataclass(slots=True)
class Audit:
    """An audit that is being made: take ``rows`` first, then everything else is final."""

    plan: Plan
    rows: Iterator[Row] = field(default_factory=lambda: iter(()))
    accounts: int = 0
    principals: int = 0
    reused: int = 0
    """Accounts whose results were in the journal."""
    retried: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Accounts that failed every time, and why."""
    problems: list[str] = field(default_factory=list)
    totals: list[RuleResult] = field(default_factory=list)

    def requirements(self) -> list[dict[str, Any]]:
        """What became of the rules, as the report shows it."""
        return [_requirement(rule, total) for rule, total in zip(self.plan.rules, self.totals, strict=True)]

    def exit_code(self, requirements: list[dict[str, Any]], incomplete: bool = False) -> int:
        """1 when a rule failed; 3 when one is not settled or something could not be read; else 0."""
        results = {one["result"] for one in requirements}
        if "failed" in results:
            return EXIT_FAILED
        unmatched = any(one["result"] == "unmatched" and one["must"] == Must.ALLOW for one in requirements)
        if "unknown" in results or unmatched or incomplete or self.failures or self.problems:
            return EXIT_UNKNOWN
        return EXIT_DONE


def audit(
    plan: Plan, accounts: Iterable[Account], *, engine: Engine | None = None, journal: Journal | None = None
) -> Audit:
    """Begin to ask ``plan`` of ``accounts``; nothing is read before ``rows`` are taken.

    Raises:
        InputError: the plan asks for what there is not; the engine is not there.
    """
    engine = engine or Engine()
    sheet_of(plan, "aws")
    made = Audit(plan, totals=[RuleResult() for _ in plan.rules])
    made.rows = _rows(made, accounts, _executors(engine), max(engine.workers, 1) * _AHEAD, journal)
    return made


def columns(plan: Plan, partition: str = "aws") -> tuple[str, ...]:
    """The labels of the matrix' cells, in their order."""
    sheet, _ = sheet_of(plan, partition)
    cells = [sheet.cells[index] for index in sheet.parts[0]]
    labels = [cell.label for cell in cells]
    found = []
    for cell, label in zip(cells, labels, strict=True):
        more = [cell.project, cell.model or "any model", cell.region] if labels.count(label) > 1 else []
        found.append(" ".join([label, *more]))
    return tuple(found)


def asked_of(plan: Plan, partition: str = "aws") -> str:
    """Which project and region stand for all in the matrix, in words; empty where these were named."""
    sheet, _ = sheet_of(plan, partition)
    cells = [sheet.cells[index] for index in sheet.parts[0]]
    if not cells:
        return ""
    project, region = not plan.matrix.projects, not plan.matrix.regions
    places = [f"project/{cells[0].project}"] if project else []
    places += [cells[0].region] if region else []
    options = ["--project"] if project else []
    options += ["--region"] if region else []
    return f"asked of {' in '.join(places)}; of others with {', '.join(options)}" if places else ""


def _rows(
    made: Audit,
    accounts: Iterable[Account],
    make_executor: Callable[[], Executor],
    ahead: int,
    journal: Journal | None,
) -> Iterator[Row]:
    for shard in _shards(made, accounts, make_executor, ahead, journal):
        made.accounts += 1
        made.retried += shard.attempts - 1
        result = shard.result
        if result is None:
            made.failures.append((shard.account, shard.error))
            continue
        made.problems += result.problems
        made.principals += len(result.rows)
        made.totals = [_added(old, new) for old, new in zip(made.totals, result.rules, strict=True)]
        for arn, shape in result.rows:
            yield Row(arn, result.account, result.shapes[shape])


def _shards(
    made: Audit,
    accounts: Iterable[Account],
    make_executor: Callable[[], Executor],
    ahead: int,
    journal: Journal | None,
) -> Iterator[Shard]:
    if journal is None:
        yield from run_shards(made.plan, accounts, make_executor, ahead=ahead)
        return
    # Accounts that are finished wait here, by their keys alone, until the unfinished ones before them are through.
    order: list[tuple[str, str, bool]] = []

    def unfinished() -> Iterator[Account]:
        for account in accounts:
            key = journal.key(account)
            known = journal.find(key) is not None
            order.append((key, account.id, known))
            if not known:
                yield account

    def finished() -> Iterator[Shard]:
        while order and order[0][2]:
            key, account, _ = order.pop(0)
            made.reused += 1
            yield Shard(account, journal.find(key))

    for shard in run_shards(made.plan, unfinished(), make_executor, ahead=ahead):
        yield from finished()
        key, _, _ = order.pop(0)
        if shard.result is not None:
            journal.add(key, shard.result)
        yield shard
    yield from finished()


def _added(old: RuleResult, new: RuleResult) -> RuleResult:
    return RuleResult(
        old.matched + new.matched,
        old.failed + new.failed,
        old.undecided + new.undecided,
        (*old.shortfalls, *new.shortfalls)[:_MOST_SHORTFALLS],
        tuple(sorted({*old.met, *new.met})),
    )


def _executors(engine: Engine) -> Callable[[], Executor]:
    if engine.name == "dask":
        return _dask(engine.scheduler)
    if engine.workers <= 1:
        return InlineExecutor

    def processes() -> Executor:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        # Not fork: a library's threads must not be copied into a child.
        return ProcessPoolExecutor(engine.workers, mp_context=get_context("spawn"), initializer=collect_less)

    return processes


def _dask(scheduler: str) -> Callable[[], Executor]:
    if not scheduler:
        raise InputError("the dask engine needs a scheduler", help="--scheduler tcp://HOST:8786")
    try:
        # By name, since the extra is seldom there.
        distributed: Any = import_module("distributed")
    except ImportError:
        raise InputError("the dask engine is not installed", help="pip install 'mantle-iam[dask]'") from None

    def make() -> Executor:
        try:
            client = distributed.Client(scheduler, timeout=20, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(f"no dask scheduler answers at `{scheduler}`: {type(error).__name__}") from None
        return ClientExecutor(client)

    return make


# -- requirements


def _requirement(rule: Rule, total: RuleResult) -> dict[str, Any]:
    result = "passed"
    if not total.matched:
        result = "unmatched"
    elif total.failed:
        result = "failed"
    elif total.undecided:
        result = "unknown"
    told = [_shortfall(rule, one) for one in total.shortfalls]
    return {
        "name": rule.name,
        "must": rule.must.value,
        "reason": rule.reason,
        "principals": list(rule.principals),
        "result": result,
        "matched": total.matched,
        "failed": total.failed,
        "undecided": total.undecided,
        "unmatched": [pattern for index, pattern in enumerate(rule.principals) if index not in total.met],
        "shortfalls": told,
    }


def _shortfall(rule: Rule, one: Shortfall) -> dict[str, Any]:
    told = json.loads(one.told)
    return {
        "principal": one.principal,
        "capability" if ":" not in one.what else "action": one.what,
        "auth": one.auth,
        "project": one.project,
        "model": one.model,
        "region": one.region,
        "result": one.result,
        "depends_on": told["depends_on"],
        "decided_by": told["decided_by"],
        "reason": _reason(rule, one, told),
        "fix": _fix(rule, one, told),
    }


def _reason(rule: Rule, one: Shortfall, told: dict[str, Any]) -> str:
    what = f"{one.what} with {one.auth}"
    statements = _statements(told)
    if one.result == Decision.UNKNOWN:
        return f"whether {what} is allowed depends on {', '.join(told['depends_on'])}"
    if rule.must is Must.NOT_ALLOW:
        return f"{what} is allowed by {', '.join(statements) or 'its policies'}"
    if one.result == Decision.EXPLICIT_DENY:
        return f"{what} is denied by {', '.join(statements) or 'a Deny statement'}"
    said = [item["reason"] for item in told["decided_by"] if "reason" in item]
    layers = dict.fromkeys(item["layer"] for item in told["decided_by"] if "reason" not in item)
    actions = dict.fromkeys(item["action"] for item in told["decided_by"] if "action" in item)
    return said[0] if said else f"{what} is not allowed: {', '.join(layers)} does not allow {', '.join(actions)}"


def _statements(told: dict[str, Any], layer: str = "") -> list[str]:
    """The statements that decide, each once; of one layer, or of all."""
    found = (item for item in told["decided_by"] if "statement" in item and layer in ("", item["layer"]))
    return list(dict.fromkeys(map(_named, found)))


def _named(item: dict[str, Any]) -> str:
    sid = f" `{item['sid']}`" if item.get("sid") else f" {item['statement']}"
    where = item.get("file", "") + (f":{item['line']}" if item.get("line") else "")
    return f"{item['layer']} policy `{item.get('policy', '')}` statement{sid}{f' ({where})' if where else ''}"


def _fix(rule: Rule, one: Shortfall, told: dict[str, Any]) -> dict[str, Any] | None:
    """What would end it: a policy to attach, a statement to remove, a denial to generate; ``None`` where nothing is known to."""
    statements = _statements(told)
    if one.result == Decision.UNKNOWN:
        return None
    if rule.must is Must.NOT_ALLOW:
        denial = _KEY_DENIALS.get(one.auth) or _DENIALS.get(one.what)
        # A role's own statements are told apart from the layers that merely let them pass.
        own = _statements(told, PolicyType.IDENTITY.value)
        return {
            "remove": own or statements,
            "command": f"mantle-iam generate --deny {denial}" if denial else None,
        }
    if one.result == Decision.EXPLICIT_DENY:
        return {"remove": statements, "command": None}
    layers = {item["layer"] for item in told["decided_by"]}
    if layers != {PolicyType.IDENTITY.value}:
        return None
    return _policy(tuple((action, resource, model) for action, resource, model in told["permissions"]))


@lru_cache(maxsize=256)
def _policy(permissions: tuple[tuple[str, str, str | None], ...]) -> dict[str, Any] | None:
    from mantle_iam.generate.least_privilege import least_privilege
    from mantle_iam.iam.grammar import write_policy

    wanted = tuple(
        Permission(
            action,
            resource,
            (Condition("StringEquals", overlay.MODEL_KEY, (model,)),) if model else (),
            because="a requirement asks for it",
        )
        for action, resource, model in permissions
    )
    try:
        made = least_privilege(wanted)
    except MantleIamError:
        return None
    return {"policy": write_policy(made.document), "notes": list(made.notes)}
