"""What ``audit`` says besides its answers: accounts that come twice, and what it passed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mantle_iam.cli.main import cli

IDS = ("111122223333", "444455556666")


def dump(account: str, role: str) -> dict[str, Any]:
    """A dump of one role that may do nothing."""
    trust = {"Version": "2012-10-17", "Statement": []}
    arn = f"arn:aws:iam::{account}:role/{role}"
    return {"RoleDetailList": [{"RoleName": role, "Arn": arn, "AssumeRolePolicyDocument": trust}], "Policies": []}


def call(*arguments: str | Path) -> Result:
    found = CliRunner().invoke(cli, ["audit", "--capability", "infer", *map(str, arguments)], standalone_mode=False)
    assert found.exception is None
    return found


@pytest.mark.parametrize("roles", [("app", "app"), ("app", "web")])
def test_an_account_of_two_inputs_is_one_and_said(roles: tuple[str, str], tmp_path: Path) -> None:
    for number, role in enumerate(roles):
        (tmp_path / f"{number}.json").write_text(json.dumps(dump(IDS[0], role)), "utf-8")
    (tmp_path / "other.json").write_text(json.dumps(dump(IDS[1], "app")), "utf-8")
    said = f"account {IDS[0]} is in more than one input, or in one more than once; each is judged by itself"
    found = call(tmp_path)
    assert found.return_value == 0
    assert "3 principals of 2 accounts" in found.stdout
    assert said in " ".join(found.stdout.split())
    report = json.loads(call(tmp_path, "-o", "json").stdout)
    assert (report["accounts"]["audited"], report["notes"]) == (2, [said])
    (tmp_path / "1.json").unlink()
    assert json.loads(call(tmp_path, "-o", "json").stdout)["notes"] == []


def test_of_many_accounts_that_come_again_the_first_are_named(tmp_path: Path) -> None:
    lines = [json.dumps(dump(f"{number:012d}", "app")) for number in (*range(1, 14), *range(1, 14))]
    (tmp_path / "many.jsonl").write_text("\n".join(lines), "utf-8")
    report = json.loads(call(tmp_path, "-o", "json").stdout)
    (note,) = (one for one in report["notes"] if "judged by itself" in one)
    assert report["accounts"]["audited"] == 13
    assert note.startswith("accounts 000000000001, ")
    assert "000000000010 and 3 more are in" in note


def test_what_was_passed_over_is_named(tmp_path: Path) -> None:
    """A report that quotes the policy that would help is passed over all the same."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "dump.json").write_text(json.dumps(dump(IDS[0], "app")), "utf-8")
    (folder / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\n", "utf-8")
    (tmp_path / "access.json").write_text(
        json.dumps({"version": 1, "rules": [{"must": "allow", "principals": "*", "capabilities": "infer"}]}), "utf-8"
    )
    require = ("--require", tmp_path / "access.json")
    formats = ("json", "jsonl", "sarif", "gitlab")
    for name in formats:
        written = call(folder / "dump.json", *require, "-o", name).stdout
        assert '"Statement"' in written or name != "json"
        (folder / f"report-{name}.json").write_text(written, "utf-8")
    found = call(folder)
    assert found.return_value == 0
    notes = " ".join(found.stdout.partition("Notes")[2].split())
    for name in formats:
        assert f"report-{name}.json: a report or requirements of an audit, and no input: passed over" in notes
    assert "pod.yaml: passed over, since it is something else: `a Kubernetes manifest`" in notes
    markdown = call(folder, "-o", "markdown").stdout.partition("**Notes**")[2]
    assert markdown.count("passed over") == len(formats) + 1
