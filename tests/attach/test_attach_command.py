"""The command over real HTTP: what is asked, done, undone, refused and said."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attach_world import ACCOUNT, INFERENCE, document

from mantle_iam.iam.grammar import parse_policy


def attached(iam: Any, user: str) -> list[str]:
    return [p["PolicyArn"] for p in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]]


def undo(iam: Any, *commands: str) -> None:
    """Do what ``aws iam …`` lines say, through the client: the lines are for people, and must be true."""
    for command in commands:
        words = shlex.split(command)
        assert words[:2] == ["aws", "iam"]
        pairs = dict(zip((w.removeprefix("--") for w in words[3::2]), words[4::2], strict=True))
        names = {"".join(part.title() for part in key.split("-")): value for key, value in pairs.items()}
        getattr(iam, words[2].replace("-", "_"))(**names)


# -- the whole way, as a user goes it -------------------------------------------------------------------------------------


def test_managed_plan_apply_again_undo(run, iam, alice, tmp_path):
    dry = run("attach", "--managed", "inference", "--user", alice, "--dry-run")
    assert dry.code == 0
    assert attached(iam, alice) == []
    assert "Plan for user alice (account 123456789012)" in dry.out
    assert "old (inline)" in dry.out
    assert "CreateInference" in dry.out
    assert not list(tmp_path.iterdir())

    done = run("attach", "--managed", "inference", "--user", alice, "--yes")
    assert done.code == 0, done.err
    assert attached(iam, alice) == [INFERENCE]
    (undo_file,) = tmp_path.glob("*.undo.json")
    saved = json.loads(undo_file.read_text("utf-8"))
    assert saved["before"] == [{"name": "old", "arn": None}]
    assert saved["changes"] == [{"change": "attached", "name": "AmazonBedrockMantleInferenceAccess", "arn": INFERENCE}]
    assert saved["commands"][0] in done.out

    again = run("attach", "--managed", "inference", "--user", alice, "--yes")
    assert again.code == 0
    assert "nothing to do" in again.out
    assert list(tmp_path.glob("*.undo.json")) == [undo_file]

    undo(iam, *saved["commands"])
    assert attached(iam, alice) == []


def test_inline_policy_put_replaced_and_put_back(run, iam, alice, tmp_path):
    first, second = document("bedrock-mantle:ListModels"), document("bedrock-mantle:GetModel")
    (tmp_path / "p.json").write_text(first)
    assert run("attach", "--policy", "p.json", "--name", "mantle", "--user", alice, "--yes").code == 0
    assert iam.get_user_policy(UserName=alice, PolicyName="mantle")["PolicyDocument"] == json.loads(first) | {
        "Statement": [{"Effect": "Allow", "Action": "bedrock-mantle:ListModels", "Resource": "*"}]
    }
    (tmp_path / "p.json").write_text(second)
    replaced = run("attach", "--policy", "p.json", "--name", "mantle", "--user", alice, "--yes")
    assert replaced.code == 0
    assert "replace" in replaced.out
    files = sorted(tmp_path.glob("*.undo.json"))
    assert len(files) == 2, "the first undo file is not written over"
    saved = [json.loads(file.read_text("utf-8")) for file in files]
    by_operation = {entry["commands"][0].split()[2]: entry for entry in saved}
    undo(iam, *by_operation["put-user-policy"]["commands"])
    put_back = iam.get_user_policy(UserName=alice, PolicyName="mantle")["PolicyDocument"]
    assert parse_policy(put_back) == parse_policy(first)
    undo(iam, *by_operation["delete-user-policy"]["commands"])
    assert iam.list_user_policies(UserName=alice)["PolicyNames"] == ["old"]


def test_generate_into_attach(run, iam, alice):
    made = run("generate", "--for", "chat", "--quiet")
    done = run("attach", "--policy", "-", "--user", alice, "--yes", stdin=made.out)
    assert done.code == 0, done.err
    names = iam.list_user_policies(UserName=alice)["PolicyNames"]
    (name,) = (n for n in names if n.startswith("mantle-iam-"))
    stored = iam.get_user_policy(UserName=alice, PolicyName=name)["PolicyDocument"]
    assert parse_policy(stored) == parse_policy(made.out)
    again = run("attach", "--policy", "-", "--user", alice, "--yes", stdin=made.out)
    assert "nothing to do" in again.out


@pytest.mark.parametrize(("kind", "create"), [("role", "create_role"), ("group", "create_group")])
def test_roles_and_groups(run, iam, kind, create):
    trust = {"AssumeRolePolicyDocument": document("sts:AssumeRole")} if kind == "role" else {}
    getattr(iam, create)(**{f"{kind.title()}Name": "app"}, Path="/service/", **trust)
    arn = f"arn:aws:iam::{ACCOUNT}:{kind}/service/app"
    done = run("attach", "--managed", "read-only", f"--{kind}", arn, "--yes")
    assert done.code == 0, done.err
    found = getattr(iam, f"list_attached_{kind}_policies")(**{f"{kind.title()}Name": "app"})["AttachedPolicies"]
    assert [p["PolicyName"] for p in found] == ["AmazonBedrockMantleReadOnly"]
    (saved,) = Path().glob("*.undo.json")
    undo(iam, *json.loads(saved.read_text("utf-8"))["commands"])
    assert getattr(iam, f"list_attached_{kind}_policies")(**{f"{kind.title()}Name": "app"})["AttachedPolicies"] == []


def test_what_a_condition_on_the_model_allows_is_named(run, alice, tmp_path):
    file = tmp_path / "policy.json"
    model = {"StringEquals": {"bedrock-mantle:Model": "openai.gpt-oss-120b"}}
    file.write_text(document("bedrock-mantle:CreateInference", Condition=model), "utf-8")
    done = run("attach", "--policy", str(file), "--user", alice, "--dry-run")
    assert done.code == 0, done.err
    (line,) = (line.split() for line in done.out.splitlines() if "allows" in line)
    assert " ".join(line) == "allows CreateInference, where bedrock-mantle:Model is openai.gpt-oss-120b"


def test_without_a_terminal_nothing_is_changed_unasked(run, iam, alice):
    ran = run("attach", "--managed", "full", "--user", alice)
    assert ran.code == 2
    assert "--yes" in ran.err
    assert attached(iam, alice) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's: nobody was asked")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_at_a_terminal_it_asks(iam, alice, tmp_path, answer, code):
    import pty

    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        ran = subprocess.run(
            [sys.executable, "-m", "mantle_iam", "attach", "--managed", "full", "--user", alice],
            stdin=theirs,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert ran.returncode == code, ran.stderr
    assert "Apply it?" in ran.stderr
    assert bool(attached(iam, alice)) is (code == 0)
    assert bool(list(tmp_path.glob("*.undo.json"))) is (code == 0)


# -- the target from a key ------------------------------------------------------------------------------------------------


def long_term_key(user: str, account: str = ACCOUNT) -> str:
    import base64

    return "ABSK" + base64.b64encode(f"{user}-at-{account}:{'x' * 44}".encode()).decode()


def test_the_user_of_a_long_term_key(run, iam, tmp_path, monkeypatch):
    iam.create_user(UserName="BedrockAPIKey-ab12")
    (tmp_path / "key.txt").write_text(long_term_key("BedrockAPIKey-ab12") + "\n")
    ran = run("attach", "--managed", "inference", "--api-key-file", "key.txt", "--yes")
    assert ran.code == 0, ran.err
    assert attached(iam, "BedrockAPIKey-ab12") == [INFERENCE]
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", long_term_key("BedrockAPIKey-ab12"))
    again = run("attach", "--managed", "inference", "--yes")
    assert "nothing to do" in again.out
    piped = run(
        "attach", "--managed", "inference", "--api-key-stdin", "--yes", stdin=long_term_key("BedrockAPIKey-ab12")
    )
    assert "nothing to do" in piped.out
    assert "xxxxxxxx" not in "".join((ran.out, ran.err, again.out, piped.out))


def test_a_key_of_another_account_is_refused(run, iam, tmp_path):
    iam.create_user(UserName="alice")
    (tmp_path / "key.txt").write_text(long_term_key("alice", "111122223333"))
    ran = run("attach", "--managed", "inference", "--api-key-file", "key.txt", "--yes")
    assert ran.code == 2
    assert "111122223333" in ran.err
    assert attached(iam, "alice") == []


def test_a_short_term_key_names_nobody(run, aws, monkeypatch):
    from aws_bedrock_token_generator import BedrockTokenGenerator
    from botocore.credentials import Credentials

    token = BedrockTokenGenerator().get_token(Credentials("AKIAIOSFODNN7EXAMPLE", "example"), "us-east-1")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", token)
    ran = run("attach", "--managed", "inference", "--yes")
    assert ran.code == 2
    assert "--role" in ran.err
    assert token not in ran.err


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sk-proj-0123456789abcdef0123456789abcdef", "no long-term Bedrock API key"),
        ("not a key at all", "no long-term Bedrock API key"),
        ("", "no long-term Bedrock API key"),
    ],
)
def test_what_is_no_long_term_key_is_refused_unrepeated(run, aws, key, words):
    ran = run("attach", "--managed", "inference", "--api-key-stdin", "--yes", stdin=key)
    assert ran.code == 2
    assert words in ran.err
    assert not key or key not in ran.err


def test_a_key_on_the_command_line_is_refused_unrepeated(run, aws):
    key = long_term_key("alice")
    ran = run("attach", "--managed", "inference", "--user", key, "--yes")
    assert ran.code == 2
    assert "key was given on the command line" in ran.err
    assert key not in ran.err + ran.out


# -- wrong usage and a world that fails -----------------------------------------------------------------------------------

WRONG = [
    ((), "give either --managed or --policy"),
    (("--managed", "full", "--policy", "x"), "give either"),
    (("--managed", "full"), "no target"),
    (("--managed", "full", "--user", "a", "--role", "b"), "more than one target"),
    (("--managed", "full", "--user", "a b"), "not a name that IAM takes"),
    (("--managed", "full", "--user", "arn:aws:iam::123456789012:role/x"), "not the ARN of a user"),
    (("--managed", "full", "--role", "AWSReservedSSO_Admin_0123456789abcdef"), "Identity Center"),
    (("--managed", "full", "--role", "/aws-service-role/x.amazonaws.com/y"), "service-linked"),
    (("--managed", "full", "--name", "n", "--user", "a"), "own name"),
    (("--policy", "missing.json", "--user", "a"), "cannot read policy"),
    (("--policy", "-", "--api-key-stdin"), "both come from standard input"),
    (("--policy", "-", "--user", "a"), "the policy is empty"),
    (("--managed", "full", "--api-key-file", "k", "--api-key-stdin"), "different keys"),
    (("--managed", "full", "--api-key-file", "missing.txt"), "cannot read key"),
    (("--undo", "-"), "it is not JSON"),
    (("--managed", "full", "--user", "nobody", "--yes"), "nobody"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=[words for _, words in WRONG])
def test_wrong_usage_is_one_line(run, iam, arguments, words):
    ran = run("attach", *arguments)
    assert ran.code == 2
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert ran.err.count("\n") <= 2


def test_a_policy_with_a_principal_is_refused(run, iam, alice):
    text = document("bedrock-mantle:ListModels", Principal="*")
    ran = run("attach", "--policy", "-", "--user", alice, "--yes", stdin=text)
    assert ran.code == 2
    assert "principals" in ran.err


def test_nobody_there(run, monkeypatch, closed_port):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    ran = run("attach", "--managed", "full", "--user", "alice", "--yes", "--endpoint-url", closed_port)
    assert ran.code == 3
    assert "could not be reached" in ran.err
    assert ran.err.count("\n") <= 2


def test_no_credentials(run, monkeypatch, iam_url):
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", iam_url)
    ran = run("attach", "--managed", "full", "--user", "alice", "--yes")
    assert ran.code == 3
    assert "no AWS credentials" in ran.err


def test_no_such_profile(run, aws):
    ran = run("attach", "--managed", "full", "--user", "alice", "--yes", "--profile", "nowhere")
    assert ran.code == 2
    assert "nowhere" in ran.err


def test_a_bad_endpoint_url(run, aws):
    ran = run("attach", "--managed", "full", "--user", "alice", "--yes", "--endpoint-url", "not a url")
    assert ran.code == 2
    assert ran.err.startswith("error: ")


def test_an_undo_file_is_never_written_over(run, iam, alice, tmp_path):
    (tmp_path / "mine.json").write_text("precious")
    ran = run("attach", "--managed", "full", "--user", alice, "--yes", "--undo-file", "mine.json")
    assert ran.code == 2
    assert (tmp_path / "mine.json").read_text() == "precious"
    assert attached(iam, alice) == []


def test_where_no_undo_file_can_be_written_nothing_is_changed(run, iam, alice):
    ran = run("attach", "--managed", "full", "--user", alice, "--yes", "--undo-file", "no/such/folder/x.json")
    assert ran.code == 2
    assert "nothing was changed" in ran.err
    assert attached(iam, alice) == []


def test_a_change_that_iam_refuses_leaves_no_undo_file(run, iam, alice, tmp_path):
    """IAM lets ten managed policies be attached; moto knows that limit as little as AWS's words for others."""
    big = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "x", "Resource": "*"}]})
    ran = run("attach", "--policy", "-", "--user", alice, "--yes", stdin=big)
    assert ran.code == 1, ran.out
    assert "MalformedPolicyDocument" in ran.err
    assert not list(tmp_path.glob("*.undo.json"))


