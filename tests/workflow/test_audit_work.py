"""Inputs as tasks: the same report wherever they are read, audited and linted; journals of what was done; processes that end."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mantle_iam.audit.capabilities import Wanted
from mantle_iam.audit.lint.engine import Settings
from mantle_iam.audit.matrix import Plan
from mantle_iam.cli.main import cli
from mantle_iam.collect import dump_parts
from mantle_iam.errors import InputError
from mantle_iam.workflow import audit_findings, audit_work
from mantle_iam.workflow.audit import Audit, audit
from mantle_iam.workflow.audit_findings import Findings, Seen
from mantle_iam.workflow.audit_inputs import Accounts
from mantle_iam.workflow.audit_journal import Journal
from mantle_iam.workflow.audit_work import Done, Job, Task, Worker, pack, run_packed
from mantle_iam.workflow.engines import Engine

PLAN = Plan(Wanted(("infer", "list-models")))
ONE, TWO = "111122223333", "222222222222"


def _document(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def dump(account: str, action: str = "bedrock-mantle:*", roles: int = 1, **more: Any) -> dict[str, Any]:
    role = {
        "RoleName": "app",
        "Arn": f"arn:aws:iam::{account}:role/app",
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        },
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": _document(action)}],
    }
    many = [{**role, "Arn": f"{role['Arn']}-{number}"} for number in range(roles)]
    return {"UserDetailList": [], "RoleDetailList": many, "Policies": [], **more}


def collected(folder: Path, account: str) -> None:
    """An account as iam-collect keeps it."""
    role = folder / "accounts" / account / "iam" / "role" / "app"
    role.mkdir(parents=True)
    metadata = {"arn": f"arn:aws:iam::{account}:role/app", "name": "app"}
    files = {
        "metadata": metadata,
        "managed-policies": ["arn:aws:iam::aws:policy/Own"],
        "inline-policies": [{"PolicyName": "own", "PolicyDocument": _document("bedrock-mantle:InvokeModel")}],
    }
    for name, value in files.items():
        (role / f"{name}.json").write_text(json.dumps(value), "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Dumps of every form, what binds them, and what cannot be read."""
    top = tmp_path / "in"
    dumps = top / "dumps"
    dumps.mkdir(parents=True)
    (dumps / "1.json").write_text(json.dumps(dump(ONE, "bedrock-mantle:InvokeModel"), indent=1), "utf-8")
    (dumps / "2.json.gz").write_bytes(gzip.compress(json.dumps(dump(TWO)).encode()))
    lines = [json.dumps(dump(f"{number:012d}")) for number in range(3, 6)]
    (dumps / "3.jsonl").write_text("\n".join(lines), "utf-8")
    (dumps / "4.json").write_text('{"RoleDetailList": [', "utf-8")
    pages = [dump("000000000007", IsTruncated=True), {**dump("000000000007"), "UserDetailList": []}]
    for number, page in enumerate(pages):
        (dumps / f"7-{number}.json").write_text(json.dumps(page), "utf-8")
    (dumps / "8.yaml").write_text(
        "RoleDetailList:\n- Arn: arn:aws:iam::000000000008:role/app\n  RolePolicyList:\n  - PolicyName: own\n"
        "    PolicyDocument:\n      Version: '2012-10-17'\n      Statement:\n"
        "      # mantle-iam: ignore unknown-action it is an example\n"
        "      - {Effect: Allow, Action: bedrock-mantle:InvokeModel, Resource: '*'}\n",
        "utf-8",
    )
    scps = top / "scps" / "Root"
    scps.mkdir(parents=True)
    (scps / "deny.json").write_text(
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": "*", "Resource": "*"},
                    {"Effect": "Deny", "Action": "bedrock-mantle:CallWithBearerToken", "Resource": "*"},
                ],
            }
        ),
        "utf-8",
    )
    return top


def report(made: Audit, accounts: Accounts) -> dict[str, Any]:
    """Everything that a report says."""
    rows = [(row.arn, row.account, row.shape.answers, row.shape.body) for row in made.rows]
    assert accounts.findings is not None
    found = accounts.findings.result()
    return {
        "rows": rows,
        "requirements": made.requirements(),
        "inputs": accounts.inputs,
        "findings": found.findings,
        "texts": found.texts,
        "suppressed": found.suppressed,
        "left_out": found.left_out,
        "loose": accounts.loose,
        "counts": (made.accounts, made.principals, made.failures, made.problems),
    }


