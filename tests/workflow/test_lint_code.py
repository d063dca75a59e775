"""Linting of infrastructure code: nothing in it is dropped, no attachment makes it unread, lines and indexes are the text's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mantle_iam.audit.findings import Severity
from mantle_iam.audit.lint.suppressions import read_comments
from mantle_iam.cli.generate import command as generate
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.workflow.lint import Linted, lint

BEARER = "bedrock-mantle:CallWithBearerToken"
STATEMENT = f"""  statement {{
    actions   = ["{BEARER}"]
    resources = ["arn:aws:bedrock-mantle:*:*:project/*"]
  }}
"""
DOCUMENT = f'data "aws_iam_policy_document" "d" {{\n{STATEMENT}}}\n'


def of(text: str, path: Path) -> Linted:
    path.write_text(text, "utf-8")
    return lint([str(path)])


def rules(linted: Linted) -> list[str]:
    return [each.rule for each in linted.findings]


@pytest.mark.parametrize("form", ["terraform", "terraform-json", "cloudformation", "cloudformation-json", "sam"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("--for", "chat"),
        ("--for", "chat", "--attach-role", "app", "--kind", "inline"),
        ("--for", "chat", "--kind", "session"),
        ("--for", "chat", "--kind", "vpc-endpoint", "--organization", "o-a1b2c3d4e5"),
        ("--for", "chat", "--trusted-by", "lambda"),
        ("--deny", "all-keys"),
    ],
)
def test_what_generate_writes_is_read_whole_and_clean(arguments: tuple[str, ...], form: str, tmp_path: Path) -> None:
    made = CliRunner().invoke(generate, [*arguments, "--format", form, "-q"], standalone_mode=False)
    if made.exception is not None:
        pytest.skip(str(made.exception))  # not every kind is written in every form
    names = {"terraform": "main.tf", "terraform-json": "main.tf.json", "cloudformation-json": "t.json"}
    for linted in (
        of(made.stdout, tmp_path / names.get(form, "t.yaml")),
        lint(["-"], standard_input=lambda: made.stdout.encode()),
    ):
        assert [each for each in linted.findings if each.severity is not Severity.INFO] == []
        assert linted.complete, linted.inputs
        assert linted.documents > 0


@pytest.mark.parametrize(
    "rest",
    [
        'resource "aws_iam_role_policy" "p" {\n  role = var.role\n  policy = data.aws_iam_policy_document.d.json\n}\n',
        'module "role" {\n  source = "acme/role"\n  policy = data.aws_iam_policy_document.d.json\n}\n',
        'output "policy" {\n  value = data.aws_iam_policy_document.d.json\n}\n',
        'resource "aws_iam_policy" "p" {\n  policy = data.aws_iam_policy_document.d.json\n}\n'
        'resource "aws_iam_role_policy_attachment" "a" {\n  role = var.role\n  policy_arn = aws_iam_policy.p.arn\n}\n'
        'resource "aws_iam_role_policy_attachment" "s" {\n  role = "app"\n'
        '  policy_arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"\n}\n',
    ],
    ids=["role-unknown", "module", "output", "attached"],
)
def test_a_document_is_read_whoever_uses_it(rest: str, tmp_path: Path) -> None:
    linted = of(DOCUMENT + rest, tmp_path / "main.tf")
    assert rules(linted) == ["bearer-token-on-resource"]
    assert linted.findings[0].place.line == 3
    assert linted.complete, linted.inputs


def test_a_document_that_is_part_of_another_is_told_once(tmp_path: Path) -> None:
    whole = (
        'data "aws_iam_policy_document" "a" {\n  source_policy_documents = [data.aws_iam_policy_document.d.json]\n}\n'
    )
    for text in (whole + DOCUMENT, DOCUMENT + whole):
        assert rules(of(text, tmp_path / "main.tf")) == ["bearer-token-on-resource"]


def test_a_trust_policy_that_no_resource_uses(tmp_path: Path) -> None:
    text = """data "aws_iam_policy_document" "t" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["bedrock-mantle.amazonaws.com"]
    }
  }
}
"""
    assert rules(of(text, tmp_path / "main.tf")) == ["trust-without-source"]


BLOCKS = f"""variable "more" {{}}
data "aws_iam_policy_document" "base" {{
  statement {{
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }}
}}
data "aws_iam_policy_document" "d" {{
  source_policy_documents = [data.aws_iam_policy_document.base.json]
  dynamic "statement" {{
    for_each = var.more
    content {{
      actions   = statement.value
      resources = ["*"]
    }}
  }}
{STATEMENT}  statement {{
    actions   = ["bedrock-mantle:CreateInference", var.more]
    resources = ["arn:aws:bedrock-mantle:*:*:reservation/*"]
  }}
}}
"""
ENCODED = f"""resource "aws_iam_role_policy" "p" {{
  role   = "app"
  policy = jsonencode({{
    Version = "2012-10-17"
    Statement = [
      {{ Effect = "Allow", Action = "s3:GetObject", Resource = "*" }},
      var.more,
      {{
        Effect   = "Allow"
        Action   = "{BEARER}"
        Resource = "arn:aws:bedrock-mantle:*:*:project/*"
      }},
      {{ Effect = "Allow", Action = var.more, Resource = "arn:aws:bedrock-mantle:*:*:reservation/*" }}
    ]
  }})
}}
"""
TEMPLATE = f"""Parameters: {{More: {{Type: String}}}}
Resources:
  P:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {{Effect: Allow, Action: "s3:GetObject", Resource: "*"}}
          - !If [!Ref More, {{Effect: Allow, Action: "s3:*", Resource: "*"}}, !Ref "AWS::NoValue"]
          - Effect: Allow
            Action: {BEARER}
            Resource: arn:aws:bedrock-mantle:*:*:project/*
"""


@pytest.mark.parametrize(("name", "text"), [("blocks.tf", BLOCKS), ("encoded.tf", ENCODED), ("t.yaml", TEMPLATE)])
def test_statements_that_are_not_known_move_no_line_and_no_index(name: str, text: str, tmp_path: Path) -> None:
    linted = of(text, tmp_path / name)
    (one,) = linted.findings
    assert (one.rule, one.statement) == ("bearer-token-on-resource", 2)
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines, 1) if BEARER in line)
    assert one.place.line in (at, at - 1)


STATEMENTS = [
    {"actions": ["s3:GetObject"], "resources": ["*"]},
    {"actions": [BEARER], "resources": ["${local.reach}"]},
]
JSON = {
    "//": "a comment",
    "locals": [{"reach": "arn:aws:bedrock-mantle:*:*:project/*"}],
    "variable": {"role": {"type": "string"}, "names": {"default": ["a"]}},
    "data": {
        "aws_iam_policy_document": {
            "d": {
                "statement": STATEMENTS,
                "dynamic": {"statement": {"for_each": "${var.names}", "content": STATEMENTS[0]}},
            },
        }
    },
    "resource": [
        {"aws_iam_policy": {"p": {"name": "p-${var.role}", "policy": "${data.aws_iam_policy_document.d.json}"}}},
        {
            "aws_iam_role_policy": {
                "e": [
                    {
                        "role": "${var.role}",
                        "policy": '${jsonencode({Version = "2012-10-17", Statement = [{Effect = "Allow", '
                        'Action = "bedrock-mantle:InvokeModel", Resource = "*"}]})}',
                    }
                ],
            }
        },
    ],
    "module": {"m": {"source": "x/y"}},
}


@pytest.mark.parametrize("name", ["main.tf.json", "of-another-name.json"])
def test_the_json_syntax_of_terraform(name: str, tmp_path: Path) -> None:
    text = json.dumps(JSON, indent=2)
    linted = of(text, tmp_path / name)
    assert linted.complete, linted.inputs
    assert [one.kind for one in linted.inputs] == ["terraform"]
    lines = text.splitlines()
    by_rule = {each.rule: each for each in linted.findings}
    assert set(by_rule) == {"bearer-token-on-resource", "unknown-action"}
    # The statement's own line, and that of the attribute with the encoded document.
    assert BEARER in lines[(by_rule["bearer-token-on-resource"].place.line or 0) + 1]
    assert "InvokeModel" in lines[(by_rule["unknown-action"].place.line or 0) - 1]


def test_both_syntaxes_are_one_module(tmp_path: Path) -> None:
    (tmp_path / "a.tf").write_text('locals {\n  action = "bedrock-mantle:InvokeModel"\n}\n')
    code = {
        "data": {"aws_iam_policy_document": {"d": {"statement": {"actions": ["${local.action}"], "resources": ["*"]}}}},
        "output": {"x": {"value": "${data.aws_iam_policy_document.d.json}"}},
    }
    (tmp_path / "b.tf.json").write_text(json.dumps(code))
    linted = lint([str(tmp_path)])
    assert rules(linted) == ["unknown-action"]
    assert len(linted.inputs) == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"resource": {"aws_iam_policy": ["x", 1, null, {"p": 3, "q": {"policy": {"a": "${"}}}]}}',
        '{"resource": {}, "data": {"aws_iam_policy_document": {"d": [[]], "e": {"statement": "${x"}}}}',
        '{"resource": {"aws_iam_role": {"r": {"assume_role_policy": "%{for", "dynamic": {"x": 1}}}}}',
        '{"locals": {"a": "${local.b}", "b": "${local.a}"}, "resource": {"aws_iam_policy": {"p": {"policy": "${local.a}"}}}}',
    ],
)
def test_wrong_json_syntax_is_said(text: str, tmp_path: Path) -> None:
    linted = of(text, tmp_path / "main.tf.json")
    assert linted.inputs[0].problems
    assert linted.inputs[0].status is not InputStatus.FAILED


def test_a_resource_whose_condition_does_not_hold_is_said(tmp_path: Path) -> None:
    text = TEMPLATE.replace("  P:\n", "  P:\n    Condition: C\n").replace(
        "Resources:", "Conditions: {C: !Equals [a, b]}\nResources:"
    )
    (one,) = of(text, tmp_path / "t.yaml").inputs
    assert "`P`" in " ".join(one.problems)


@pytest.mark.parametrize(
    ("name", "text", "status"),
    [
        ("data.json", '{"name": "x", "version": "1"}', InputStatus.READ),
        ("numbers.json", "[1, 2]", InputStatus.READ),
        ("pod.yaml", "kind: Pod\nspec: {restartPolicy: Never}\n", InputStatus.READ),
        ("chart.yaml", "a: {{ .Values.x }}: {\n", InputStatus.READ),
        ("policy.json", '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"', InputStatus.FAILED),
        ("t.yaml", "Resources:\n  R: {Type: 'AWS::IAM::Role'\n", InputStatus.FAILED),
    ],
)
def test_what_else_a_folder_has_is_passed_over_and_said(
    name: str, text: str, status: InputStatus, tmp_path: Path
) -> None:
    path = tmp_path / "folder" / name
    path.parent.mkdir()
    path.write_text(text, "utf-8")
    (one,) = lint([str(path.parent)]).inputs
    assert (one.path, one.status) == (str(path), status)
    assert one.problems
    (named,) = lint([str(path)]).inputs
    assert named.status is InputStatus.FAILED  # somebody meant it to be a policy


def test_policies_of_other_services_are_said(tmp_path: Path) -> None:
    text = 'resource "aws_s3_bucket_policy" "b" {\n  bucket = "b"\n  policy = jsonencode({})\n}\n'
    (one,) = of(text, tmp_path / "main.tf").inputs
    assert "`aws_s3_bucket_policy.b`" in " ".join(one.problems)


POLICY = """Version: "2012-10-17"
Statement:
  - Effect: Allow
    Action: bedrock-mantle:InvokeModel
    Resource: "*"
"""


def test_every_document_of_a_yaml_text_is_read(tmp_path: Path) -> None:
    linted = of(f"{POLICY}---\n{POLICY}---\n", tmp_path / "p.yaml")
    assert [each.place.line for each in linted.findings] == [4, 10]
    listed = "".join(f"- {POLICY}".replace("\n", "\n  ").rstrip(" ") for _ in range(2))
    assert [each.place.line for each in of(listed, tmp_path / "p.yaml").findings] == [4, 9]
    mixed = of(f"{POLICY}---\nkind: Pod\n", tmp_path / "p.yaml")
    assert (rules(mixed), mixed.complete) == (["unknown-action"], False)


def test_equal_documents_at_several_places_are_told_at_each(tmp_path: Path) -> None:
    owner = "  {0}:\n    Type: AWS::IAM::{0}\n    Properties:\n      Policies:\n"
    inner = "        - PolicyName: p\n          PolicyDocument:\n"
    inner += "".join(f"            {line}\n" for line in POLICY.splitlines())
    text = "Resources:\n" + "".join(owner.format(kind) + inner for kind in ("User", "Group"))
    assert sorted(each.place.address for each in of(text, tmp_path / "t.yaml").findings) == ["Group", "User"]


def test_what_the_command_for_permission_sets_prints(tmp_path: Path) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": BEARER, "Resource": "arn:x:y:::z"}],
    }
    linted = of(json.dumps({"InlinePolicy": json.dumps(document)}), tmp_path / "p.json")
    assert rules(linted)
    assert linted.complete


NOTE = "# mantle-iam: ignore bearer-token-on-resource ticket 12"


@pytest.mark.parametrize(
    ("before", "instead", "kept"),
    [
        ("  statement {", f"  {NOTE}\n  statement {{", 0),
        ("    actions ", f"    {NOTE}\n    actions ", 0),
        (f'["{BEARER}"]', f'["{BEARER}"] {NOTE}', 0),
        (f'["{BEARER}"]', f'[\n      {NOTE}\n      "{BEARER}",\n    ]', 0),
        ('data "aws', f'{NOTE}\ndata "aws', 0),
        ("    resources ", f"    {NOTE}\n    resources ", 1),
        ("}\n", f"}}\n{NOTE}\n", 1),
    ],
)
def test_a_comment_in_a_document_of_blocks(before: str, instead: str, kept: int, tmp_path: Path) -> None:
    linted = of(DOCUMENT.replace(before, instead, 1), tmp_path / "main.tf")
    assert rules(linted).count("bearer-token-on-resource") == kept
    assert len(linted.suppressed) == 1 - kept


def test_comments_upon_comments_take_linear_time() -> None:
    found = read_comments(f"{NOTE}\n" * 50_000 + "statement {\n" * 2_000, "main.tf")
    assert len(found) == 50_000
    assert 50_001 in found[0].lines
