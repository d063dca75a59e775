"""``mantle-iam generate`` as a process or as called: the document alone on standard output, notes beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from mantle_iam.cli.main import run as main
from mantle_iam.generate.artifact import Kind
from mantle_iam.generate.presets import purpose_names
from mantle_iam.generate.render import format_names
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import Effect
from mantle_iam.iam.validation import policy_size


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
        (("--for", "chat", "--auth", "short-term-key"), "SHORT_TERM keys alone, add --only-this-auth"),
        (("--for", "chat", "--auth", "sigv4", "--only-this-auth"), "--only-this-auth adds nothing"),
        (("--for", "chat", "--region", "us-east-1"), "aws:RequestedRegion is not used"),
        (("--for", "chat", "--account", "111122223333"), "take no ARN that account could limit"),
        (
            ("--for", "inference", "--model", "openai.gpt-oss-20b"),
            "GetModel, bedrock-mantle:ListModels: for every model",
        ),
        (("--for", "models", "--tier", "flex"), "--tier has no effect"),
        (("--for", "chat", "--tier", "flex"), "is untested"),
        (("--for", "chat", "--tier", "turbo"), "not among the tiers"),
        (("--for", "chat", "--project-tag", "team=search"), "authorised on project/default"),
        (("--for", "projects", "--project-tag", "team=search"), "ListTagsForResource: on projects with any tags"),
        (("--for", "data-retention", "--project-tag", "team=search"), "--project-tag has no effect"),
        (
            ("--for", "projects", "--project", "proj_abc"),
            "CreateProject, bedrock-mantle:ListProjects: on every project",
        ),
        (("--for", "reservations", "--project", "proj_abc"), "resources that belong to no project"),
        (
            (
                "--for",
                "reservations",
            ),
            "no public HTTP route",
        ),
        (
            (
                "--for",
                "managed-agents",
            ),
            "iam:PassRole",
        ),
        (
            (
                "--for",
                "web-search",
            ),
            "ExternalWebAccess",
        ),
        (("--for", "chat", "--partition", "aws-cn"), "no Mantle endpoint is known in the partition aws-cn"),
        (("--for", "chat", "--organization", "o-a1b2c3d4e5"), "--organization has no effect"),
        (("--for", "chat", "--keep-other-services"), "--keep-other-services has no effect"),
        (("--for", "chat", "--endpoint-id", "vpce-0123456789abcdef0"), "--endpoint-id has no effect"),
        (("--for", "chat", "--trusted-by", "lambda", "--account", "111122223333"), "JSON holds the trust policy alone"),
        (
            ("--for", "chat", "--trusted-by", "lambda", "--branch", "main"),
            "--branch has no effect on a role that lambda",
        ),
        (("--for", "chat", "--max-key-age", "90"), "--max-key-age has no effect without --deny old-keys"),
        (("--deny", "all-keys", "--max-key-age", "90"), "--max-key-age has no effect without --deny old-keys"),
        (
            ("--for", "chat", "--except-principal", "arn:aws:iam::111122223333:role/a"),
            "--except-principal has no effect",
        ),
        (("--deny", "all-keys", "--model", "openai.gpt-oss-120b"), "--model has no effect"),
        (
            ("--deny", "other-models", "--model", "openai.gpt-oss-120b", "--region", "us-east-1"),
            "--region has no effect",
        ),
        (("--deny", "cost", "--project", "proj_abc"), "--project has no effect"),
        (("--deny", "cost", "--project-tag", "a=b"), "--project-tag has no effect"),
        (("--deny", "cost", "--account", "111122223333"), "--account has no effect"),
        (("--deny", "cost", "--tier", "flex"), "--tier has no effect"),
        (("--deny", "cost", "--auth", "sigv4"), "--auth has no effect"),
        # The permissions are not in an SCP, so that limits on them are none.
        (("--deny", "cost", "--for", "chat", "--model", "openai.gpt-oss-120b"), "--model has no effect"),
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
        (("--deny", "other-models", "--model", "openai.gpt-oss-120b"), "no effect"),
        (("--deny", "other-regions", "--region", "us-east-1"), "no effect"),
        (("--deny", "other-projects", "--project", "proj_abc", "--project-tag", "a=b"), "no effect"),
        (
            ("--deny", "old-keys", "--max-key-age", "90", "--except-principal", "arn:aws:iam::111122223333:role/a"),
            "no effect",
        ),
        (("--for", "chat", "--kind", "long-term-key", "--auth", "long-term-key", "--max-key-age", "90"), "no effect"),
        (
            ("--for", "models", "--deny", "other-models", "--model", "openai.gpt-oss-120b", "--kind", "identity"),
            "no effect",
        ),
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
        (("--for", "chat", "--attach-role", "a b", "--format", "terraform"), "not the name of a role"),
        (("--for", "chat", "--partition", "awss"), "did you mean aws?"),
        (("--for", "chat", "--partition", "aws-cn", "--region", "us-east-1"), "is in the partition `aws`"),
        (("--for", "chat", "--project-tag", "team"), "KEY=VALUE"),
        (("--for", "chat", "--project-tag", "aws:x=y"), "AWS's own"),
        (("--for", "chat", "--project-tag", 'a="*'), "not a tag that AWS takes"),
        (("--for", "chat", "--tier", "a b"), "not a service tier"),
        (("--for", "chat", "--only-this-auth"), "--only-this-auth needs --auth"),
        (("--for", "chat", "--part", "2"), "there is no part 2"),
        (("--for", "chat", "--part", "0"), "0"),
        (("--narrow", "-"), "--narrow and --to belong together"),
        (("--narrow", "-", "--to", "-"), "standard input can be read once"),
        (("--from", "/nowhere/report.json"), "cannot read report"),
        (("--for", "chat", "--output-file", "/nowhere/policy.json"), "cannot write"),
        (("--deny", "everything"), "nothing is called `everything`"),
        (("--kind", "trust", "--for", "chat"), "trust"),
        (("--for", "chat", *(f"--model=vendor.{'m' * 100}{n}" for n in range(80))), "--part 1"),
        (("--for", "chat", "--kind", "inline", *(f"--model=vendor.{'m' * 100}{n}" for n in range(120))), "10240"),
        (("--for", "chat", "--kind", "vpc-endpoint", "--deny", "all-keys"), "holds no denials"),
        (("--for", "chat", "--kind", "boundary", "--deny", "all-keys"), "holds no denials"),
        (("--for", "chat", "--kind", "session", "--deny", "all-keys"), "holds no denials"),
        (("--for", "chat", "--trusted-by", "lambda", "--deny", "all-keys"), "holds no denials"),
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


def test_explain_says_which_denial_caused_which_statement_and_whose_size_counts(run):
    ran = run("--deny", "other-models", "--deny", "all-keys", "--model", "openai.gpt-oss-120b", "--explain")
    assert "OnlyApprovedModels:\n  --deny other-models: calls to all models but those of --model\n" in ran.err
    assert "NoKeys:\n  --deny all-keys: calls with any key\n" in ran.err
    assert "of 5120 characters of a service control policy" in ran.err
    inline = run("--for", "chat", "--kind", "inline", "--attach-user", "bob", "--explain")
    assert "of 2048 characters of an inline policy of a user" in inline.err


def test_the_plain_case_imports_nothing_that_only_other_kinds_need():
    """Denials, trust policies and splitting are imported when they are asked for."""
    script = (
        "import sys; from mantle_iam.cli.main import run; run(['generate', '--for', 'inference', '--quiet']); "
        "print(*(name for name in sys.modules if name.startswith('mantle_iam.generate.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.removeprefix("mantle_iam.generate.") for name in done.stderr.split()}
    assert "least_privilege" in loaded
    rare = {"deny", "deny_proof", "denials", "key_denials", "trust", "oidc", "endpoint", "limiting", "layer_proof"}
    assert loaded & ({f"kinds.{name}" for name in rare} | {"split", "narrow", "used"}) == set()


def test_a_policy_that_is_too_large_comes_in_parts(run):
    models = [f"--model=vendor.{'m' * 100}{n}" for n in range(80)]
    parts = [run("--for", "chat", *models, "--part", str(n)) for n in (1, 2)]
    assert [part.code for part in parts] == [0, 0]
    assert all("2 documents, all of which are needed" in part.err for part in parts)
    documents = [parse_policy(part.out) for part in parts]
    assert all(policy_size(document) <= 6144 for document in documents)
    conditions = [c for d in documents for s in d.statements for c in s.conditions]
    assert sorted(value for c in conditions for value in c.values) == sorted(m.partition("=")[2] for m in models)
    assert run("--for", "chat", *models, "--part", "3").code == 2
    terraform = run("--for", "chat", *models, "--format", "terraform", "--name", "x", "--quiet")
    assert terraform.code == 0
    assert 'resource "aws_iam_policy" "x_2"' in terraform.out or '"x-2"' in terraform.out


def test_a_key_can_be_limited_to_its_kind(run):
    text = run("--for", "chat", "--auth", "short-term-key", "--only-this-auth", "--action", "bedrock:InvokeModel").out
    conditions = {(a, c.key, c.values) for s in parse_policy(text).statements for a in s.actions for c in s.conditions}
    assert conditions == {
        ("bedrock-mantle:CallWithBearerToken", "bedrock-mantle:BearerTokenType", ("SHORT_TERM",)),
        ("bedrock:CallWithBearerToken", "bedrock:BearerTokenType", ("SHORT_TERM",)),
    }


def test_a_kind_follows_from_what_is_asked(run):
    denied = parse_policy(run("--deny", "long-term-keys").out)
    assert {s.effect for s in denied.statements} == {Effect.DENY}
    trust = parse_policy(run("--trusted-by", "lambda").out)
    assert trust.statements[0].actions == ("sts:AssumeRole",)
    assert {s.effect for s in parse_policy(run("--for", "chat", "--kind", "boundary").out).statements} == {Effect.ALLOW}


def test_the_result_goes_to_a_file(run, tmp_path):
    path = tmp_path / "policy.json"
    ran = run("--for", "chat", "--output-file", str(path))
    assert ran.out == ""
    assert path.read_text() == run("--for", "chat").out


def test_the_help_names_everything_and_fits(run):
    text = run("--help").out
    for name in (*purpose_names(), *format_names(), *(kind.value for kind in Kind), "long-term-keys"):
        assert name in text
    for heading in ("From", "Limited to", "As:", "For whom", "Denials and limits", "Roles"):
        assert heading in text
    assert max(map(len, text.splitlines())) <= 100


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


def test_a_policy_is_narrowed_to_its_use(run, tmp_path):
    old, used = tmp_path / "old.json", tmp_path / "used.json"
    old.write_text(
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"}}'
    )
    used.write_text(
        '{"action": "bedrock-mantle:ListModels", "resource": "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default"}'
    )
    ran = run("--narrow", str(old), "--to", str(used), "--explain")
    assert ran.code == 0
    assert actions(ran.out) == {"ListModels"}
    assert "used once" in ran.err
    assert "proven to allow nothing that the old policy does not" in ran.err
    assert run("--narrow", str(old), "--to", str(used), "--for", "chat").code == 2
    assert run("--narrow", str(old), "--to", str(used), "--region", "us-east-1").code == 2
    used.write_text('{"action": "s3:GetObject", "resource": "arn:aws:s3:::x"}')
    ran = run("--narrow", str(old), "--to", str(used))
    assert (ran.code, ran.out) == (2, "")
    assert "nothing of what was used" in ran.err
