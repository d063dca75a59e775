"""``mantle-iam can-i``: exit codes, what it names, what it assumes aloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.bundled import schema
from mantle_iam.cli.main import run

MODEL = "openai.gpt-oss-120b"
INFERENCE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Inference",
            "Effect": "Allow",
            "Action": "bedrock-mantle:CreateInference",
            "Resource": "arn:aws:bedrock-mantle:us-east-1:111122223333:project/*",
            "Condition": {"StringEquals": {"bedrock-mantle:Model": MODEL}},
        }
    ],
}
FULL = {"Version": "2012-10-17", "Statement": {"Sid": "Full", "Effect": "Allow", "Action": "*", "Resource": "*"}}
DENY = {
    "Version": "2012-10-17",
    "Statement": {"Sid": "NoMantle", "Effect": "Deny", "Action": "bedrock-mantle:*", "Resource": "*"},
}
ACTION = "bedrock-mantle:CreateInference"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, document in (("inference", INFERENCE), ("full", FULL), ("deny", DENY)):
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    level = tmp_path / "root"
    level.mkdir()
    (level / "a.json").write_text(json.dumps(FULL))
    (level / "b.json").write_text(json.dumps(DENY))
    return tmp_path


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON document, which is valid by the schema."""
    import jsonschema

    code = run(["can-i", *arguments, "--output", "json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(schema("evaluate-result")).validate(document)
    return code, document


@pytest.mark.usefixtures("files")
def test_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(capsys, ACTION, "--policy", "inference.json", "--context", f"bedrock-mantle:Model={MODEL}")
    assert (code, found["decision"]) == (0, "allowed")
    assert found["determining"] == [
        {"policy_type": "identity", "document": 0, "statement": 0, "sid": "Inference", "file": "inference.json"}
    ]
    assert found["request"]["resource"] == ["arn:aws:bedrock-mantle:us-east-1:111122223333:project/default"]
    assert any("no --resource was given" in note for note in found["notes"])
    assert any("no --principal was given" in note for note in found["notes"])


@pytest.mark.usefixtures("files")
def test_denied_with_the_near_miss(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(capsys, ACTION, "--policy", "inference.json", "--context", "bedrock-mantle:Model=other")
    assert (code, found["decision"], found["withheld_by"]) == (1, "implicitDeny", ["identity"])
    (miss,) = found["near_misses"]
    assert (miss["element"], miss["actual"], miss["file"]) == ("Condition", "other", "inference.json")


@pytest.mark.usefixtures("files")
def test_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(
        capsys, ACTION, "--policy", "inference.json", "--unknown", "bedrock-mantle:Model", "--unknown", "scp"
    )
    assert (code, found["decision"], found["depends_on"]) == (3, "unknown", ["bedrock-mantle:Model", "scp"])


@pytest.mark.usefixtures("files")
def test_an_inference_always_names_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(capsys, ACTION, "--policy", "inference.json")
    assert (code, found["depends_on"]) == (3, ["bedrock-mantle:Model"])
    code, found = ask(capsys, "bedrock-mantle:GetModel", "--policy", "inference.json")
    assert (code, found["depends_on"]) == (1, [])  # no Model key comes with GetModel


@pytest.mark.usefixtures("files")
def test_each_scp_is_a_level_and_a_folder_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(capsys, ACTION, "--policy", "full.json", "--scp", "full.json", "--scp", "root")
    assert (code, found["decision"]) == (1, "explicitDeny")
    (ref,) = found["determining"]
    assert (ref["level"], ref["document"], Path(ref["file"]).name, ref["sid"]) == (1, 1, "b.json", "NoMantle")
    assert found["denied_because"][0]["sid"] == "NoMantle"


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("option", ["--boundary", "--session", "--vpc-endpoint", "--scp"])
def test_every_layer_can_withhold(capsys: pytest.CaptureFixture[str], option: str) -> None:
    code, found = ask(capsys, "bedrock-mantle:ListModels", "--policy", "full.json", option, "inference.json")
    names = {"--boundary": "permissions-boundary"}
    assert (code, found["withheld_by"]) == (1, [names.get(option, option.removeprefix("--"))])


@pytest.mark.usefixtures("files")
def test_keys_that_every_request_carries_are_unknown_rather_than_absent(
    capsys: pytest.CaptureFixture[str], files: Path
) -> None:
    guard = {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    }
    (files / "guard.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": guard}))
    both = ("--policy", "full.json", "--policy", "guard.json")
    code, found = ask(capsys, ACTION, *both)
    assert (code, found["depends_on"]) == (3, ["aws:SourceIp"])
    assert ask(capsys, ACTION, *both, "--context", "aws:SourceIp=10.1.1.1")[0] == 0
    assert ask(capsys, ACTION, *both, "--context", "aws:SourceIp=192.0.2.1")[0] == 1


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        ("bedrock-mantle:CallWithBearerToken", ["*"]),
        ("BEDROCK-MANTLE:listmodels", ["arn:aws:bedrock-mantle:eu-west-1:111122223333:project/default"]),
        (
            "bedrock-mantle:CreateReservation",
            [
                "arn:aws:bedrock-mantle:eu-west-1:111122223333:project/default",
                "arn:aws:bedrock-mantle:eu-west-1:111122223333:reservation/example",
            ],
        ),
        ("s3:ListAllMyBuckets", ["*"]),
    ],
)
@pytest.mark.usefixtures("files")
def test_assumed_resources(capsys: pytest.CaptureFixture[str], action: str, resources: list[str]) -> None:
    code, found = ask(capsys, action, "--policy", "full.json", "--region", "eu-west-1")
    assert (code, found["request"]["resource"]) == (0, resources)