def run(folder: Path, engine: Engine | None = None, journal: Journal | None = None) -> dict[str, Any]:
    accounts = Accounts((str(folder),), findings=Findings())
    return report(audit(PLAN, accounts, engine=engine, journal=journal), accounts)


def test_what_is_read_is_in_the_report(folder: Path) -> None:
    found = run(folder)
    assert sorted({row[1] for row in found["rows"]}) == [*(f"00000000000{n}" for n in (3, 4, 5, 7, 8)), ONE, TWO]
    statuses = {Path(one.path).name: one.status.value for one in found["inputs"]}
    assert statuses["4.json"] == "failed"
    assert found["suppressed"] == 1
    finding = next(one for one in found["findings"] if one.rule == "unknown-action" and one.place.path[-6:] == "1.json")
    text = (folder / "dumps" / "1.json").read_text("utf-8").splitlines()
    assert "InvokeModel" in text[(finding.place.line or 0) - 1]


@pytest.mark.slow
def test_processes_give_what_one_process_gives(folder: Path) -> None:
    assert run(folder, Engine(2)) == run(folder)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask_gives_what_one_process_gives_though_it_sees_no_files(folder: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    collected(folder / "store", "999999999999")
    (folder / "store" / "indexes").mkdir()
    alone = run(folder)
    assert any(row[1] == "999999999999" for row in alone["rows"])
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        accounts = Accounts((str(folder),), findings=Findings())
        made = audit(PLAN, accounts, engine=Engine(2, "dask", cluster.scheduler_address))
        # As on another machine: once the tasks are sent, there are no such files.
        job, tasks = accounts.begin(PLAN, hold=True)
        packed, sent = pack(job), list(tasks)
        folder.rename(tmp_path / "elsewhere")
        client = distributed.Client(cluster, set_as_default=False)
        done = client.gather([client.submit(run_packed, packed, task, pure=False) for task in sent])
        client.close()
        (tmp_path / "elsewhere").rename(folder)
        accounts = Accounts((str(folder),), findings=Findings())
        made = audit(PLAN, accounts, engine=Engine(2, "dask", cluster.scheduler_address))
        assert report(made, accounts) == alone
    rows = [(arn, one.account) for each in done for one in each.results for arn, _ in one.rows]
    assert rows == [row[:2] for row in alone["rows"]]


def test_a_worker_of_another_version_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(Job(PLAN))
    monkeypatch.setattr(audit_work, "_VERSION", b"0.0.1\n")
    with pytest.raises(InputError, match="a worker has mantle-iam"):
        run_packed(packed, Task("x"))


def test_a_task_brings_all_it_needs(folder: Path) -> None:
    job, tasks = Accounts((str(folder),)).begin(PLAN, hold=True)
    sent = [pickle.loads(pickle.dumps(task)) for task in tasks]
    there = [Worker(job).run(task) for task in sent]
    for path in sorted(folder.rglob("*.*")):
        path.unlink()
    assert [run_packed(pack(job), task) for task in sent] == there
    assert sum(len(done.results) for done in there) == 7


def test_findings_beyond_what_is_held_are_counted_without_their_lines(folder: Path) -> None:
    job, tasks = Accounts((str(folder / "dumps" / "1.json"),), findings=Findings()).begin(PLAN)
    (task,) = tasks
    whole = Worker(job).run(task)
    none = Worker(job).run(Task(task.name, dump=task.dump, room=0))
    assert whole.seen.findings
    assert replace(none, seen=whole.seen) == whole
    assert none.seen.findings == []
    assert none.seen.left_out == len(whole.seen.findings)
    assert set(none.seen.beyond) == {one.severity for one in whole.seen.findings}


def test_a_finding_that_is_not_listed_decides_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_findings, "MOST", 0)
    monkeypatch.setattr(Seen.__init__, "__defaults__", (*(Seen.__init__.__defaults__ or ())[:-1], 0))
    arguments = ["audit", str(folder / "dumps" / "1.json"), "--capability", "infer", "-o", "json"]
    done = CliRunner().invoke(cli, [*arguments, "--fail-on", "error"], standalone_mode=False)
    report = json.loads(done.stdout)
    assert (report["findings"], done.return_value) == ([], 1)
    assert any("not listed" in note for note in report["notes"])


