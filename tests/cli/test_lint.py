"""``mantle-iam lint``: exit codes, places, kinds, suppressions, the JSON by its schema, bad input."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.audit.lint.engine import lint_policy
from mantle_iam.bundled import schema
from mantle_iam.cli.lint import FORMATS, command
from mantle_iam.errors import MantleIamError
from mantle_iam.workflow.lint_documents import Broken, policies_in

PROJECT = "arn:aws:bedrock-mantle:*:*:project/*"
GOOD = {"Effect": "Allow", "Action": "bedrock-mantle:CreateInference", "Resource": PROJECT}
TYPO = {"Sid": "Tags", "Effect": "Allow", "Action": ["bedrock-mantle:ListTagsForResources"], "Resource": PROJECT}
WIDE = {"Sid": "All", "Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, content: Any) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(content if isinstance(content, str) else json.dumps(content, indent=2), "utf-8")
    return name


def run(*arguments: str) -> int:
    """The command's exit code, errors told as the program tells them."""
    try:
        code = command.main(args=list(arguments), prog_name="lint", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MantleIamError as error:
        click.echo(f"error: {error}", err=True)
        if error.help:
            click.echo(f"  help: {error.help}", err=True)
        return error.exit_code
    return int(code)


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    from jsonschema import Draft202012Validator

    capsys.readouterr()
    code = run(*arguments, "--output", "json")
    printed = json.loads(capsys.readouterr().out)
    Draft202012Validator(schema("lint")).validate(printed)
    return code, printed


def rules(printed: dict[str, Any]) -> list[str]:
    return [each["rule"] for each in printed["findings"]]


def test_schema_is_a_schema() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema("lint"))


def test_clean(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = found(capsys, write("good.json", document(GOOD)))
    assert (code, printed["findings"]) == (0, [])
    assert printed["inputs"] == [{"path": "good.json", "status": "read", "kind": "identity-policy", "problems": []}]


def test_a_finding_has_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    path = write("typo.json", document(GOOD, TYPO))
    code, printed = found(capsys, path)
    (one,) = printed["findings"]
    assert code == 1
    assert (one["rule"], one["severity"], one["file"], one["statement"], one["sid"]) == (
        "unknown-action",
        "error",
        "typo.json",
        1,
        "Tags",
    )
    line = Path(path).read_text("utf-8").splitlines()[one["line"] - 1]
    assert line[one["column"] - 1 :].startswith('"bedrock-mantle:ListTagsForResources"')
    assert "`bedrock-mantle:ListTagsForResource`" in one["remedy"]
    assert one["reference"].startswith("https://docs.aws.amazon.com/")


def test_text_shows_the_line_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(write("typo.json", document(TYPO))) == 1
    out = capsys.readouterr()
    assert "typo.json:8:9: error[unknown-action]" in out.out
    assert '"bedrock-mantle:ListTagsForResources"' in out.out
    assert "1 error" in out.out
    assert "taken for kind identity" in out.err


WRAPPED = {
    "bare": document(TYPO),
    "one statement that is no list": {"Version": "2012-10-17", "Statement": TYPO},
    "get-policy-version": {"PolicyVersion": {"Document": document(TYPO), "VersionId": "v1"}},
    "get-role-policy": {"RoleName": "r", "PolicyName": "p", "PolicyDocument": document(TYPO)},
    "a list": [document(GOOD), document(TYPO)],
    "shipped": {"name": "x", "document": document(TYPO)},
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrappers(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("x.json", WRAPPED[name])
    code, printed = found(capsys, path)
    assert (code, rules(printed)) == (1, ["unknown-action"])
    one = printed["findings"][0]
    line = Path(path).read_text("utf-8").splitlines()[one["line"] - 1]
    assert line[one["column"] - 1 :].startswith('"bedrock-mantle:ListTagsForResources"')


def test_json_lines_and_strings(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.dumps(document(GOOD)), json.dumps({"PolicyName": "q", "PolicyDocument": json.dumps(document(TYPO))})]
    code, printed = found(capsys, write("x.jsonl", "\n".join(lines) + "\n"))
    (one,) = printed["findings"]
    assert (code, one["line"], one["policy"]) == (1, 2, "q")
    assert one["pointer"] == "/1/PolicyDocument/Statement/0/Action/0"


def test_organizations_say_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    deny = {"Effect": "Deny", "Action": "bedrock-mantle:CallWithBearerToken", "Resource": "*"}
    summary = {"Name": "NoKeys", "Arn": "arn:aws:organizations::1:policy/p", "Type": "SERVICE_CONTROL_POLICY"}
    path = write("x.json", {"Policy": {"PolicySummary": summary, "Content": json.dumps(document(deny))}})
    code, printed = found(capsys, path)
    assert (code, rules(printed), printed["inputs"][0]["kind"]) == (1, ["half-covered-key-denial"], "scp-policy")
    assert printed["findings"][0]["severity"] == "warning"


def test_kind_is_guessed_said_and_overruled(capsys: pytest.CaptureFixture[str]) -> None:
    deny = {"Effect": "Deny", "Action": "bedrock-mantle:CallWithBearerToken", "Resource": "*"}
    path = write("x.json", document(deny))
    code, printed = found(capsys, path)
    assert (code, printed["findings"][0]["severity"]) == (0, "info")
    code, printed = found(capsys, path, "--kind", "scp")
    assert (code, printed["findings"][0]["severity"]) == (1, "warning")
    write("scps/x.json", document(deny))
    capsys.readouterr()
    assert run("scps/x.json") == 1
    assert "scps/x.json is taken for kind scp: by its name" in capsys.readouterr().err


def test_auth(capsys: pytest.CaptureFixture[str]) -> None:
    path = write("x.json", document(GOOD))
    assert found(capsys, path, "--auth", "sigv4")[0] == 0
    code, printed = found(capsys, path, "--auth", "long-term-key")
    assert (code, rules(printed)) == (1, ["key-without-bearer-token-permission"])


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(document(TYPO)).encode("utf-16"))))
    code, printed = found(capsys, "-")
    assert (code, rules(printed), printed["findings"][0]["file"]) == (1, ["unknown-action"], "-")


