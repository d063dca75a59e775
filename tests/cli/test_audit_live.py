"""``mantle-iam audit`` with live accounts, with findings, with organization policies named by option, and with unknown values."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import jsonschema
import pytest
from click.testing import CliRunner, Result

from mantle_iam import bundled
from mantle_iam.cli.audit import command
from mantle_iam.errors import MantleIamError

ID = "123456789012"


def document(actions: str | list[str], resource: str | list[str] = "*", effect: str = "Allow", **more: Any) -> Any:
    statement = {"Effect": effect, "Action": actions, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def dump(name: str, policy: Any, account: str = ID) -> dict[str, Any]:
    role = {
        "RoleName": name,
        "Arn": f"arn:aws:iam::{account}:role/{name}",
        "AssumeRolePolicyDocument": TRUST,
        "RolePolicyList": [{"PolicyName": "inline", "PolicyDocument": policy}],
        "AttachedManagedPolicies": [],
    }
    return {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": [role],
        "Policies": [],
        "IsTruncated": False,
    }


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments)], standalone_mode=False)


def report(*arguments: str | Path) -> dict[str, Any]:
    found = call(*arguments, "-o", "json")
    assert found.exception is None, found.exception
    value: dict[str, Any] = json.loads(found.stdout)
    jsonschema.validate(value, bundled.schema("audit"))
    return value


# -- live


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """moto with a role, over HTTP."""
    from moto.ec2.models import ec2_backends
    from moto.iam.models import iam_backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.organizations.models import organizations_backends
    from werkzeug.serving import make_server

    from mantle_iam.emulator.iam_operations import teach_moto
    from mantle_iam.emulator.service_credentials import STORE

    teach_moto()
    STORE.clear(ID)
    for backends in (iam_backends, ec2_backends, organizations_backends):
        backends.pop(ID, None)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="us-east-1")
    iam = session.client("iam", endpoint_url=url)
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(TRUST))
    text = json.dumps(document(["bedrock-mantle:ListModels", "bedrock-mantle:GetModel", "bedrock-mantle:InvokeModel"]))
    iam.put_role_policy(RoleName="app", PolicyName="in", PolicyDocument=text)
    yield url
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    # Thousands of machine images.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def test_a_live_account_is_audited(aws: str) -> None:
    found = report("--live", "--endpoint-url", aws, "--capability", "list-models")
    (role,) = found["principals"]
    assert role["capabilities"][0]["answer"] == "yes"
    assert role["permissions"][0]["decided_by"][0]["file"] == f"aws:{ID}"
    assert found["inputs"] == [{"path": f"aws:{ID}", "status": "read", "kind": "live", "problems": []}]
    (unknown,) = [one for one in found["findings"] if one["rule"] == "unknown-action"]
    assert unknown["file"] == f"aws:{ID}"
    assert "mantle-iam-" not in json.dumps(found)


def test_what_is_saved_is_read_offline(aws: str, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    live = report("--live", "--endpoint-url", aws, "--save-dir", folder)
    offline = report(folder)
    assert live == offline
    assert live["inputs"][0]["path"].startswith(str(folder))
    assert {path.name for path in (folder / ID).iterdir()} == {
        "account.json",
        "authorization-details.json",
        "service-specific-credentials.json",
        "vpc-endpoints.us-east-1.json",
    }


@pytest.mark.parametrize("layer", ["scp", "vpc-endpoint"])
def test_a_layer_that_was_not_read_is_what_it_depends_on(aws: str, tmp_path: Path, layer: str) -> None:
    folder = tmp_path / "kept"
    report("--live", "--endpoint-url", aws, "--save-dir", folder)
    record = folder / ID / "account.json"
    unread = {"layer": layer, "action": "x:Y", "reason": "`Y` is not allowed to these AWS credentials"}
    record.write_text(json.dumps(json.loads(record.read_text("utf-8")) | {"unread": [unread]}), "utf-8")
    found = report(folder, "--capability", "list-models")
    cell = found["principals"][0]["capabilities"][0]
    assert (cell["answer"], cell["depends_on"]) == ("depends", [layer])
    (partial,) = [one for one in found["inputs"] if one["status"] == "partial"]
    assert "`x:Y`" in partial["problems"][0]
    assert call(folder).return_value == 3


def test_nothing_but_the_report_is_printed_into_pipes(aws: str) -> None:
    found = call("--live", "--endpoint-url", aws, "-o", "json", "--no-findings")
    assert found.stderr == ""
    assert json.loads(found.stdout)["findings"] == []


def test_needs_asks_nobody() -> None:
    found = call(
        "--needs", "--role-arn", "arn:aws:iam::111122223333:role/audit", "--endpoint-url", "http://127.0.0.1:1"
    )
    policy = json.loads(found.stdout)
    assert found.return_value == 0
    assert {"Sid", "Effect", "Action", "Resource"} <= set(policy["Statement"][0])
    assert policy["Statement"][-1]["Resource"] == "arn:aws:iam::111122223333:role/audit"


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (("x", "--profile", "p"), "--profile is about a live account", 2),
        (("--save-dir", "d"), "--save-dir is about a live account", 2),
        (("--live", "--profile", "nosuch"), "nosuch", 2),
        (("--live", "--role-arn", "app"), "is not the ARN of a role", 2),
        (("--live", "--endpoint-url", "nonsense"), "nonsense", 2),
        (("--live", "--endpoint-url", "http://127.0.0.1:9"), "credentials are is not known", 3),
        (("--live", "--save-dir", "/proc/nowhere", "--endpoint-url", "AWS"), "cannot write", 2),
        (("x", "--select", "no-such-rule"), "is no rule", 2),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, code: int, aws: str) -> None:
    found = call(*(aws if one == "AWS" else one for one in arguments))
    assert isinstance(found.exception, MantleIamError), found.exception
    assert message in found.exception.message
    assert found.exception.exit_code == code


# -- findings


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A dump with an action that there is not."""
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(dump("app", document(["bedrock-mantle:InvokeModel"])), indent=1), "utf-8")
    return path


