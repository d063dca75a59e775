"""Formats: the text says exactly what the document says, to real readers."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from typing import Any

import hcl2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam import bundled
from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, checked_policy_name
from mantle_iam.generate.least_privilege import least_privilege
from mantle_iam.generate.presets import PURPOSES, find_purpose, permissions_for
from mantle_iam.generate.render import format_names, render
from mantle_iam.generate.render.hcl import hcl_string
from mantle_iam.iam.grammar import parse_policy, write_policy
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Statement
from mantle_iam.iam.validation import policy_size
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.mantle.scope import Scope

TERRAFORM = shutil.which("terraform")
needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="no terraform on PATH: its own formatter was not asked")

HOSTILE = PolicyDocument(
    (
        Statement(
            Effect.DENY,
            not_actions=("a:${aws:username}", 'b:"quoted"'),
            not_resources=("arn:aws:s3:::bucket/%{if}\\${x}\n\t$${y}/é",),
            conditions=(
                Condition("StringLike", 'aws:PrincipalTag/"x"', ("${aws:PrincipalTag/team, 'none'}", "%%{x}", "")),
                Condition("Bool", "aws:SecureTransport", ("true",)),
            ),
        ),
        Statement(Effect.ALLOW, actions=("a:b",), resources=("*",), sid="Plain"),
    )
)


def template(name: str) -> str:
    return (bundled.templates() / name).read_text("utf-8")


def policy(purpose: str, **scope: Any) -> PolicyDocument:
    return least_privilege(permissions_for(find_purpose(purpose), AuthMethod.LONG_TERM_KEY, Scope(**scope))).document


def terraform(document: PolicyDocument, **more: Any) -> str:
    return render(Artifact((document,), **more), "terraform", template)


def unquoted(text: str) -> str:
    """The string that an HCL literal without interpolation stands for."""
    assert text[0] == text[-1] == '"'
    inner = text[1:-1].replace("$${", "${").replace("%%{", "%{")
    value: str = json.loads(f'"{inner}"')
    return value


def read_back(text: str) -> list[dict[str, Any]]:
    """The statements of the policy document in ``text``, as JSON would have them."""
    parsed = hcl2.load(io.StringIO(text))
    (block,) = [d for d in parsed["data"] if '"aws_iam_policy_document"' in d]
    (body,) = next(iter(block.values())).values()
    found = []
    for statement in body["statement"]:
        written: dict[str, Any] = {}
        for key, element in (("sid", "Sid"), ("effect", "Effect")):
            if key in statement:
                written[element] = unquoted(statement[key])
        for key, element in (
            ("actions", "Action"),
            ("not_actions", "NotAction"),
            ("resources", "Resource"),
            ("not_resources", "NotResource"),
        ):
            if key in statement:
                written[element] = [unquoted(value) for value in statement[key]]
        for condition in statement.get("condition", []):
            of_operator = written.setdefault("Condition", {}).setdefault(unquoted(condition["test"]), {})
            of_operator[unquoted(condition["variable"])] = [unquoted(value) for value in condition["values"]]
        found.append(written)
    return found


@pytest.mark.parametrize("purpose", [p.name for p in PURPOSES])
def test_terraform_says_what_json_says(purpose):
    document = policy(purpose, models=("openai.gpt-oss-120b", "zai.glm-5"), regions=("us-east-1", "us-gov-west-1"))
    again = parse_policy({"Version": "2012-10-17", "Statement": read_back(terraform(document))})
    assert again == document


def test_terraform_says_hostile_names_right():
    assert parse_policy({"Version": "2012-10-17", "Statement": read_back(terraform(HOSTILE))}) == HOSTILE


@needs_terraform
@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"description": "what it is for"},
        {"roles": ("one", "two")},
        {"users": ("alice",), "groups": ("team",)},
        {"name": 'we"ird ${name} %{x}', "roles": ("${r}",)},
    ],
)
@pytest.mark.parametrize("document", [HOSTILE, None], ids=["hostile", "usual"])
def test_terraform_formats_it_no_further(document, more, tmp_path):
    text = terraform(document or policy("inference", models=("a.b",)), **more)
    (tmp_path / "main.tf").write_text(text, "utf-8")
    ran = subprocess.run(
        [str(TERRAFORM), "fmt", "-check", "-diff", "main.tf"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@needs_terraform
@pytest.mark.slow
def test_terraform_itself_reads_strings_as_meant(tmp_path):
    texts = [
        "${x}",
        "$${x}",
        "$$${x}",
        "%{if true}",
        "%%{x}",
        '"q"',
        "a\\b",
        "\\${x}",
        "a\nb\tc",
        "\x01",
        "é😀",
        "${",
        "$$",
    ]
    entries = "\n".join(f"  {hcl_string(text)}," for text in texts)
    (tmp_path / "main.tf").write_text(f"locals {{\n  all = jsonencode([\n{entries}\n  ])\n}}\n", "utf-8")
    ran = subprocess.run(
        [str(TERRAFORM), "console"], input="local.all\n", cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert json.loads(json.loads(ran.stdout)) == texts, ran.stderr


@settings(max_examples=300)
@given(st.text(max_size=30))
def test_an_hcl_string_is_one_line_without_interpolation(text):
    quoted = hcl_string(text)
    assert quoted.isprintable()
    inner = quoted[1:-1]
    bare = inner.replace("$${", "").replace("%%{", "")
    assert "${" not in bare
    assert "%{" not in bare
    position = 0
    while position < len(inner):
        if inner[position] == "\\":
            position += 1
        else:
            assert inner[position] != '"'
        position += 1


def test_json_forms_are_the_same_document():
    document = policy("responses")
    pretty = render(Artifact((document,)), "json", template)
    small = render(Artifact((document,)), "json-min", template)
    assert json.loads(pretty) == json.loads(small) == write_policy(document)
    assert "\n" not in small.rstrip("\n")
    assert policy_size(document) == len(small) - 1


def test_every_format_ends_its_last_line_and_is_the_same_twice():
    document = policy("chat")
    for name in format_names():
        text = render(Artifact((document,)), name, template)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert text == render(Artifact((document,)), name, template)


def test_an_unknown_format_names_the_known():
    with pytest.raises(InputError) as caught:
        render(Artifact((policy("chat"),)), "yaml", template)
    assert "terraform" in (caught.value.help or "")


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "${x}", "é", "a/b", "x\n"])
def test_a_name_that_iam_does_not_take_is_refused(name):
    with pytest.raises(InputError, match="not a name"):
        checked_policy_name(name)


@pytest.mark.parametrize("purpose", ["chat", "claude-code", "projects"])
def test_goldens(purpose, golden):
    for name in ("json", "terraform"):
        rendering = Artifact(
            (policy(purpose, account="111122223333", regions=("us-east-1",)),), name=f"mantle-{purpose}"
        )
        golden(f"generate/{purpose}.{'tf' if name == 'terraform' else name}", render(rendering, name, template))