# -- refusals of IAM itself, from a server that says them -----------------------------------------------------------------

REFUSALS = [
    ("AccessDenied", "not authorized", False, 3, "iam:GetUser"),
    ("AccessDenied", "not authorized", True, 1, "iam:AttachUserPolicy"),
    ("LimitExceeded", "Cannot exceed quota for PoliciesPerUser: 10", True, 1, "PoliciesPerUser"),
    ("UnmodifiableEntity", "cannot be modified", True, 1, "UnmodifiableEntity"),
    ("NoSuchEntity", "The user with name alice cannot be found.", False, 2, "cannot be found"),
    ("ExpiredToken", "expired", False, 3, "not valid"),
    ("ServiceFailure", "oops", True, 3, "oops"),
]


@pytest.mark.parametrize(("code", "message", "late", "exit_code", "words"), REFUSALS)
def test_refusals_of_iam(run, iam, alice, monkeypatch, tmp_path, code, message, late, exit_code, words):
    """botocore's own parser reads an error answer of IAM; everything else is moto's."""
    from botocore.awsrequest import AWSResponse
    from botocore.httpsession import URLLib3Session

    send = URLLib3Session.send
    refused = "Action=AttachUserPolicy" if late else "Action=GetUser&"
    body = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>r</RequestId></ErrorResponse>"
    ).encode()

    class Raw:
        def stream(self, **_: object) -> Any:
            yield body

    def answer(session: Any, request: Any) -> Any:
        sent = request.body.decode() if isinstance(request.body, bytes) else request.body
        if refused in sent:
            return AWSResponse(request.url, 400, {"content-type": "text/xml"}, Raw())
        return send(session, request)

    monkeypatch.setattr(URLLib3Session, "send", answer)
    monkeypatch.setattr("mantle_iam.attach.apply.PAUSES", (0.0, 0.0))
    ran = run("attach", "--managed", "inference", "--user", alice, "--yes")
    assert ran.code == exit_code, ran.err
    assert words in ran.err
    assert ran.err.count("\n") <= 2
    assert bool(list(tmp_path.glob("*.undo.json"))) is (late and exit_code == 3)