def rules(found: dict[str, Any]) -> list[str]:
    return [one["rule"] for one in found["findings"]]


def test_findings_are_those_of_lint_with_their_lines(bad: Path) -> None:
    from mantle_iam.cli.lint import command as lint

    audited = report(bad)
    linted = json.loads(CliRunner().invoke(lint, [str(bad), "-o", "json"], standalone_mode=False).stdout)
    assert audited["findings"] == linted["findings"]
    (finding,) = [one for one in audited["findings"] if one["rule"] == "unknown-action"]
    assert "bedrock-mantle:InvokeModel" in bad.read_text("utf-8").splitlines()[finding["line"] - 1]


def test_rules_are_chosen(bad: Path) -> None:
    assert rules(report(bad, "--select", "unknown-action")) == ["unknown-action"]
    assert "unknown-action" not in rules(report(bad, "--ignore", "unknown-action"))
    assert rules(report(bad, "--no-findings")) == []


def test_findings_decide_only_when_asked(bad: Path) -> None:
    assert call(bad).return_value == 0
    assert call(bad, "--fail-on", "error").return_value == 1
    assert call(bad, "--fail-on", "error", "--ignore", "unknown-action").return_value == 0
    assert call(bad, "--fail-on", "error", "--no-findings").return_value == 0


def test_a_finding_is_let_be(bad: Path, tmp_path: Path) -> None:
    text = '[[ignore]]\nrule = "unknown-action"\nreason = "known"\n'
    config = tmp_path / "mantle-iam-lint.toml"
    config.write_text(text, "utf-8")
    value = report(bad)
    assert "unknown-action" not in rules(value)
    assert "findings let be, for reasons given: 1" in value["notes"]


def test_text_shows_them(bad: Path) -> None:
    found = call(bad)
    assert "Findings" in found.stdout
    assert "error[unknown-action]" in found.stdout
    assert "Findings" not in call(bad, "--no-findings").stdout


def test_formats_of_the_field(bad: Path, tmp_path: Path) -> None:
    require = tmp_path / "access.json"
    rule = {"name": "all", "must": "allow", "principals": "*", "capabilities": "list-models"}
    require.write_text(json.dumps({"version": 1, "rules": [rule]}), "utf-8")

    def written(output: str) -> str:
        found = call(bad, "--require", require, "-o", output)
        assert found.return_value == 1
        assert "requirement failed: all" in found.stderr
        return found.stdout

    results = json.loads(written("sarif"))["runs"][0]["results"]
    assert {"unknown-action", "requirement/all"} <= {one["ruleId"] for one in results}
    assert any("unknown-action" in str(one) for one in json.loads(written("gitlab")))
    cases = [one.get("name", "") for one in ET.fromstring(written("junit")).iter("testcase")]
    assert any("unknown-action" in name for name in cases)
    assert any("requirement/all" in name for name in cases)
    assert written("github").startswith("::")
    assert "unknown-action" in written("markdown")
    assert "unknown-action" in written("html")


