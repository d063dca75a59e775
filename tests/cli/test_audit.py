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
from mantle_iam.audit.capabilities import CAPABILITIES
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
    assert len(found.stdout.splitlines()) < 25
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
        (("x", "--scheduler", "tcp://127.0.0.1:1"), "--scheduler is about a cluster"),
        (("x", "--project", "proj_*"), "has a wildcard"),
        (("x", "--project", "arn:aws:bedrock-mantle:us-east-1:111122223333:project/?"), "has a wildcard"),
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
    assert "no principal matches --principal" in call(folder / "dumps", "--principal", "*/nobody").stdout
    found = call(folder / "dumps", "--principal", "role/app").exception
    assert isinstance(found, MantleIamError)
    assert (found.exit_code, found.message) == (2, "--principal: `role/app` matches no ARN")


def test_nothing_that_could_be_audited_is_said_first(folder: Path) -> None:
    found = call(folder / "nowhere.json")
    assert found.return_value == 3
    assert found.stdout.splitlines()[:3] == ["Nothing was audited", "", "Not or not wholly read"]


def scoped(resource: str, action: str = "bedrock-mantle:CreateInference") -> dict[str, Any]:
    """A dump of a role that may call models on one resource."""
    document = dump({"app": action})
    document["RoleDetailList"][0]["RolePolicyList"][0]["PolicyDocument"]["Statement"][0]["Resource"] = resource
    return document


PROJECT = "arn:aws:bedrock-mantle:eu-west-1:111122223333:project/proj_5d5ykleja6cwpirysbb7"


def test_a_role_that_is_scoped_to_a_project_is_told_from_one_that_may_nothing(folder: Path) -> None:
    (folder / "dumps" / "one.json").write_text(json.dumps(scoped(PROJECT)), "utf-8")
    asked = (folder / "dumps", "--capability", "infer", "--auth", "sigv4", "--no-findings")
    text = " ".join(call(*asked).stdout.split())
    assert "role/app n*" in text
    assert "1 infer 0 1 0 1" in text
    options = "--project proj_5d5ykleja6cwpirysbb7 --region eu-west-1"
    assert f"{PROJECT}: 1 principal ({options})" in text
    report = json.loads(call(*asked, "-o", "json").stdout)
    jsonschema.validate(report, bundled.schema("audit"))
    (cell,) = report["principals"][0]["capabilities"]
    assert (cell["answer"], cell["elsewhere"]) == ("no", [PROJECT])
    assert list(csv.reader(io.StringIO(call(*asked, "-o", "csv").stdout)))[1][2:] == [
        "elsewhere",
        f"identity does not allow bedrock-mantle:CreateInference; named: {PROJECT}",
    ]
    assert '<td class="elsewhere"><b>elsewhere</b>' in call(*asked, "-o", "html").stdout
    # And what it says to ask is the answer.
    there = json.loads(call(*asked, *options.split(), "-o", "json").stdout)["principals"][0]["capabilities"][0]
    assert there["answer"] == "yes"
    assert "elsewhere" not in there


def test_a_rule_that_asks_of_the_wrong_project_says_which_the_policies_name(folder: Path) -> None:
    (folder / "dumps" / "one.json").write_text(json.dumps(scoped(PROJECT)), "utf-8")
    rule = {"must": "allow", "principals": "*", "capabilities": "infer", "auth": "sigv4"}
    (folder / "access.json").write_text(json.dumps({"version": 1, "rules": [rule]}), "utf-8")
    report = json.loads(call(folder / "dumps", "--require", folder / "access.json", "-o", "json").stdout)
    (short,) = report["requirements"][0]["shortfalls"]
    assert f"; policies name {PROJECT}, which the rule may ask for" in short["reason"]


@pytest.mark.parametrize(
    ("partition", "words"),
    [
        ("aws", "asked of project/default in us-east-1; of others with --project, --region"),
        ("aws-us-gov", "asked of project/default in us-gov-west-1; of others"),
        ("aws-cn", "asked of project/default in any region of aws-cn, where no endpoint is known; of others"),
    ],
)
def test_what_stands_for_all_is_that_of_the_partition(folder: Path, partition: str, words: str) -> None:
    text = json.dumps(dump({"app": "bedrock-mantle:*"})).replace("arn:aws:", f"arn:{partition}:")
    (folder / "dumps" / "one.json").write_text(text, "utf-8")
    assert words in " ".join(call(folder / "dumps").stdout.split())


def test_columns_name_what_differs_between_them(folder: Path) -> None:
    def header(*more: str) -> list[str]:
        asked = ("--capability", "count-tokens", "--capability", "read-retention", "-o", "csv", *more)
        return next(csv.reader(io.StringIO(call(folder / "dumps", *asked).stdout)))[2::2]

    assert header() == ["count-tokens", "read-retention"]
    models = ("--model", "anthropic.claude-sonnet-5", "--model", "anthropic.claude-opus-4-7")
    assert header(*models) == [*(f"count-tokens {model}" for model in models[1::2]), "read-retention"]
    assert header("--region", "us-east-1", "--region", "eu-west-1")[0] == "count-tokens us-east-1"


