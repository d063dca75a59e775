"""``mantle-iam compare``: exit codes, the JSON by its schema, requests that can be asked again, bad input."""

from __future__ import annotations

import io
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.bundled import schema
from mantle_iam.cli.main import run

PROJECT = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/"
ALLOW = {"Sid": "Inference", "Effect": "Allow", "Action": "bedrock-mantle:CreateInference", "Resource": f"{PROJECT}*"}
GUARD = {"Sid": "NoSecret", "Effect": "Deny", "Action": "bedrock-mantle:*", "Resource": f"{PROJECT}secret"}
MODEL = {"StringEquals": {"bedrock-mantle:Model": ["a", "b"]}}
ISSUER = "token.actions.githubusercontent.com"
GITHUB = {
    "Effect": "Allow",
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"},
}
POLICIES: dict[str, list[dict[str, Any]]] = {
    "all": [ALLOW],
    "guarded": [ALLOW, GUARD],
    "models": [{**ALLOW, "Condition": MODEL}],
    "read": [{**ALLOW, "Action": "bedrock-mantle:Get*"}],
    "newest": [{**ALLOW, "Condition": {"StringNewest": {"k": "a"}}}],
    "oldest": [{**ALLOW, "Condition": {"StringOldest": {"k": "a"}}}],
    "trust": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
    "octocat": [{**GITHUB, "Condition": {"StringLike": {f"{ISSUER}:sub": "repo:octocat/hello:*"}}}],
    "github": [{**GITHUB, "Condition": {"StringLike": {f"{ISSUER}:sub": "repo:*"}}}],
    "nothing": [],
    "open": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}],
}


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, statements in POLICIES.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": statements}))


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON document, which is valid by the schema."""
    import jsonschema

    code = run(["compare", *arguments, "--output", "json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(schema("compare")).validate(document)
    return code, document


@pytest.mark.parametrize(
    ("old", "new", "result", "code"),
    [
        ("all", "all", "equal", 0),
        ("all", "models", "narrower", 0),
        ("models", "all", "wider", 1),
        ("guarded", "all", "wider", 1),
        ("models", "guarded", "incomparable", 1),
        ("read", "all", "incomparable", 1),
        ("newest", "oldest", "unknown", 3),
        ("open", "trust", "narrower", 0),
        # An identity policy names nobody, which does not make it the narrower trust policy.
        ("trust", "all", "unknown", 3),
        ("all", "trust", "unknown", 3),
        ("octocat", "github", "wider", 1),
        ("github", "octocat", "narrower", 0),
        ("nothing", "nothing", "equal", 0),
        ("all", "nothing", "narrower", 0),
    ],
)
def test_results_and_exit_codes(capsys: pytest.CaptureFixture[str], old: str, new: str, result: str, code: int) -> None:
    got, found = ask(capsys, f"{old}.json", f"{new}.json")
    assert (got, found["result"]) == (code, result)
    assert (found["witness"] is None) == (code != 1)
    assert found["reason"]


def test_the_exit_code_is_about_new_where_only_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(capsys, "all.json", "newest.json")
    assert (code, found["result"], found["allows_more"], found["allows_less"]) == (0, "unknown", "no", "unknown")
    assert "StringNewest" in found["reason"]


def test_a_deny_that_is_gone_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    _, found = ask(capsys, "guarded.json", "all.json")
    assert found["witness"] == {
        "action": "bedrock-mantle:CreateInference",
        "resource": f"{PROJECT}secret",
        "context": {},
    }
    assert [(ref["file"], ref["sid"]) for ref in found["allowed_by"]] == [("all.json", "Inference")]
    assert [(ref["file"], ref["sid"]) for ref in found["denied_by"]] == [("guarded.json", "NoSecret")]
    assert found["no_longer_allowed"] is None


def test_a_statement_of_a_trust_policy_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    _, found = ask(capsys, "trust.json", "open.json")
    assert [(ref["policy_type"], ref["file"], ref["statement"]) for ref in found["allowed_by"]] == [
        ("resource", "open.json", 0)
    ]
    _, found = ask(capsys, "octocat.json", "github.json")
    assert found["witness"]["principal"] == GITHUB["Principal"]["Federated"]  # type: ignore[index]
    assert found["witness"]["context"][f"{ISSUER}:sub"].startswith("repo:")
    assert [(ref["policy_type"], ref["file"]) for ref in found["allowed_by"]] == [("resource", "github.json")]


def test_the_witness_beyond_a_service_is_an_action_that_exists(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "admin.json").write_text(
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    )
    (tmp_path / "mantle.json").write_text(
        json.dumps({"Version": "2012-10-17", "Statement": [{**ALLOW, "Action": "bedrock-mantle:*", "Resource": "*"}]})
    )
    assert ask(capsys, "mantle.json", "admin.json")[1]["witness"]["action"] == "iam:PassRole"


def test_several_documents_of_a_side_act_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "deny.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": GUARD}))
    assert ask(capsys, "guarded.json", "all.json", "--new", "deny.json")[1]["result"] == "equal"
    assert ask(capsys, "all.json", "guarded.json", "--old", "deny.json")[1]["result"] == "equal"


def test_managed_policies_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(capsys, "AmazonBedrockMantleFullAccess", "AmazonBedrockMantleReadOnly")
    assert (code, found["result"]) == (0, "narrower")
    arn = "arn:aws:iam::aws:policy/AmazonBedrockMantleReadOnly"
    assert ask(capsys, arn, "AmazonBedrockMantleReadOnly")[1]["result"] == "equal"


def test_an_action_of_the_catalogue_is_the_witness(capsys: pytest.CaptureFixture[str]) -> None:
    from mantle_iam.mantle.catalog import known_action

    _, found = ask(capsys, "AmazonBedrockMantleReadOnly", "AmazonBedrockMantleFullAccess")
    assert known_action(found["witness"]["action"]) is not None


def test_a_key_that_the_service_sends_once_is_asked_for_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    both = [
        {**ALLOW, "Sid": "A", "Condition": {"StringEqualsIfExists": {"bedrock-mantle:Model": "a"}}},
        {**ALLOW, "Sid": "B", "Condition": {"StringNotEquals": {"bedrock-mantle:Model": "a"}}},
    ]
    (tmp_path / "both.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": both}))
    assert ask(capsys, "both.json", "all.json")[1]["result"] == "equal"


def test_the_text_has_a_command_that_confirms_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "models.json", "all.json"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("wider: ")
    assert "all.json, statement 0, Sid Inference" in text
    (command,) = [line for line in text.splitlines() if line.strip().startswith("mantle-iam can-i")]
    _, *words = shlex.split(command)
    assert run(words) == 0
    assert run([*words[:-1], "models.json"]) == 1


def test_the_text_says_what_is_no_longer_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "all.json", "guarded.json"]) == 0
    text = capsys.readouterr().out
    assert "OLD allows and NEW does not" in text
    assert f"{PROJECT}secret" in text
    assert "NoSecret" in text


def test_the_text_says_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "newest.json", "oldest.json"]) == 3
    text = capsys.readouterr().out
    assert text.startswith("unknown: ")
    assert "StringOldest" in text


def test_standard_input_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(json.dumps({"Version": "2012-10-17", "Statement": [ALLOW]}).encode()))
    monkeypatch.setattr(sys, "stdin", given)
    assert ask(capsys, "-", "all.json")[1]["result"] == "equal"
    assert run(["compare", "-", "-"]) == 2
    assert "once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.json", "all.json"], "cannot read policy `nowhere.json`"),
        (["AmazonBedrockMantleFulAccess", "all.json"], "AmazonBedrockMantleFullAccess"),
        (["bad.json", "all.json"], "bad.json: "),
        (["all.json"], "Missing argument"),
    ],
)
def test_bad_input_is_one_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "bad.json").write_text('{"Statement": [{"Effect": "Perhaps"}]}')
    assert run(["compare", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err


def test_problems_of_the_documents_are_noted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(
        json.dumps({"Version": "2012-10-17", "Statement": [{**ALLOW, "Conditions": {}}]})
    )
    _, found = ask(capsys, "all.json", "odd.json")
    assert found["result"] == "equal"
    assert any("odd.json" in note and "Conditions" in note for note in found["notes"])
