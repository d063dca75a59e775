"""``mantle-iam generate`` as a process or as called: the document alone on standard output, notes beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from mantle_iam.cli.main import run as main
from mantle_iam.generate.presets import purpose_names
from mantle_iam.iam.grammar import parse_policy


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys):
    def call(*arguments: str) -> Ran:
        code = main(("generate", *arguments))
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


def actions(text: str) -> set[str]:
    return {a.partition(":")[2] for s in parse_policy(text).statements for a in s.actions}


def test_the_document_alone_is_on_standard_output(run):
    ran = run("--for", "chat")
    assert ran.code == 0
    assert json.loads(ran.out)["Version"] == "2012-10-17"
    assert "CallWithBearerToken" in actions(ran.out)
    assert "--auth sigv4" in ran.err
    assert run("--for", "chat", "--quiet").err == ""
    assert run("--for", "chat", "--quiet").out == ran.out


@pytest.mark.parametrize("purpose", purpose_names())
def test_every_purpose_of_the_help_works(run, purpose):
    ran = run("--for", purpose, "--auth", "sigv4", "--quiet")
    assert ran.code == 0
    assert "CallWithBearerToken" not in actions(ran.out)
    assert purpose in run("--help").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--for", "strands"), "written for calls with a Bedrock API key"),
        (("--for", "agentcore-gateway"), "written for signed calls"),
        (("--for", "chat", "--model", "us.anthropic.claude-sonnet-5"), "written as anthropic.claude-sonnet-5"),
        (("--for", "chat", "--region", "us-west-1"), "no Mantle endpoint"),
        (("--for", "models", "--model", "openai.gpt-oss-20b"), "--model has no effect"),
        (("--for", "chat"), "--marketplace"),
        (("--for", "models", "--marketplace"), "--marketplace has no effect"),
        (("--action", "bedrock-mantle:CreateInference", "--marketplace"), "--action aws-marketplace:Subscribe"),
        (("--for", "chat", "--attach-role", "app"), "--attach-role has no effect"),
        (("--for", "chat", "--name", "x"), "--name has no effect"),
        (("--for", "claude-code", "--model", "openai.gpt-oss-120b"), "serves responses, chat and not messages"),
        (("--for", "chat", "--project", "proj_abc"), "OpenAI-Project"),
        (("--for", "responses"), "web_search"),
        (("--action", "bedrock-mantle:ListM?dels"), "the 1 action that it matches"),
        (("--action", "bedrock-mantle:ListTagsForResources"), "did you mean bedrock-mantle:ListTagsForResource?"),
        (("--for", "chat", *(f"--model=vendor.{'m' * 100}{n}" for n in range(40))), "inline policies"),
        (("--for", "chat", *(f"--model=vendor.{'m' * 100}{n}" for n in range(80))), "managed policy may have 6144"),
    ],
)
def test_notes(run, arguments, words):
    ran = run(*arguments)
    assert ran.code == 0
    assert any(words in line for line in ran.err.splitlines() if line.startswith("note: "))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--for", "chat", "--project", "default"), "OpenAI-Project"),
        (("--for", "chat", "--project", "proj_abc", "--project", "default"), "OpenAI-Project"),
        (("--for", "projects", "--project", "proj_abc"), "OpenAI-Project"),
        (("--for", "chat", "--for", "messages", "--model", "openai.gpt-oss-120b"), "serves responses"),
        (("--for", "chat", "--name", "x", "--attach-role", "a", "--format", "terraform"), "no effect"),
        (("--for", "claude-code", "--marketplace"), "no effect"),
        (("--action", "s3:GetObject"), "API key"),
    ],
)
def test_no_note_where_there_is_nothing_to_note(run, arguments, words):
    ran = run(*arguments)
    assert ran.code == 0
    assert words not in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing is asked for"),
        (("--for", "chatt"), "did you mean chat?"),
        (("--for", "chat", "--account", "12"), "not an AWS account id"),
        (("--for", "chat", "--region", "moon"), "not an AWS region"),
        (("--for", "chat", "--model", "*"), "wildcard"),
        (("--for", "chat", "--project", "a b"), "not a project id"),
        (("--for", "chat", "--name", "${x}"), "not a name that IAM takes"),
        (("--for", "chat", "--attach-role", "a b", "--format", "terraform"), "not a name that IAM takes"),
        (("--action", "ListModels"), "not an action"),
        (("--for", "chat", "--auth", "magic"), "magic"),
        (("--for", "chat", "--format", "yaml"), "yaml"),
    ],
)
def test_wrong_usage_prints_no_policy(run, arguments, words):
    ran = run(*arguments)
    assert ran.code == 2
    assert words in ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err


def test_explain_says_why_and_how_it_is_known(run):
    ran = run("--for", "claude-code", "--explain")
    assert "bedrock-mantle:CountTokens: its own action" in ran.err
    assert "[DOC, https://docs.aws.amazon.com/" in ran.err
    assert "proven with" in ran.err
    assert ran.err.count("bedrock-mantle:CallWithBearerToken:") == 1
    assert "published Terraform for Codex [OBS]" in run("--for", "codex", "--explain").err
    assert ran.out == run("--for", "claude-code", "--quiet").out


def test_purposes_and_actions_join_in_one_policy(run):
    ran = run("--for", "chat", "--for", "files", "--action", "bedrock-mantle:CountTokens", "--quiet")
    assert {"CreateInference", "CreateFile", "CountTokens", "CallWithBearerToken"} <= actions(ran.out)


def test_marketplace_can_be_asked_for_and_refused(run):
    assert "Subscribe" in actions(run("--for", "chat", "--marketplace").out)
    assert "Subscribe" not in actions(run("--for", "claude-code", "--no-marketplace").out)


def test_terraform_names_and_attaches(run):
    text = run("--for", "chat", "--format", "terraform", "--name", "my.policy", "--attach-role", "app", "--quiet").out
    assert 'data "aws_iam_policy_document" "my_policy"' in text
    assert '"app",' in text
    assert "variable" not in text


def test_the_same_in_another_process_and_nothing_heavy_is_imported():
    script = (
        "import sys; from mantle_iam.cli.main import run; code = run(['generate', '--for', 'chat', '--quiet'])\n"
        "heavy = {'boto3', 'botocore', 'httpx', 'jsonschema', 'jinja2', 'moto', 'starlette'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        )
        for seed in ("1", "2")
    ]
    assert [ran.returncode for ran in runs] == [0, 0], runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