def test_a_statement_in_a_dump_is_named_with_its_place(folder: Path) -> None:
    rule = {"must": "not-allow", "principals": "*", "capabilities": "list-models"}
    (folder / "access.json").write_text(json.dumps({"version": 1, "rules": [rule]}), "utf-8")
    report = json.loads(call(folder / "dumps", "--require", folder / "access.json", "-o", "json").stdout)
    (reason,) = {one["reason"] for one in report["requirements"][0]["shortfalls"]}
    assert "one.json, arn:aws:iam::111122223333:role/app)" in reason


FORMS = [
    [
        {"ParameterKey": "Model", "ParameterValue": "openai.gpt-oss-20b"},
        {"ParameterKey": "B", "UsePreviousValue": True},
    ],
    {"Parameters": {"Model": "openai.gpt-oss-20b"}, "Tags": {"team": "a"}},
    {"Model": "openai.gpt-oss-20b"},
]


@pytest.mark.parametrize("form", FORMS)
def test_parameters_of_a_template_in_a_file(folder: Path, form: Any) -> None:
    document = statement("bedrock-mantle:CreateInference")
    document["Statement"][0]["Condition"] = {"StringEquals": {"bedrock-mantle:Model": {"Ref": "Model"}}}
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    properties = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "Policies": [{"PolicyName": "p", "PolicyDocument": document}],
    }
    template = {
        "Parameters": {"Model": {"Type": "String"}},
        "Resources": {"App": {"Type": "AWS::IAM::Role", "Properties": properties}},
    }
    (folder / "template.json").write_text(json.dumps(template), "utf-8")
    (folder / "parameters.json").write_text(json.dumps(form), "utf-8")
    asked = ("--capability", "infer", "--auth", "sigv4", "--no-findings", "-o", "json")
    given = ("--parameter", f"@{folder / 'parameters.json'}")

    def answer(model: str, *more: str) -> str:
        report = json.loads(call(folder / "template.json", *asked, "--model", model, *given, *more).stdout)
        return str(report["principals"][0]["capabilities"][0]["answer"])

    assert (answer("openai.gpt-oss-20b"), answer("openai.gpt-oss-120b")) == ("yes", "no")
    # What comes later counts.
    assert answer("openai.gpt-oss-120b", "--parameter", "Model=openai.gpt-oss-120b") == "yes"


@pytest.mark.parametrize(
    "text", ["{", "[1]", '"x"', '[{"ParameterKey": "a"}]', '{"a": {"b": 1}}', "[" * 5000, '[{"ParameterKey": ["a"]}]']
)
def test_a_file_that_holds_no_parameters(folder: Path, text: str) -> None:
    (folder / "parameters.json").write_text(text, "utf-8")
    found = call(folder / "dumps", "--parameter", f"@{folder / 'parameters.json'}")
    assert isinstance(found.exception, MantleIamError)
    assert "no file of parameters" in found.exception.message


def test_what_was_not_read_comes_before_a_finding_as_with_lint(folder: Path) -> None:
    asked = (folder / "dumps", "--fail-on", "error")
    assert call(*asked).return_value == 1
    (folder / "dumps" / "broken.json").write_text('{"RoleDetailList": [', "utf-8")
    assert call(*asked).return_value == 3
    rule = {"must": "not-allow", "principals": "*", "capabilities": "list-models"}
    (folder / "access.json").write_text(json.dumps({"version": 1, "rules": [rule]}), "utf-8")
    assert call(*asked, "--require", folder / "access.json").return_value == 1


def test_the_help_has_headings_and_every_capability() -> None:
    text = call("--help").stdout
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert [one.split(" (")[0] for one in headings] == [
        "What is read",
        "With --live",
        "What is asked",
        "Findings, as of mantle-iam lint:",
        "How it is run:",
        "Other options:",
    ]
    assert all(f"\n    {one.name} " in text for one in CAPABILITIES)


def test_service_control_policies_of_a_folder_bind_and_are_not_called_idle(folder: Path) -> None:
    (folder / "scps").mkdir()
    for name, effect, action in (("all", "Allow", "*"), ("no", "Deny", "bedrock-mantle:*")):
        (folder / "scps" / f"{name}.json").write_text(json.dumps(statement(action, effect=effect)), "utf-8")
    found = call(folder / "dumps", "--scp", folder / "scps", "--capability", "list-models", "--no-findings")
    assert "1 list-models 0 2 0" in " ".join(found.stdout.split())
    assert "bind no principal" not in found.stdout
    # Those that nobody says what they are for are.
    found = call(folder / "dumps", folder / "scps", "--capability", "list-models", "--no-findings")
    assert "bind no principal that was read: 2" in found.stdout


