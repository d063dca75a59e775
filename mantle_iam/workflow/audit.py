"""An audit: accounts in, principals and requirements out, one account at a time.

Composes ``audit`` (what the policies say), ``generate`` (what would end a failure) and an executor.  No argument line and no
printing here; whoever shows a report takes its rows as they come and reads the rest at the end.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import islice
from typing import Any, Final

from mantle_iam.audit.capabilities import DEFAULT_PROJECT, DEFAULT_REGIONS
from mantle_iam.audit.matrix import Plan, sheet_of
from mantle_iam.audit.requirements import Must, Rule, RuleResult, Shortfall
from mantle_iam.audit.results import Shape
from mantle_iam.collect.own_account import UNKNOWN_ACCOUNT
from mantle_iam.errors import MantleIamError
from mantle_iam.iam.inventory import Account
from mantle_iam.iam.policy import Condition
from mantle_iam.iam.request import Decision, PolicyType
from mantle_iam.mantle import overlay
from mantle_iam.mantle.operations import AuthMethod, Permission
from mantle_iam.workflow.audit_inputs import Accounts
from mantle_iam.workflow.audit_journal import Journal
from mantle_iam.workflow.audit_work import Done, Task, Worker, pack, run_packed
from mantle_iam.workflow.engines import Engine as Engine
from mantle_iam.workflow.engines import executors
from mantle_iam.workflow.shards import Shard, run_shards

EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1
EXIT_UNKNOWN: Final = 3
_NO_ACCOUNT: Final = f":{UNKNOWN_ACCOUNT}:"
_MOST_AGAIN: Final = 10
_MOST_SHORTFALLS: Final = 200
"""Of one rule that are told one by one; all are counted."""

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
    """Those of one id are one, wherever they were read; each of which the id is not known is another."""
    again: dict[str, None] = field(default_factory=dict)
    """Ids of accounts that were read more than once."""
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

    def told_again(self) -> list[str]:
        """A note where one is due: accounts that were read more than once, each time judged by what was read then."""
        if not self.again:
            return []
        rest = len(self.again) - _MOST_AGAIN
        named = ", ".join(islice(self.again, _MOST_AGAIN)) + (f" and {rest:,} more" if rest > 0 else "")
        who = f"account {named} is" if len(self.again) == 1 else f"accounts {named} are"
        return [f"{who} in more than one input, or in one more than once; each is judged by itself"]

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
    plan: Plan, accounts: Accounts | Iterable[Account], *, engine: Engine | None = None, journal: Journal | None = None
) -> Audit:
    """Begin to ask ``plan`` of ``accounts``; nothing is read before ``rows`` are taken.

    Raises:
        InputError: the plan asks for what there is not; the engine is not there.
    """
    engine = engine or Engine()
    sheet_of(plan, "aws")
    make_executor = executors(engine)
    source = accounts if isinstance(accounts, Accounts) else Accounts(given=accounts)
    made = Audit(plan, totals=[RuleResult() for _ in plan.rules])
    made.rows = _rows(made, source, engine, make_executor, journal)
    return made


def columns(plan: Plan, partition: str = "aws") -> tuple[str, ...]:
    """The labels of the matrix' cells, in their order: with the project, the model and the region where several are asked."""
    sheet, _ = sheet_of(plan, partition)
    cells = [sheet.cells[index] for index in sheet.parts[0]]
    found = []
    for cell in cells:
        alike = [other for other in cells if other.label == cell.label]
        more = [
            *([cell.project] if len({other.project for other in alike}) > 1 else []),
            *([cell.model or "any model"] if len({other.model for other in alike}) > 1 else []),
            *([cell.region] if len({other.region for other in alike}) > 1 else []),
        ]
        found.append(" ".join([cell.label, *more]))
    return tuple(found)


def asked_of(plan: Plan, partitions: Iterable[str] = ("aws",)) -> str:
    """Which project and region stand for all in the matrix, in words; empty where these were named."""
    places = []
    for partition in sorted(set(partitions)):
        sheet, _ = sheet_of(plan, partition)
        regions = dict.fromkeys(sheet.cells[index].region for index in sheet.parts[0])
        if not regions or plan.matrix.regions:
            continue
        known = partition in DEFAULT_REGIONS
        places.append(", ".join(regions) if known else f"any region of {partition}, where no endpoint is known")
    project = [] if plan.matrix.projects else [f"project/{DEFAULT_PROJECT}"]
    told = " in ".join([*project, *([" and ".join(places)] if places else [])])
    options = [*(["--project"] if project else []), *(["--region"] if places else [])]
    return f"asked of {told}; of others with {', '.join(options)}" if told else ""


