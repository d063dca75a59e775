"""``mantle-iam audit`` as it is called: files in, text or JSON out, exit codes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from mantle_iam import bundled
from mantle_iam.cli.audit import command
from mantle_iam.errors import MantleIamError

ID = "111122223333"


def statement(action: str, resource: str = "*", effect: str = "Allow") -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource}]}


def dump(roles: dict[str, str], account: str = ID) -> dict[str, Any]:
    return {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": [
            {
                "RoleName": name,
                "Arn": f"arn:aws:iam::{account}:role/{name}",
                "AssumeRolePolicyDocument": statement("sts:AssumeRole"),
                "RolePolicyList": [{"PolicyName": "inline", "PolicyDocument": statement(action)}],
                "AttachedManagedPolicies": [],
            }
            for name, action in roles.items()
        ],
        "Policies": [],
        "IsTruncated": False,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dumps").mkdir()
    (tmp_path / "dumps" / "one.json").write_text(json.dumps(dump({"app": "bedrock-mantle:*", "s3": "s3:*"})), "utf-8")
    return tmp_path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments)], standalone_mode=False)


def test_the_report_keeps_to_its_schema_and_to_what_others_rely_on(folder: Path) -> None:
    rules = {"version": 1, "rules": [{"must": "allow", "principals": "*", "capabilities": "infer"}]}
    (folder / "access.json").write_text(json.dumps(rules), "utf-8")
    found = call(folder / "dumps", "--require", folder / "access.json", "-o", "json")
    assert found.return_value == 1
    report = json.loads(found.stdout)
    jsonschema.validate(report, bundled.schema("audit"))
    app = next(one for one in report["principals"] if one["arn"].endswith("/app"))
    permission = next(one for one in app["permissions"] if one["action"] == "bedrock-mantle:CreateInference")
    assert (permission["result"], permission["auth"], permission["model"]) == ("allowed", "sigv4", None)
    assert permission["resource"] == f"arn:aws:bedrock-mantle:us-east-1:{ID}:project/default"
    assert permission["decided_by"][0]["policy"] == "inline"
    assert [one["status"] for one in report["inputs"]] == ["read"]
    # The trust policies of `dump` lack a Principal.
    assert {(one["rule"], one["policy"]) for one in report["findings"] if one["severity"] == "error"} == {
        ("policy-grammar", "trust policy")
    }


def test_json_lines_hold_the_same(folder: Path) -> None:
    whole = json.loads(call(folder / "dumps", "-o", "json").stdout)
    *principals, last = map(json.loads, call(folder / "dumps", "-o", "jsonl").stdout.splitlines())
    assert {**last, "principals": principals} == whole


def test_csv_markdown_and_html_show_the_same_matrix(folder: Path) -> None:
    rows = list(csv.reader(io.StringIO(call(folder / "dumps", "--capability", "list-models", "-o", "csv").stdout)))
    assert rows[0] == ["principal", "account", "list-models", "list-models: why"]
    assert [(row[0].rpartition("/")[2], row[2], row[3]) for row in rows[1:]] == [
        ("app", "yes", "identity inline 0"),
        (
            "s3",
            "no",
            "identity does not allow bedrock-mantle:ListModels, identity does not allow bedrock-mantle:GetModel",
        ),
    ]
    assert "**yes**" in call(folder / "dumps", "-o", "markdown").stdout
    page = call(folder / "dumps", "-o", "html")
    assert page.return_value == 0
    assert f"arn:aws:iam::{ID}:role/app" in page.stdout


def test_the_text_fits_eighty_columns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = {f"very-long-role-name-{number}-{'x' * 60}": "bedrock-mantle:*" for number in range(3)}
    (folder / "dumps" / "two.json").write_text(json.dumps(dump(long, "444455556666")), "utf-8")
    monkeypatch.chdir(folder)  # a path is not broken
    found = call("dumps")
    assert found.return_value == 0
    assert max(map(len, found.stdout.splitlines())) <= 80
    assert "5 principals of 2 accounts" in found.stdout


def test_thousands_are_summarised(folder: Path) -> None:
    many = {f"r{number}": "s3:*" if number % 3 else "bedrock-mantle:*" for number in range(900)}
    (folder / "dumps" / "one.json").write_text(json.dumps(dump(many)), "utf-8")
    found = call(folder / "dumps", "--capability", "list-models")
    assert len(found.stdout.splitlines()) < 20
    assert "asked of project/default in us-east-1; of others with --project, --region" in found.stdout
    assert "600: nothing" in found.stdout
    assert "300: everything" in found.stdout


def test_hostile_names_do_no_harm(folder: Path) -> None:
    (folder / "dumps" / "one.json").write_text(json.dumps(dump({"a\x1b[31m\nb\u202e": "bedrock-mantle:*"})), "utf-8")
    found = call(folder / "dumps")
    assert "\x1b[31m" not in found.stdout
    assert "\u202e" not in found.stdout
    assert len(json.loads(call(folder / "dumps", "-o", "json").stdout)["principals"]) == 1


def test_an_input_that_cannot_be_read_is_told_and_the_rest_goes_on(folder: Path) -> None:
    (folder / "dumps" / "broken.json").write_text('{"RoleDetailList": [', "utf-8")
    found = call(folder / "dumps", "-o", "json")
    report = json.loads(found.stdout)
    assert found.return_value == 3
    assert len(report["principals"]) == 2
    assert sorted(one["status"] for one in report["inputs"]) == ["failed", "read"]


def test_a_journal_is_taken_up_again(folder: Path) -> None:
    journal = folder / "journal"
    first = json.loads(call(folder / "dumps", "--resume", journal, "-o", "json").stdout)
    again = json.loads(call(folder / "dumps", "--resume", journal, "-o", "json").stdout)
    assert (first["accounts"]["reused"], again["accounts"]["reused"]) == (0, 1)
    assert first["principals"] == again["principals"]


def test_context_that_every_call_has(folder: Path) -> None:
    document = dump({"app": "bedrock-mantle:*"})
    conditioned = document["RoleDetailList"][0]["RolePolicyList"][0]["PolicyDocument"]["Statement"][0]
    conditioned["Condition"] = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}
    (folder / "dumps" / "one.json").write_text(json.dumps(document), "utf-8")

    def answer(*more: str) -> str:
        report = json.loads(call(folder / "dumps", "--capability", "list-models", "-o", "json", *more).stdout)
        return str(report["principals"][0]["capabilities"][0]["answer"])

    assert answer() == "depends"
    assert answer("--context", "aws:SourceVpce=vpce-1") == "yes"
    assert answer("--context", "aws:SourceVpce=vpce-2") == "no"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to audit"),
        (("x", "--capability", "fly"), "no capability `fly`"),
        (("x", "--action", "bedrock-mantle:ListModel"), "is not an action"),
        (("x", "--context", "novalue"), "is not KEY=VALUE"),
        (("x", "--require", "/nonexistent"), "cannot read requirements"),
        (("x", "--engine", "dask"), "needs a scheduler"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str) -> None:
    found = call(*arguments)
    assert isinstance(found.exception, MantleIamError)
    assert found.exception.exit_code == 2
    assert message in found.exception.message


def test_requirements_in_yaml(folder: Path) -> None:
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    text = "version: 1\nrules:\n- must: not-allow\n  principals: ['*']\n  actions: bedrock-mantle:DeleteFile\n"
    (folder / "access.yaml").write_text(text, "utf-8")
    found = call(folder / "dumps", "--require", folder / "access.yaml")
    assert found.return_value == 1
    assert "bedrock-mantle:DeleteFile with sigv4 is allowed by identity policy `inline`" in " ".join(
        found.stdout.split()
    )
    (folder / "access.yaml").write_text("version: [1\n", "utf-8")
    assert "not YAML" in str(call(folder / "dumps", "--require", folder / "access.yaml").exception)


def test_a_principal_that_nobody_is_is_said(folder: Path) -> None:
    assert "no principal matches --principal" in call(folder / "dumps", "--principal", "role/app").stdout