# -- files of many dumps


@pytest.mark.parametrize("name", ["many.jsonl", "many.jsonl.gz"])
def test_a_file_of_many_dumps_is_read_in_parts_that_know_their_lines(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [json.dumps(dump(f"{number:012d}", f"bedrock-mantle:Invoke{number}")) for number in range(1, 10)]
    lines[2:4] = [json.dumps(dump("000000000003", IsTruncated=True)), json.dumps(dump("000000000003"))]
    lines[6:6] = [""]
    lines.append("{broken")
    text = "\n".join(lines).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    whole = run(tmp_path)
    monkeypatch.setattr(dump_parts, "PART", len(lines[0]) + 10)
    monkeypatch.setattr(dump_parts, "SMALLEST", 1)
    _, tasks = Accounts((str(path),)).begin(PLAN)
    parts = list(tasks)
    assert [len(part.files[str(path)].decode().strip("[]\n").splitlines()) for part in parts] == [2, 2, 2, 2, 2]
    assert run(tmp_path) == whole
    assert run(tmp_path, Engine(2)) == whole
    found = [one.place.line for one in whole["findings"] if one.rule == "unknown-action"]
    assert found == ([1, 2, 5, 6, 8, 9, 10] if name.endswith("jsonl") else [None] * 7)
    (given,) = whole["inputs"]
    assert (given.status.value, len(given.problems)) == ("partial", 1)
    assert "line 11" in given.problems[0]


def test_pages_of_one_account_stay_together_wherever_they_say_that_they_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = dump("000000000003", IsTruncated=True)
    far = {"A": "x" * 9000, **page, "Z": "x" * 9000}
    lines = [json.dumps(one) for one in (dump("000000000001"), far, dump("000000000003"), dump("000000000004"))]
    (tmp_path / "many.jsonl").write_text("\n".join(lines), "utf-8")
    whole = run(tmp_path)
    monkeypatch.setattr(dump_parts, "PART", len(lines[0]) + 10)
    monkeypatch.setattr(dump_parts, "SMALLEST", 1)
    _, tasks = Accounts((str(tmp_path / "many.jsonl"),)).begin(PLAN)
    assert [sum(one != b"[]" for one in next(iter(part.files.values())).splitlines()) for part in tasks] == [3, 1]
    assert run(tmp_path) == whole
    assert whole["counts"][0] == 3


def test_a_file_of_many_dumps_that_breaks_off_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump_parts, "PART", 20_000)
    monkeypatch.setattr(dump_parts, "SMALLEST", 1)
    text = b"\n".join(json.dumps(dump(f"{number:012d}", os.urandom(9000).hex())).encode() for number in range(1, 10))
    path = tmp_path / "many.gz"
    path.write_bytes(gzip.compress(text)[:-5000])
    found = run(tmp_path)
    ids = [row[1] for row in found["rows"]]
    assert ids == sorted(set(ids))
    (given,) = found["inputs"]
    assert given.status.value == "failed"
    assert "breaks off" in given.problems[0]


# -- the journal


def test_a_journal_gives_the_same_report_without_reading_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = run(folder)
    path = str(tmp_path / "journal")
    journal = Journal(path, PLAN, Settings())
    assert run(folder, journal=journal) == alone
    journal.close()
    monkeypatch.setattr(Worker, "run", lambda *_: pytest.fail("done before"))
    journal = Journal(path, PLAN, Settings())
    assert run(folder, journal=journal) == alone
    journal.close()