def _rows(
    made: Audit,
    source: Accounts,
    engine: Engine,
    make_executor: Callable[[], Executor],
    journal: Journal | None,
) -> Iterator[Row]:
    job, tasks = source.begin(made.plan, hold=engine.remote or journal is not None)
    function = Worker(job).run if engine.inline else partial(run_packed, pack(job))
    shards = run_shards(function, tasks, make_executor, ahead=engine.ahead)
    if journal is not None:
        journal.bind(job.binding)
        shards = _resumed(made, journal, function, tasks, make_executor, engine.ahead)
    ids: set[str] = set()
    for shard in shards:
        made.retried += shard.attempts - 1
        if shard.result is None:
            if shard.item.dump is None:
                made.accounts += 1
                made.failures.append((shard.item.name, shard.error))
            else:
                source.fail(shard.item, shard.error)
            continue
        source.take(shard.item, shard.result)
        for result in shard.result.results:
            if result.account in ids:
                made.again[result.account] = None
            else:
                made.accounts += 1
            if result.account != UNKNOWN_ACCOUNT:
                ids.add(result.account)
            made.problems += result.problems
            made.principals += len(result.rows)
            made.totals = [_added(old, new) for old, new in zip(made.totals, result.rules, strict=True)]
            for arn, shape in result.rows:
                yield Row(arn, result.account, result.shapes[shape])
    source.end()


def _resumed(
    made: Audit,
    journal: Journal,
    function: Callable[[Task], Done],
    tasks: Iterable[Task],
    make_executor: Callable[[], Executor],
    ahead: int,
) -> Iterator[Shard[Task, Done]]:
    """As ``run_shards``, but for what is in the journal."""
    # What is finished waits here, by its key alone, until the unfinished before it is through.
    order: deque[tuple[str, Task, bool]] = deque()

    def unfinished() -> Iterator[Task]:
        for task in tasks:
            key = journal.key(task)
            known = journal.find(key) is not None
            order.append((key, replace(task, account=None, files={}) if known else task, known))
            if not known:
                yield task

    def finished() -> Iterator[Shard[Task, Done]]:
        while order and order[0][2]:
            key, task, _ = order.popleft()
            done = journal.find(key)
            made.reused += len(done.results) if done is not None else 0
            yield Shard(task, done)

    for shard in run_shards(function, unfinished(), make_executor, ahead=ahead):
        yield from finished()
        key, _, _ = order.popleft()
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
    """Why, with the action that decides where a capability needs several."""
    what = f"{one.what} with {one.auth}"
    statements = ", ".join(_statements(told))
    actions = list(dict.fromkeys(item["action"] for item in told["decided_by"] if "action" in item))
    deciding = f" ({', '.join(actions)})" if actions and actions != [one.what] else ""
    if one.result == Decision.UNKNOWN:
        return f"whether {what}{deciding} is allowed depends on {', '.join(told['depends_on'])}"
    if rule.must is Must.NOT_ALLOW:
        return f"{what} is allowed by {statements or 'its policies'}"
    if one.result == Decision.EXPLICIT_DENY:
        return f"{what}{deciding} is denied by {statements or 'a Deny statement'}"
    said = [item["reason"] for item in told["decided_by"] if "reason" in item]
    layers = dict.fromkeys(item["layer"] for item in told["decided_by"] if "reason" not in item)
    places = ", ".join(told.get("elsewhere", ()))
    beside = (
        f"; policies name {places}, which the rule may ask for by `projects`, `regions` or `models`" if places else ""
    )
    return (
        said[0] if said else f"{what} is not allowed: {', '.join(layers)} does not allow {', '.join(actions)}{beside}"
    )


def _statements(told: dict[str, Any], layer: str = "") -> list[str]:
    """The statements that decide, each once; of one layer, or of all."""
    found = (item for item in told["decided_by"] if "statement" in item and layer in ("", item["layer"]))
    return list(dict.fromkeys(map(_named, found)))


def _named(item: dict[str, Any]) -> str:
    sid = f" `{item['sid']}`" if item.get("sid") else f" {item['statement']}"
    file, line = item.get("file", ""), item.get("line")
    # Where there is no line, as in a dump, the resource or the place in the document.
    within = "" if line else item.get("address") or item.get("pointer", "")
    where = f"{file}:{line}" if line else ", ".join(part for part in (file, within) if part)
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
    # What a plan or a template deploys into an account that it does not name is attached in whichever that is.
    permissions = (
        (action, resource.replace(_NO_ACCOUNT, ":*:"), model) for action, resource, model in told["permissions"]
    )
    return _policy(tuple(permissions))


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
