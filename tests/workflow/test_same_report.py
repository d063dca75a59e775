"""The same report, byte for byte, whoever works and however often the work was cut off: over inputs of every kind at once."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from mantle_iam.cli.main import cli
from mantle_iam.collect import dump_parts
from mantle_iam.workflow.audit_lambda import read_batch, run_batch

ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
DENY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "bedrock-mantle:CallWithBearerToken", "Resource": "*"}],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ROOT, UNIT = "r-ab12", "ou-ab12-11111111"


def _document(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def _dump(account: str, action: str = "bedrock-mantle:*", **more: Any) -> dict[str, Any]:
    def role(name: str) -> dict[str, Any]:
        return {
            "RoleName": name,
            "Arn": f"arn:aws:iam::{account}:role/{name}",
            "AssumeRolePolicyDocument": TRUST,
            "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": _document(action)}],
        }

    user = {"UserName": "u", "Arn": f"arn:aws:iam::{account}:user/u", "GroupList": [], "AttachedManagedPolicies": []}
    return {
        "UserDetailList": [user],
        "RoleDetailList": [role("a"), role("\u202ehostile\U0001f600")],
        "Policies": [],
        **more,
    }


def _plan() -> dict[str, Any]:
    role = {"name": "planned", "assume_role_policy": json.dumps(TRUST)}
    own = {"name": "p", "role": "planned", "policy": json.dumps(_document("bedrock-mantle:InvokeModel"))}
    changes = [
        {"address": f"{kind}.x", "mode": "managed", "type": kind, "name": "x", "change": {
            "actions": ["create"], "before": None, "after": after, "after_unknown": {}}}
        for kind, after in (("aws_iam_role", role), ("aws_iam_role_policy", own))
    ]  # fmt: skip
    return {"format_version": "1.2", "planned_values": {"root_module": {}}, "resource_changes": changes}


def _files() -> dict[str, Any]:
    organization = {
        "roots.json": {
            "Roots": [{"Id": ROOT, "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}]
        },
        f"{UNIT}.parents.json": {"Parents": [{"Id": ROOT}]},
        f"{ROOT}.policies.json": {"Policies": [{"Id": "p-FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY"}]},
        "p-Abcdefgh.json": {
            "Policy": {
                "PolicySummary": {"Id": "p-Abcdefgh", "Name": "deny", "Type": "SERVICE_CONTROL_POLICY"},
                "Content": json.dumps(DENY),
            }
        },
        f"{UNIT}.policies.json": {
            "Policies": [{"Id": id_, "Type": "SERVICE_CONTROL_POLICY"} for id_ in ("p-FullAWSAccess", "p-Abcdefgh")]
        },
    }
    for number in range(1, 5):
        account = f"{number:012d}"
        organization[f"{account}.parents.json"] = {"Parents": [{"Id": UNIT}]}
        organization[f"{account}.policies.json"] = organization[f"{ROOT}.policies.json"]
    template = {"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": "made", "AssumeRolePolicyDocument": TRUST,
        "Policies": [{"PolicyName": "p", "PolicyDocument": _document("bedrock-mantle:Create*")}]}}}}  # fmt: skip
    return {
        **{f"organization/{name}": value for name, value in organization.items()},
        "dumps/1.json": _dump("000000000001", "bedrock-mantle:InvokeModel"),
        "dumps/2.json.gz": gzip.compress(json.dumps(_dump("000000000002")).encode()),
        "dumps/3.jsonl": b"\n".join(json.dumps(_dump(f"{number:012d}")).encode() for number in range(3, 9)),
        "dumps/9-1.json": _dump("000000000009", IsTruncated=True),
        "dumps/9-2.json": _dump("000000000009"),
        "dumps/broken.json": b'{"RoleDetailList": [',
        "dumps/broken.json.gz": gzip.compress(json.dumps(_dump("000000000010")).encode())[:-9],
        "dumps/broken.jsonl": json.dumps(_dump("000000000011")).encode() + b"\n{",
        "plan.json": _plan(),
        "template.json": template,
        "policies/own.json": _document("bedrock-mantle:InvokeModel"),
        "policies/latin.json": '{"Statement": "\u00e9"}'.encode("latin-1"),
    }


@dataclass(frozen=True)
class Corpus:
    """Everything that is named on one command line."""

    top: Path
    paths: tuple[str, ...]

    def run(self, *more: str, output: str = "json") -> tuple[object, str, str]:
        """The exit code and what is printed."""
        arguments = ["audit", *self.paths, "--require", str(self.top / "access.json"), "-o", output, *more]
        done = CliRunner().invoke(cli, arguments, standalone_mode=False)
        assert done.exception is None, done.exception
        return done.return_value, done.stdout, done.stderr


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    monkeypatch.setattr(dump_parts, "PART", 3000)
    monkeypatch.setattr(dump_parts, "SMALLEST", 1)
    for name, value in _files().items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value if isinstance(value, bytes) else json.dumps(value, indent=1).encode())
    rule = {"name": "none", "must": "not-allow", "principals": "*:role/*", "capabilities": "infer"}
    (tmp_path / "access.json").write_text(json.dumps({"version": 1, "rules": [rule]}), "utf-8")
    names = ("organization", "dumps", "plan.json", "template.json", "policies")
    return Corpus(tmp_path, (*(str(tmp_path / "in" / name) for name in names), str(tmp_path / "none.json")))


def test_the_corpus_has_something_of_everything(corpus: Corpus) -> None:
    code, text, _ = corpus.run()
    report = json.loads(text)
    assert code == 1
    assert {one["status"] for one in report["inputs"]} == {"read", "partial", "failed"}
    assert {one["account"][-2:] for one in report["principals"]} >= {f"{number:02d}" for number in (*range(1, 10), 11)}
    assert len({cell["answer"] for one in report["principals"] for cell in one["capabilities"]}) == 3
    assert report["findings"]
    assert report["requirements"][0]["result"] == "failed"


@pytest.mark.slow
@pytest.mark.parametrize("output", ["json", "jsonl", "csv", "sarif"])
def test_processes_print_what_one_process_prints(corpus: Corpus, output: str) -> None:
    assert corpus.run("--workers", "2", output=output) == corpus.run(output=output)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_prints_what_one_process_prints(corpus: Corpus) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        assert corpus.run("--engine", "dask", "--scheduler", cluster.scheduler_address) == corpus.run()


@pytest.mark.parametrize("seed", range(6))
def test_a_run_that_was_killed_anywhere_ends_as_one_that_was_not(corpus: Corpus, seed: int) -> None:
    journal = corpus.top / "journal"
    first = corpus.run("--resume", str(journal))
    assert first == corpus.run()
    whole = journal.read_bytes()
    # What a kill leaves: the lines before it, and a part of one.
    journal.write_bytes(whole[: Random(seed).randrange(len(whole))])
    code, text, errors = corpus.run("--resume", str(journal))
    again, report = json.loads(text), json.loads(first[1])
    finished = again["accounts"].pop("reused")
    assert report["accounts"].pop("reused") == 0
    assert 0 <= finished < report["accounts"]["audited"]
    again["notes"] = [note for note in again["notes"] if "taken from the journal" not in note]
    assert (code, again, errors) == (first[0], report, first[2])
    assert journal.read_bytes() == whole


class Folder:
    """A folder as the bucket of a Lambda function."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - the service's names
        """As S3's."""
        return {"Body": BytesIO((self.top / Bucket / Key).read_bytes())}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803
        """As S3's."""
        path = self.top / Bucket / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)


def test_a_function_writes_what_the_command_prints(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    top = corpus.top / "in"
    monkeypatch.chdir(top)
    files = sorted(path.relative_to(top).as_posix() for path in top.rglob("*.*") if path.is_file())
    dumps = [name for name in files if name.startswith("dumps/") and "9-" not in name]
    shared = [name for name in files if name.startswith("organization/")]
    given = {"bucket": "in", "results_prefix": "out/", "shared": shared}
    told = run_batch(read_batch({"BatchInput": given, "Items": [{"Key": name} for name in dumps]}), Folder(corpus.top))
    for one, name in zip(told["results"], dumps, strict=True):
        written = (top / f"out/{name}.jsonl").read_text("utf-8").splitlines()
        done = CliRunner().invoke(cli, ["audit", name, *shared, "-o", "jsonl"], standalone_mode=False)
        printed = done.stdout.splitlines()
        assert written[:-1] == printed[:-1], name
        rest, last = json.loads(written[-1]), json.loads(printed[-1])
        for member in ("requirements", "inputs", "findings", "accounts"):
            assert rest[member] == last[member], (name, member)
        assert one["exit_code"] == done.return_value, name