@pytest.mark.parametrize(
    ("changed", "asked_again"),
    [("dumps/1.json", {ONE}), ("dumps/2.json.gz", {TWO}), ("scps/Root/deny.json", None), ("dumps/9.json", {"9" * 12})],
)
def test_what_changed_and_what_it_binds_is_asked_again(
    folder: Path, tmp_path: Path, changed: str, asked_again: set[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(str(tmp_path / "journal"), PLAN, Settings())
    before = run(folder, journal=journal)
    path = folder / changed
    if changed.startswith("scps"):
        path.write_text(json.dumps(_document("s3:*")), "utf-8")
    else:
        account = next(iter(asked_again or ()))
        text = json.dumps(dump(account, "bedrock-mantle:List*")).encode()
        path.write_bytes(gzip.compress(text) if changed.endswith(".gz") else text)
    asked: list[str] = []
    real = Worker.run

    def seen(self: Worker, task: Task) -> Done:
        done = real(self, task)
        asked.extend(one.account for one in done.results)
        return done

    monkeypatch.setattr(Worker, "run", seen)
    again = run(folder, journal=journal)
    journal.close()
    everyone = {row[1] for row in before["rows"]}
    assert set(asked) == (everyone if asked_again is None else asked_again)
    monkeypatch.undo()
    assert again == run(folder)


def test_a_journal_is_of_one_question(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    Journal(path, PLAN, Settings()).close()
    for plan, settings in ((Plan(), Settings()), (PLAN, None), (PLAN, Settings(None, frozenset({"unknown-action"})))):
        with pytest.raises(InputError, match="another audit"):
            Journal(path, plan, settings)
    Journal(path, PLAN, Settings()).close()


def test_a_journal_is_of_one_run_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = str(tmp_path / "journal")
    first = Journal(path, PLAN)
    with pytest.raises(InputError, match="in use by another run"):
        Journal(path, PLAN)
    first.close()
    Journal(path, PLAN).close()


def test_a_journal_whose_first_line_was_cut_off_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(str(path), PLAN).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:20])
    Journal(str(path), PLAN).close()
    assert path.read_bytes() == whole


@pytest.mark.slow
def test_a_full_disk_is_said_in_one_line_and_the_journal_can_be_used(folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); import signal; "
    limited += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from mantle_iam.cli.main import main; main()"
    arguments = ["audit", str(folder), "--resume", str(journal), "--output", "jsonl", "--capability", "infer"]
    done = subprocess.run([sys.executable, "-c", limited, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode in (2, 3)
    assert done.stderr.startswith(f"error: cannot write `{journal}`")
    assert "Traceback" not in done.stderr
    assert 0 < journal.stat().st_size <= 3000
    whole = "from mantle_iam.cli.main import main; main()"
    again = subprocess.run([sys.executable, "-c", whole, *arguments], capture_output=True, text=True, check=False)
    assert "error" not in again.stderr
    assert len(again.stdout.splitlines()) == 8 + 1


# -- processes


def _children(process: int) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            found |= {int(path.parent.name), *_children(int(path.parent.name))}
    return found


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for number in range(1, 25):
        (tmp_path / f"{number:012d}.json").write_text(json.dumps(dump(f"{number:012d}", roles=150)), "utf-8")
    return tmp_path


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_who_is_stopped_leaves_no_process_and_a_journal_that_counts(many: Path, number: int, code: int) -> None:
    journal = many.parent / f"journal-{number}"
    command = "from mantle_iam.cli.main import main; main()"
    arguments = [str(many), "--workers", "2", "--resume", str(journal), "--output", "jsonl"]
    started = subprocess.Popen(
        [sys.executable, "-c", command, "audit", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while started.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 2):
        time.sleep(0.01)
    children = _children(started.pid)
    assert len(children) >= 2
    # As a terminal does it: all of them are told.
    os.killpg(started.pid, number) if number == signal.SIGINT else os.kill(started.pid, number)
    _, errors = started.communicate(timeout=30)
    assert started.returncode == code
    assert b"Traceback" not in errors, errors.decode()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    held = journal.read_bytes().count(b"\n") - 1
    again = subprocess.run(
        [sys.executable, "-c", command, "audit", *arguments], capture_output=True, text=True, check=False
    )
    last = json.loads(again.stdout.splitlines()[-1])
    assert last["accounts"] == {"audited": 24, "failed": [], "retried": 0, "reused": held}


@pytest.mark.slow
def test_a_reader_that_stops_stops_the_run(many: Path) -> None:
    command = f"{sys.executable} -c 'from mantle_iam.cli.main import main; main()' audit {many} -o jsonl --workers 2"
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1 >/dev/null; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.slow
def test_a_shells_pipe_is_an_input_like_any_other(many: Path) -> None:
    command = f"{sys.executable} -c 'from mantle_iam.cli.main import main; main()' audit -o jsonl --workers 2"
    done = subprocess.run(
        ["bash", "-c", f"{command} <(cat {many}/000000000001.json)"],
        capture_output=True,
        text=True,
        check=False,
    )
    *rows, last = done.stdout.splitlines()
    assert len(rows) == 150
    assert [one["status"] for one in json.loads(last)["inputs"]] == ["read"]