NO = json.dumps(statement("bedrock-mantle:*", effect="Deny"))
UNREAD: dict[str, tuple[str, dict[str, str]]] = {
    # What is given, and what is there.
    "a file that is missing": ("nope.json", {}),
    "a folder that is missing": ("nope/", {}),
    "an empty folder": ("scps", {"scps/": ""}),
    "an empty file": ("scp.json", {"scp.json": ""}),
    "a file that breaks off": ("scp.json", {"scp.json": NO[:40]}),
    "grammar that AWS refuses": ("scp.json", {"scp.json": NO.replace("Deny", "deny")}),
    "one of two files": ("scps", {"scps/a.json": NO.replace("Deny", "Allow"), "scps/b.json": "{"}),
    "one of two lines": ("scp.jsonl", {"scp.jsonl": NO.replace("Deny", "Allow") + "\n{"}),
    "files of other kinds": ("scps", {"scps/readme.txt": "nothing"}),
    "a plan": (
        "plan.json",
        {"plan.json": json.dumps({"format_version": "1.2", "planned_values": {"root_module": {}}})},
    ),
    "a dump": ("dump.json", {"dump.json": json.dumps(dump({"other": "bedrock-mantle:*"}))}),
}


@pytest.mark.parametrize("option", ["--scp", "--rcp"])
@pytest.mark.parametrize(("given", "files"), UNREAD.values(), ids=UNREAD)
def test_a_layer_that_was_named_and_could_not_be_read_is_not_absent(
    folder: Path, option: str, given: str, files: dict[str, str]
) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).mkdir() if name.endswith("/") else (folder / name).write_text(text, "utf-8")
    rule = {"must": "allow", "principals": "*:role/app", "capabilities": "list-models", "auth": "sigv4"}
    (folder / "access.json").write_text(json.dumps({"version": 1, "rules": [rule]}), "utf-8")
    arguments = (folder / "dumps", "--require", folder / "access.json", "--no-findings", "-o", "json")
    assert call(*arguments).return_value == 0
    found = call(*arguments, option, f"{folder}/{given}")
    report = json.loads(found.stdout)
    assert found.return_value == 3
    # RCPs do not apply to the service's resources.
    assert [one["result"] for one in report["requirements"]] == ["unknown" if option == "--scp" else "passed"]
    assert {one["status"] for one in report["inputs"]} & {"failed", "partial"}


def test_a_document_that_code_takes_away_from_its_layer_is_not_absent(folder: Path) -> None:
    code = 'resource "aws_organizations_policy" "no" {\n  name = "no"\n  content = file("scps/no.json")\n}\n'
    (folder / "code" / "scps").mkdir(parents=True)
    (folder / "code" / "main.tf").write_text(code, "utf-8")
    for name, effect in (("no", "Deny"), ("all", "Allow")):
        (folder / "code" / "scps" / f"{name}.json").write_text(json.dumps(statement("*", effect=effect)), "utf-8")
    arguments = (folder / "dumps", folder / "code", "--scp", folder / "code" / "scps", "--capability", "list-models")
    report = json.loads(call(*arguments, "--no-findings", "-o", "json").stdout)
    answers = {one["arn"]: one["capabilities"][0]["answer"] for one in report["principals"]}
    assert answers[f"arn:aws:iam::{ID}:role/app"] in ("depends", "no")


@pytest.mark.parametrize("text", ["[]", '{"Policies": []}'])
def test_a_layer_that_is_said_to_be_empty_is_no_failure(folder: Path, text: str) -> None:
    (folder / "scp.json").write_text(text, "utf-8")
    arguments = (folder / "dumps", "--scp", folder / "scp.json", "--capability", "list-models", "-o", "json")
    report = json.loads(call(*arguments).stdout)
    assert {one["status"] for one in report["inputs"]} == {"read"}


def test_a_model_of_a_rule_that_is_misspelt_is_noted(folder: Path) -> None:
    rule = {"must": "not-allow", "principals": "*", "capabilities": "infer", "models": "openai.gpt-oss-120"}
    (folder / "access.json").write_text(json.dumps({"version": 1, "rules": [rule]}), "utf-8")
    found = call(folder / "dumps", "--require", folder / "access.json")
    assert "note: requirement `rule 1`: model openai.gpt-oss-120 is in no list" in found.stderr
    assert "did you mean openai.gpt-oss-120b?" in found.stderr


def test_a_fix_for_a_template_names_no_account_that_nobody_has(folder: Path) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}}
    template = {"Resources": {"App": {"Type": "AWS::IAM::Role", "Properties": role}}}
    (folder / "template.json").write_text(json.dumps(template), "utf-8")
    rule = {"must": "allow", "principals": "*", "capabilities": "infer", "auth": "sigv4"}
    (folder / "access.json").write_text(json.dumps({"version": 1, "rules": [rule]}), "utf-8")
    report = json.loads(call(folder / "template.json", "--require", folder / "access.json", "-o", "json").stdout)
    (fix,) = {json.dumps(one["fix"]) for one in report["requirements"][0]["shortfalls"]}
    assert "arn:aws:bedrock-mantle:us-east-1:*:project/default" in fix
    assert "000000000000" not in fix