@pytest.mark.usefixtures("files")
def test_an_action_that_the_data_does_not_have_is_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(capsys, "bedrock-mantle:ListModel", "--policy", "full.json")
    assert code == 0
    assert any("not in the data of" in note and "`bedrock-mantle:ListModels`" in note for note in found["notes"])
    code, found = ask(capsys, "bedrok:ListModel", "--policy", "full.json")
    assert any("`bedrok` is not a service prefix" in note for note in found["notes"])


@pytest.mark.usefixtures("files")
def test_multi_valued_context(capsys: pytest.CaptureFixture[str], files: Path) -> None:
    allow = {**FULL["Statement"], "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}}  # type: ignore[dict-item]
    (files / "tags.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": allow}))
    assert (
        ask(capsys, ACTION, "--policy", "tags.json", "--context", "aws:TagKeys=a", "--context", "aws:TagKeys=c")[0] == 1
    )
    code, found = ask(capsys, ACTION, "--policy", "tags.json", "--context", "aws:TagKeys[]=a")
    assert (code, found["request"]["context"]) == (0, {"aws:TagKeys": ["a"]})


@pytest.mark.usefixtures("files")
def test_the_text_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["can-i", ACTION, "--policy", "inference.json", "--scp", "root", "--unknown", "session"])
    out, err = capsys.readouterr()
    assert (code, err) == (1, "")
    assert out.startswith("explicitDeny: ")
    for words in ("NoMantle", "denied because", "scp: denies", "session: not known", "vpc-endpoint: not in force"):
        assert words in out, out
    assert "\x1b" not in out
    assert run(["can-i", ACTION, "--policy", "full.json", "--color", "always"]) == 0
    assert "\x1b[" in capsys.readouterr().out


@pytest.mark.usefixtures("files")
def test_hostile_names_are_made_harmless(capsys: pytest.CaptureFixture[str], files: Path) -> None:
    statement = {**FULL["Statement"], "Sid": "\x1b[2Jx\nallowed"}  # type: ignore[dict-item]
    (files / "evil.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    assert run(["can-i", ACTION, "--policy", "evil.json"]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ListModels", "--policy", "full.json"), "is not an action"),
        (("bedrock-mantle:List*", "--policy", "full.json"), "is a pattern"),
        ((ACTION, "--policy", "none.json"), "cannot read policy `none.json`"),
        ((ACTION, "--policy", "bad.json"), "bad.json: the policy is not JSON: line 2, column 1"),
        ((ACTION, "--policy", "wrong.json"), "wrong.json: `Effect` is `Allow` or `Deny`"),
        ((ACTION, "--policy", "full.json", "--context", "novalue"), "is not KEY=VALUE"),
        ((ACTION, "--policy", "full.json", "--principal", "me"), "is not a principal"),
        ((ACTION, "--policy", "full.json", "--scp", "empty"), "holds no *.json file"),
        ((ACTION, "--nonsense"), "No such option"),
    ],
)
def test_bad_usage_is_one_line(
    capsys: pytest.CaptureFixture[str], files: Path, arguments: tuple[str, ...], words: str
) -> None:
    (files / "bad.json").write_text('{"Statement":\n}')
    (files / "wrong.json").write_text('{"Statement": {"Effect": "Yes", "Action": "*", "Resource": "*"}}')
    (files / "empty").mkdir()
    assert run(["can-i", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("files")
def test_what_aws_would_refuse_is_noted(capsys: pytest.CaptureFixture[str], files: Path) -> None:
    statement = {**FULL["Statement"], "Condition": {"IpAddress": {"aws:SourceIp": "nowhere"}}}  # type: ignore[dict-item]
    (files / "bad-ip.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    _, found = ask(capsys, ACTION, "--policy", "bad-ip.json")
    assert any(note.startswith("bad-ip.json: /Statement/0/Condition") for note in found["notes"])
