"""Shards over real executors: in order, nothing lost, nothing twice, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from textwrap import indent

import pytest
from audit_world import MANTLE, account, allow, policy, role, user

from mantle_iam.audit.capabilities import Wanted
from mantle_iam.audit.matrix import Plan, audit_account
from mantle_iam.audit.requirements import read_rules
from mantle_iam.audit.results import AccountResult
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.iam.inventory import Account, Purpose
from mantle_iam.workflow import engines
from mantle_iam.workflow.audit import Audit, audit
from mantle_iam.workflow.audit_journal import Journal
from mantle_iam.workflow.audit_work import Task
from mantle_iam.workflow.engines import DaskExecutor, Engine, InlineExecutor, executors
from mantle_iam.workflow.shards import run_shards

PLAN = Plan(Wanted(("infer", "list-models")))


def accounts(count: int) -> list[Account]:
    def one(number: int) -> Account:
        id_ = f"{number:012d}"
        return account(role("app", MANTLE, account=id_), user(f"u{number}", account=id_), id_=id_)

    return [one(number) for number in range(1, count + 1)]


def ids(many: list[Account]) -> list[str]:
    return [one.id for one in many]


def processes() -> Executor:
    # As the program makes them: a fork of a process that has threads may wait for ever.
    return executors(Engine(2))()


def dies(folder: str, one: Account) -> AccountResult:
    """Account 2 kills its process: once, or always where the folder is empty text."""
    mark = Path(folder or "/nonexistent", "died")
    if one.id.endswith("2") and not mark.exists():
        if folder:
            mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return audit_account(PLAN, one)


def fails_twice(counts: dict[str, int], one: Account) -> AccountResult:
    counts[one.id] = counts.get(one.id, 0) + 1
    if counts[one.id] < 3:
        raise RuntimeError("not yet")
    return audit_account(PLAN, one)


def always_fails(one: Account) -> AccountResult:
    if one.id.endswith("2"):
        raise MemoryError("too large\nsecond line")
    return audit_account(PLAN, one)


def test_accounts_come_in_their_order_and_are_read_as_they_are_needed() -> None:
    read: list[str] = []

    def source() -> Iterator[Account]:
        for one in accounts(20):
            read.append(one.id)
            yield one

    for number, shard in enumerate(run_shards(partial(audit_account, PLAN), source(), InlineExecutor, ahead=3), 1):
        assert shard.item.id == f"{number:012d}"
        assert len(read) <= number + 3


def test_a_shard_that_fails_is_tried_again() -> None:
    counts: dict[str, int] = {}
    found = list(run_shards(partial(fails_twice, counts), accounts(2), InlineExecutor))
    assert [(one.attempts, one.error) for one in found] == [(3, ""), (3, "")]
    assert all(one.result for one in found)


def test_a_shard_that_always_fails_is_told_and_the_rest_goes_on() -> None:
    found = list(run_shards(always_fails, accounts(3), InlineExecutor, ahead=2))
    assert [one.result is None for one in found] == [False, True, False]
    assert found[1].error == "MemoryError: too large"


@pytest.mark.slow
def test_a_process_that_is_killed_once_loses_nothing(tmp_path: Path) -> None:
    many = accounts(8)
    found = list(run_shards(partial(dies, str(tmp_path)), many, processes, ahead=4))
    assert [one.item.id for one in found] == ids(many)
    assert [one.result for one in found] == [audit_account(PLAN, one) for one in many]


@pytest.mark.slow
def test_an_account_that_always_kills_its_process_is_the_only_one_that_is_lost() -> None:
    many = accounts(6)
    found = list(run_shards(partial(dies, ""), many, processes, ahead=4))
    assert [one.item.id for one in found] == ids(many)
    assert [one.item.id for one in found if one.result is None] == ["000000000002"]
    assert "BrokenProcessPool" in next(one.error for one in found if one.result is None)


def rows_of(made: Audit) -> list[tuple[str, str, str]]:
    return [(row.arn, row.account, row.shape.answers) for row in made.rows]


@pytest.mark.slow
def test_processes_give_what_one_process_gives() -> None:
    many = accounts(5)
    rules = read_rules(
        {
            "version": 1,
            "rules": [{"must": "not-allow", "principals": "*:role/*", "capabilities": "infer", "auth": "sigv4"}],
        }
    )
    plan = Plan(PLAN.matrix, rules)
    alone, together = audit(plan, many), audit(plan, many, engine=Engine(workers=2))
    assert rows_of(alone) == rows_of(together)
    assert alone.requirements() == together.requirements()
    assert alone.requirements()[0]["failed"] == 5


# -- the journal


def test_an_interrupted_audit_goes_on_where_it_was(tmp_path: Path) -> None:
    path, many = str(tmp_path / "journal"), accounts(6)
    whole = rows_of(audit(PLAN, many))
    journal = Journal(path, PLAN)
    made = audit(PLAN, many, journal=journal)
    begun = [next(made.rows) for _ in range(5)]
    assert len(begun) == 5
    journal.close()
    with Path(path).open("ab") as file:
        file.write(b'{"key": "cut o')  # as a kill leaves it
    journal = Journal(path, PLAN)
    again = audit(PLAN, [*many[3:], *many[:3]], journal=journal)
    assert sorted(rows_of(again)) == sorted(whole)
    assert again.reused == 3
    journal.close()
    assert Path(path).stat().st_mode & 0o077 == 0


def test_an_account_whose_policies_moved_between_levels_is_asked_again(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal"), PLAN)
    one, two, three = (policy(name, allow("*"), purpose=Purpose.SCP) for name in ("a", "b", "c"))
    keys = {journal.key(Task("1", account(scps=levels))) for levels in (((one, two), (three,)), ((one,), (two, three)))}
    journal.close()
    assert len(keys) == 2


def test_an_account_that_changed_is_asked_again(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    journal = Journal(path, PLAN)
    rows_of(audit(PLAN, accounts(2), journal=journal))
    first, second = accounts(2)
    changed = account(*second.principals, id_=second.id, scps=((policy("none"),),))
    made = audit(PLAN, [first, changed], journal=journal)
    found = rows_of(made)
    journal.close()
    assert made.reused == 1
    assert found == rows_of(audit(PLAN, [first, changed]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"my diary", "not a journal"),
        (b"{}\n", "not a journal"),
        (b'{"format": "mantle-iam-audit-journal/1", "plan": "x"}\n', "another audit"),
    ],
)
def test_a_file_that_is_no_journal_of_this_audit_is_left_alone(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        Journal(str(path), PLAN)
    assert path.read_bytes() == content


def test_a_damaged_line_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(str(path), PLAN)
    rows_of(audit(PLAN, accounts(2), journal=journal))
    journal.close()
    head, first, second = path.read_text("ascii").splitlines()
    entry = json.loads(first)
    entry["done"]["results"] = [{"account": 5}]
    path.write_text("\n".join((head, json.dumps(entry), second)) + "\n", "ascii")
    journal = Journal(str(path), PLAN)
    made = audit(PLAN, accounts(2), journal=journal)
    assert rows_of(made) == rows_of(audit(PLAN, accounts(2)))
    assert made.reused == 1
    journal.close()


# -- dask


def slowly(one: Account) -> AccountResult:
    time.sleep(0.05)
    return audit_account(PLAN, one)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_dask_worker_that_is_killed_in_mid_run_loses_nothing() -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    many = accounts(60)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        killed = 0
        found = []
        shards = run_shards(
            slowly,
            many,
            lambda: DaskExecutor(distributed.Client(cluster, set_as_default=False)),
            ahead=12,
        )
        for shard in shards:
            found.append(shard)
            if len(found) == 10:
                killed = next(iter(client.run(os.getpid).values()))
                os.kill(killed, signal.SIGKILL)
    assert killed
    assert [one.item.id for one in found] == ids(many)
    assert [one.result for one in found] == [audit_account(PLAN, one) for one in many]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_dask_engine_gives_what_one_process_gives() -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    many = accounts(6)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
    ) as cluster:
        made = audit(PLAN, many, engine=Engine(2, "dask", cluster.scheduler_address))
        assert rows_of(made) == rows_of(audit(PLAN, many))


CLUSTER = """
import time
from distributed import LocalCluster
with LocalCluster(
    n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None, silence_logs=50
) as cluster:
    print(cluster.scheduler_address, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_that_is_gone_is_said_and_what_was_finished_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 2)
    script = tmp_path / "cluster.py"
    script.write_text(f"if __name__ == '__main__':\n{indent(CLUSTER, '    ')}", "utf-8")
    path, many = str(tmp_path / "journal"), accounts(200)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as cluster:
        assert cluster.stdout is not None
        journal = Journal(path, PLAN)
        engine = Engine(2, "dask", cluster.stdout.readline().strip())
        made = audit(PLAN, many, engine=engine, journal=journal)
        begun = [next(made.rows) for _ in range(9)]
        cluster.kill()
        with pytest.raises(UndeterminedError, match="no dask cluster answers"):
            begun.extend(made.rows)
        journal.close()
    journal = Journal(path, PLAN)
    again = audit(PLAN, many, journal=journal)
    assert rows_of(again) == rows_of(audit(PLAN, many))
    assert len(begun) / 2 - 1 <= again.reused < 200
    journal.close()


@pytest.mark.parametrize(("engine", "message"), [("dask", "needs a scheduler"), ("ray", "needs a cluster")])
def test_a_cluster_is_named(engine: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        audit(PLAN, (), engine=Engine(name=engine))


def test_an_engine_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="the ray engine is not installed"):
        audit(PLAN, (), engine=Engine(name="ray", scheduler="local"))