def test_the_same_organization_policy_is_told_once(tmp_path: Path) -> None:
    for number, account in enumerate(("111122223333", "444455556666")):
        text = json.dumps(dump("app", document("bedrock-mantle:*"), account))
        (tmp_path / f"dump-{number}.json").write_text(text, "utf-8")
    scp = tmp_path / "deny.json"
    scp.write_text(json.dumps(document(["bedrock-mantle:InvokeModel"], effect="Deny")), "utf-8")
    found = report(tmp_path / "dump-0.json", tmp_path / "dump-1.json", "--scp", scp)
    assert rules(found).count("unknown-action") == 1


# -- organization policies by option


def test_scps_named_by_option_bind(tmp_path: Path) -> None:
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(dump("app", document("bedrock-mantle:*"))), "utf-8")
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "no-files.json").write_text(json.dumps(document("bedrock-mantle:ListModels", effect="Deny")), "utf-8")

    def answer(*more: str | Path) -> tuple[str, list[str]]:
        cell = report(path, "--capability", "list-models", *more)["principals"][0]["capabilities"][0]
        return cell["answer"], [one["layer"] for one in cell["decided_by"]]

    assert answer()[0] == "yes"
    assert answer("--scp", policies) == ("no", ["scp"])
    assert answer("--scp", policies / "no-files.json") == ("no", ["scp"])


# -- what is not known


def plan(policy: Any, unknown: Any) -> dict[str, Any]:
    trust = json.dumps(TRUST)

    def change(kind: str, name: str, after: Any, after_unknown: Any) -> dict[str, Any]:
        return {
            "address": f"{kind}.{name}",
            "mode": "managed",
            "type": kind,
            "name": name,
            "change": {"actions": ["create"], "before": None, "after": after, "after_unknown": after_unknown},
        }

    return {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {"root_module": {}},
        "resource_changes": [
            change("aws_iam_role", "app", {"name": "app", "assume_role_policy": trust}, {"arn": True}),
            change("aws_iam_role_policy", "p", {"name": "p", "role": "app", **policy}, unknown),
        ],
    }


MARK = "${mantle-iam:Unresolved}"
UNKNOWN_VALUES = {
    "whole document": None,
    "resource": document("bedrock-mantle:*", [MARK]),
    "within a resource": document("bedrock-mantle:*", [f"arn:aws:bedrock-mantle:us-east-1:{MARK}:project/default"]),
    "condition value": document("bedrock-mantle:*", Condition={"StringEquals": {"aws:ResourceAccount": MARK}}),
    "condition key": document("bedrock-mantle:*", Condition={"StringEquals": {MARK: "x"}}),
    "action": document([MARK]),
    "effect": {**document("bedrock-mantle:*"), "Statement": [{"Effect": MARK, "Action": "*", "Resource": "*"}]},
}


@pytest.mark.parametrize("name", list(UNKNOWN_VALUES))
def test_values_known_after_apply_are_unknown_and_not_refused(name: str, tmp_path: Path) -> None:
    policy = UNKNOWN_VALUES[name]
    path = tmp_path / "plan.json"
    # Terraform knows a text as a whole or not at all; the marks within stand for what modules and templates leave open.
    made = plan({}, {"policy": True}) if policy is None else plan({"policy": json.dumps(policy)}, {})
    path.write_text(json.dumps(made), "utf-8")
    cell = report(path, "--capability", "list-models")["principals"][0]["capabilities"][0]
    assert cell["answer"] == "depends"
    assert cell["depends_on"]


def test_unknown_values_of_a_denial_do_not_allow(tmp_path: Path) -> None:
    statements = [
        *document("bedrock-mantle:*")["Statement"],
        *document("*", [MARK], effect="Deny")["Statement"],
    ]
    path = tmp_path / "plan.json"
    policy = {"policy": json.dumps({"Version": "2012-10-17", "Statement": statements})}
    path.write_text(json.dumps(plan(policy, {})), "utf-8")
    cell = report(path, "--capability", "list-models")["principals"][0]["capabilities"][0]
    assert (cell["answer"], cell["depends_on"]) == ("depends", ["mantle-iam:Unresolved"])