@pytest.mark.parametrize(("level", "code"), [("error", 0), ("warning", 0), ("info", 1), ("never", 0)])
def test_fail_on(level: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(capsys, write("x.json", document(WIDE)), "--fail-on", level)[0] == code


def test_fail_on_never_keeps_what_was_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert found(capsys, write("x.json", document(TYPO)), "--fail-on", "never")[0] == 0
    assert found(capsys, "x.json", write("y.json", '{"Statement": ['))[0] == 3
    assert found(capsys, "x.json", "y.json", "--fail-on", "never")[0] == 3


def test_select_and_ignore(capsys: pytest.CaptureFixture[str]) -> None:
    path = write("x.json", document(TYPO, WIDE))
    assert rules(found(capsys, path)[1]) == ["unknown-action", "full-access"]
    assert rules(found(capsys, path, "--select", "full-access,policy-grammar")[1]) == ["full-access"]
    assert rules(found(capsys, path, "--ignore", "full-access", "--ignore", "unknown-action")[1]) == []
    capsys.readouterr()
    assert run(path, "--select", "ful-access") == 2
    assert "did you mean `full-access`?" in capsys.readouterr().err


def test_rules_by_a_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    path = write("x.json", document(TYPO, WIDE))
    assert rules(found(capsys, path, "--select", "all")[1]) == ["unknown-action", "full-access"]
    assert rules(found(capsys, path, "--select", "unknown-*")[1]) == ["unknown-action"]
    assert rules(found(capsys, path, "--ignore", "unknown-*, full-access")[1]) == []
    for nothing in (("--select", "un-*"), ("--ignore", "all"), ("--select", "full-access", "--ignore", "full-*")):
        capsys.readouterr()
        assert run(path, *nothing) == 2
        assert "rule" in capsys.readouterr().err


def test_a_file_of_two_names_is_read_once(capsys: pytest.CaptureFixture[str]) -> None:
    write("d/x.json", document(TYPO))
    write("d/y.json", document(GOOD))
    Path("link.json").symlink_to("d/x.json")
    for names in (("d/x.json", "./d/x.json"), ("d/x.json", "d"), ("d", "d/x.json"), ("d", "d/"), ("link.json", "d")):
        _, printed = found(capsys, *names)
        assert rules(printed) == ["unknown-action"], names
        read = [Path(each["path"]).resolve() for each in printed["inputs"]]
        assert len(read) == len(set(read)), names


@pytest.mark.parametrize("text", ["[]", " [ ] "])
def test_nothing_to_judge_is_said(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("x.json", text)
    assert run(path) == 0
    assert "nothing was judged" in capsys.readouterr().err
    _, printed = found(capsys, path)
    assert printed["inputs"] == [{"path": "x.json", "status": "read", "kind": None, "problems": ["no policy is in it"]}]
    # Beside something that was judged it is no word on the whole.
    assert run(path, write("y.json", document(GOOD))) == 0
    assert "nothing was judged" not in capsys.readouterr().err


def test_list_of_rules(capsys: pytest.CaptureFixture[str]) -> None:
    from mantle_iam.audit.lint.registry import RULES

    assert run("--list-rules") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [rule.id for rule in RULES]
    assert run("--list-rules", "--output", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["rule"] for each in listed["rules"]] == [rule.id for rule in RULES]


@pytest.mark.parametrize("output", FORMATS)
def test_every_format_is_written(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(write("x.json", document(TYPO)), "--output", output) == 1
    assert "unknown-action" in capsys.readouterr().out


# --- suppressions


def entry(**fields: Any) -> str:
    return "[[ignore]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())


SUPPRESSED = [
    ("by its file", entry(rule="full-access", path="p/x.json", reason="break-glass"), []),
    ("by a pattern", entry(rule="full-access", path="p/*", reason="break-glass"), []),
    ("by the end of the path", entry(rule="full-access", path="x.json", reason="break-glass"), []),
    ("by the Sid", entry(rule="full-access", statement="All", reason="break-glass"), []),
    ("by the index", entry(rule="full-access", statement=1, reason="break-glass"), []),
    ("another Sid", entry(rule="full-access", statement="Other", reason="r"), ["full-access", "unused-suppression"]),
    ("another file", entry(rule="full-access", path="y.json", reason="r"), ["full-access"]),
    ("another rule", entry(rule="policy-grammar", path="x.json", reason="r"), ["full-access", "unused-suppression"]),
    ("no reason", entry(rule="full-access"), ["full-access", "suppression-without-reason"]),
    ("white space for a reason", entry(rule="full-access", reason=" "), ["full-access", "suppression-without-reason"]),
    ("no such rule", entry(rule="fullaccess", reason="r"), ["full-access", "suppression-of-unknown-rule"]),
]


@pytest.mark.parametrize(("toml", "wanted"), [each[1:] for each in SUPPRESSED], ids=[each[0] for each in SUPPRESSED])
def test_suppressions(toml: str, wanted: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    path = write("p/x.json", document(GOOD, WIDE))
    write("mantle-iam-lint.toml", "# ours\n\n" + toml)
    _, printed = found(capsys, path)
    assert sorted(rules(printed)) == sorted(wanted)
    ours = [each for each in printed["findings"] if each["file"] == "mantle-iam-lint.toml"]
    assert all(each["line"] == 3 for each in ours)


def test_a_suppression_that_was_not_asked_for_is_not_called_unused(capsys: pytest.CaptureFixture[str]) -> None:
    path = write("x.json", document(GOOD))
    write("mantle-iam-lint.toml", entry(rule="full-access", path="x.json", reason="r"))
    assert rules(found(capsys, path)[1]) == ["unused-suppression"]
    assert rules(found(capsys, path, "--ignore", "full-access")[1]) == []


@pytest.mark.parametrize(
    "toml",
    [
        "[[ignore]",
        "ignore = 3",
        "[lint]\nx = 1",
        entry(rul="x"),
        entry(reason="r"),
        entry(rule=3),
        "ignore = [1]",
        "a" * 99,
    ],
)
def test_a_bad_suppression_file_is_wrong_usage(toml: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("x.json", document(GOOD))
    write("own.toml", toml)
    assert run(path, "--config", "own.toml") == 2
    assert capsys.readouterr().err.startswith("error: own.toml")
    assert run(path, "--config", "none.toml") == 2


# --- bad input

BAD = {
    "not JSON": "{nonsense",
    "truncated": '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",',
    "nested": "[" * 5000,
    "binary": "{\x00\x01",
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_said_and_the_rest_goes_on(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    bad, good = write("bad.json", BAD[name]), write("typo.json", document(TYPO))
    code, printed = found(capsys, bad, good)
    assert (code, rules(printed)) == (3, ["unknown-action"])
    assert [each["status"] for each in printed["inputs"]] == ["failed", "read"]
    assert printed["inputs"][0]["problems"]


BROKEN = {
    "no effect": {"Statement": [{"Action": "*", "Resource": "*"}]},
    "effect in lower case": document({**GOOD, "Effect": "allow"}),
    "a number for an action": document({**GOOD, "Action": 1}),
    "statement is a text": {"Statement": "x"},
    "both": document({**GOOD, "NotAction": "*"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_document_that_aws_would_refuse_is_a_finding(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = found(capsys, write("x.json", BROKEN[name]))
    assert (code, rules(printed)) == (1, ["policy-grammar"])
    assert printed["findings"][0]["line"]


def test_a_broken_document_is_not_lost_where_the_rule_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    path = write("x.json", BROKEN["no effect"])
    code, printed = found(capsys, path, "--ignore", "policy-grammar")
    assert (code, rules(printed), printed["inputs"][0]["status"]) == (3, [], "partial")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Statement", "Effect", "Action", "PolicyVersion", "Document", "Policy", "Content", "Arn", "x", ""]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(JSON)
def test_no_json_makes_it_raise(value: Any) -> None:
    for policy, _ in policies_in(json.dumps(value), "x.json") or ():
        if not isinstance(policy, Broken):
            lint_policy(policy)


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert run("x.json", "--kind", "bucket") == 2
    assert "identity" in capsys.readouterr().err


# --- what `collect` reads

TERRAFORM = """\
resource "aws_iam_policy" "tags" {
  name = "tags"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "bedrock-mantle:CallWithBearerToken"
        Resource = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default"
      },
      {
        Effect   = "Allow"
        Action   = ["bedrock-mantle:ListTagsForResources"] # mantle-iam: ignore unknown-action until the module is updated
        Resource = "*"
      },
    ]
  })
}
"""
TEMPLATE = """\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Action: sts:AssumeRole, Principal: {Service: lambda.amazonaws.com}}
      Policies:
        - PolicyName: mantle
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: bedrock-mantle:CreateInference
                Resource: !Sub arn:${AWS::Partition}:bedrock-mantle:${AWS::Region}:${AWS::AccountId}:project/*
              - Effect: Allow
                Action: bedrock-mantle:CallWithBearerToken
                Resource: !Sub arn:${AWS::Partition}:bedrock-mantle:${AWS::Region}:${AWS::AccountId}:project/*
              - Effect: Allow
                # mantle-iam: ignore unknown-action until the module is updated
                Action: bedrock-mantle:InvokeModel
                Resource: !Ref Whatever
"""


@pytest.mark.parametrize(
    ("name", "text", "mark"),
    [
        ("infra/main.tf", TERRAFORM, '"bedrock-mantle:CallWithBearerToken"'),
        ("template.yaml", TEMPLATE, "bedrock-mantle:CallWithBearerToken"),
    ],
)
def test_code(name: str, text: str, mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(name, text)
    code, printed = found(capsys, "infra" if "/" in name else name)
    (one,) = printed["findings"]
    assert (code, one["rule"], one["file"]) == (1, "bearer-token-on-resource", name)
    lines = text.splitlines()
    # The line of the action where the file's reader knows it, and of its statement otherwise.
    assert mark in lines[one["line"] - 1] or mark in lines[one["line"]] or mark in lines[one["line"] + 1]


def test_a_comment_without_reason_or_need(capsys: pytest.CaptureFixture[str]) -> None:
    write("main.tf", TERRAFORM.replace(" until the module is updated", ""))
    assert sorted(rules(found(capsys, "main.tf")[1])) == [
        "bearer-token-on-resource",
        "suppression-without-reason",
        "unknown-action",
    ]
    write("main.tf", TERRAFORM.replace("ListTagsForResources", "ListTagsForResource"))
    code, printed = found(capsys, "main.tf")
    assert sorted(rules(printed)) == ["bearer-token-on-resource", "unused-suppression"]
    unused = next(each for each in printed["findings"] if each["rule"] == "unused-suppression")
    assert "mantle-iam: ignore" in TERRAFORM.splitlines()[unused["line"] - 1]
    assert code == 1


COMMENTS = [
    ("# mantle-iam: ignore unknown-action until then", []),
    ("#mantle-iam:ignore unknown-action until then", []),
    ("// mantle-iam: ignore unknown-action until then", []),
    ("//mantle-iam:ignore unknown-action until then", []),
    ("/* mantle-iam: ignore unknown-action until then */", []),
    ("/*mantle-iam:ignore unknown-action until then*/", []),
    ("#  mantle-iam :  ignore  unknown-action  until then", []),
    ("/* mantle-iam: ignore unknown-action */", ["suppression-without-reason", "unknown-action"]),
    ("#mantle-iam:ignore unknown-action", ["suppression-without-reason", "unknown-action"]),
    ("#mantle-iam:ignore", ["suppression-of-unknown-rule", "unknown-action"]),
    ("# mantle-iam: ignored unknown-action until then", ["unknown-action"]),
    ("mantle-iam: ignore unknown-action until then", ["unknown-action"]),
]


@pytest.mark.parametrize(("comment", "wanted"), COMMENTS)
@pytest.mark.parametrize("where", ["behind", "before", "before the block"])
def test_forms_of_a_comment(comment: str, wanted: list[str], where: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not comment.startswith(("#", "/")):
        comment = f"# see {comment}"
    line = 'Action = "bedrock-mantle:ListTagsForResources"'
    text = {
        "behind": f"{{\n {line} {comment}",
        "before": f"{{\n {comment}\n\n {line}",
        "before the block": f"{comment}\n{{\n {line}",
    }[where]
    policy = f'[\n{text}\nEffect = "Allow"\nResource = "*"\n}}]'
    write("x.tf", f'resource "aws_iam_policy" "p" {{\npolicy = jsonencode({{\nStatement = {policy}\n}})\n}}\n')
    code, printed = found(capsys, "x.tf")
    assert (code, sorted(rules(printed))) == (1 if wanted else 0, wanted)


def test_a_comment_before_code_on_its_line_is_about_that_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = TERRAFORM.replace(
        '        Action   = ["bedrock-mantle:ListTagsForResources"] #',
        '        /* mantle-iam: ignore unknown-action reason */ Action = ["bedrock-mantle:ListTagsForResources"] # see',
    )
    assert rules(found(capsys, write("x.tf", text))[1]) == ["bearer-token-on-resource"]


def test_comments_without_end_take_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    import time

    from mantle_iam.audit.lint.suppressions import read_comments

    started = time.perf_counter()
    for text in (
        "#" * 10**6,
        "# " * 10**6,
        "#" + " " * 10**6,
        "# mantle-iam" * 10**5,
        "/*" * 10**6,
        "\n# mantle-iam: ignore" * 10**4,
    ):
        read_comments(text, "x.tf")
    assert time.perf_counter() - started < 10


def test_a_folder_of_documents(capsys: pytest.CaptureFixture[str]) -> None:
    endpoint = {"Effect": "Allow", "Principal": "*", "Action": "bedrock-mantle:CreateInference", "Resource": "*"}
    write("f/good.json", document(GOOD))
    write("f/broken.json", {"Statement": [{"Action": "*"}]})
    write("f/endpoint.json", document(endpoint))
    write("f/scp/half.json", document({"Effect": "Deny", "Action": "bedrock:CallWithBearerToken", "Resource": "*"}))
    write("f/cut.json", '{"Statement": [')
    write("f/sub/typo.json", document(TYPO))
    code, printed = found(capsys, "f")
    assert code == 3
    assert {(each["file"], each["rule"]) for each in printed["findings"]} == {
        ("f/broken.json", "policy-grammar"),
        ("f/scp/half.json", "half-covered-key-denial"),
        ("f/sub/typo.json", "unknown-action"),
    }
    assert [each["path"] for each in printed["inputs"] if each["status"] == "failed"] == ["f/cut.json"]


def test_what_a_hook_names_and_is_no_policy(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = (
        write("policies/tsconfig.json", '{"compilerOptions": {} // no JSON\n}'),
        write("policies/package.json", {"name": "x"}),
        write("policies/list.json", [1, 2]),
        write("policies/notes.txt", "no policy"),
    )
    typo = write("policies/typo.json", document(TYPO))
    code, printed = found(capsys, *unknown, typo)
    assert (code, rules(printed)) == (3, ["unknown-action"])
    assert {each["path"] for each in printed["inputs"] if each["status"] == "failed"} == {*unknown}
    code, printed = found(capsys, "--ignore-unknown", *unknown, typo)
    assert (code, rules(printed)) == (1, ["unknown-action"])
    said = {each["path"]: each["problems"] for each in printed["inputs"]}
    assert said == {**{path: ["passed over: no policy is in it"] for path in unknown}, typo: []}
    # Nothing is a policy, and that is said; what may be one, or is not there, is no unknown file.
    assert run("--ignore-unknown", *unknown) == 0
    assert "nothing was judged" in capsys.readouterr().err
    assert run("--ignore-unknown", write("policies/cut.json", '{"Statement": [')) == 3
    assert run("--ignore-unknown", write("policies/empty.json", "")) == 3
    assert run("--ignore-unknown", "missing.json") == 3


def test_a_dump_of_an_account(capsys: pytest.CaptureFixture[str]) -> None:
    """Roles with documents URL-encoded as the raw API gives them, an AWS managed policy by its name alone."""
    from urllib.parse import quote

    role = {
        "Arn": "arn:aws:iam::111122223333:role/app",
        "RoleName": "app",
        "RoleId": "AROA",
        "Path": "/",
        "AssumeRolePolicyDocument": quote(
            json.dumps(document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "111122223333"}}))
        ),
        "RolePolicyList": [{"PolicyName": "typo", "PolicyDocument": quote(json.dumps(document(TYPO)))}],
        "AttachedManagedPolicies": [
            {
                "PolicyName": "AmazonBedrockMantleFullAccess",
                "PolicyArn": "arn:aws:iam::aws:policy/AmazonBedrockMantleFullAccess",
            }
        ],
        "Tags": [],
        "InstanceProfileList": [],
    }
    dump = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [role], "Policies": [], "IsTruncated": False}
    code, printed = found(capsys, write("gaad.json", dump))
    # What AWS's own policy is wide in is nobody's finding here.
    assert (code, rules(printed)) == (1, ["unknown-action"])
    assert printed["findings"][0]["policy"] == "typo"
    assert printed["findings"][0]["line"]


def test_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = found(capsys, "nothing.json", write("good.json", document(GOOD)))
    assert code == 3
    assert {each["path"]: each["status"] for each in printed["inputs"]} == {
        "nothing.json": "failed",
        "good.json": "read",
    }


def test_many_documents_in_one_file_take_linear_time(capsys: pytest.CaptureFixture[str]) -> None:
    import time

    lines = "\n".join(json.dumps(document(TYPO)) for _ in range(2_000))
    path = write("x.jsonl", lines)
    started = time.perf_counter()
    code, printed = found(capsys, path)
    assert (code, len(printed["findings"]), printed["findings"][-1]["line"]) == (1, 2_000, 2_000)
    assert time.perf_counter() - started < 10


def test_keys_of_users(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A dump and the list of keys complete each other; the place of a user is the user's."""
    name = "BedrockAPIKey-abcd"
    user = {
        "Arn": f"arn:aws:iam::111122223333:user/{name}",
        "UserName": name,
        "UserId": "AIDA",
        "Path": "/",
        "UserPolicyList": [
            {"PolicyName": "all", "PolicyDocument": document({"Effect": "Allow", "Action": "*", "Resource": "*"})}
        ],
        "GroupList": [],
        "AttachedManagedPolicies": [],
        "Tags": [],
    }
    key = {
        "UserName": name,
        "Status": "Active",
        "ServiceCredentialAlias": f"{name}-at-111122223333",
        "CreateDate": "2026-01-01T00:00:00Z",
        "ServiceSpecificCredentialId": "ACCAEXAMPLE",
        "ServiceName": "bedrock.amazonaws.com",
    }
    dump = write(
        "gaad.json",
        {"UserDetailList": [user], "GroupDetailList": [], "RoleDetailList": [], "Policies": [], "IsTruncated": False},
    )
    code, printed = found(capsys, dump, write("keys.json", {"ServiceSpecificCredentials": [key]}))
    assert code == 1
    assert sorted(rules(printed)) == ["long-term-key-of-administrator", "long-term-key-without-expiry"]
    for one in printed["findings"]:
        assert one["principal"] == user["Arn"]
        assert Path(dump).read_text("utf-8").splitlines()[one["line"] - 1].strip() == "{"


def test_a_template_from_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEMPLATE.encode())))
    code, printed = found(capsys, "-")
    (one,) = printed["findings"]
    assert (code, one["rule"], one["file"]) == (1, "bearer-token-on-resource", "-")
    assert "CallWithBearerToken" in TEMPLATE.splitlines()[one["line"] - 1]


def test_a_text_that_is_not_utf_8_is_judged_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    text = json.dumps(document({**GOOD, "Sid": "S"})).replace('"S"', '"caf\xe9"')
    Path("latin.json").write_bytes(text.encode("latin-1"))
    _, printed = found(capsys, "latin.json")
    (one,) = printed["inputs"]
    assert one["status"] == "read"
    assert any("read as Latin-1" in problem for problem in one["problems"])


def test_a_name_that_the_system_refuses_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300 + ".json"
    code, printed = found(capsys, write("good.json", document(GOOD)), long)
    assert code == 3
    assert sorted((one["path"][:4], one["status"]) for one in printed["inputs"]) == [
        ("good", "read"),
        ("xxxx", "failed"),
    ]
