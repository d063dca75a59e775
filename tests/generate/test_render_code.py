"""Formats that are programs: each is read by its own language, says exactly the documents, and does what it says."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mantle_iam import bundled
from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind, Trust, TrustedBy
from mantle_iam.generate.render import FORMATS, render
from mantle_iam.iam.grammar import parse_policy, write_policy

BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="no bash on PATH: it was not asked about the scripts")
PYTHON = ("cdk-python", "pulumi-python", "boto3")
TYPESCRIPT = ("cdk-typescript", "pulumi-typescript")
CODE = (*PYTHON, *TYPESCRIPT, "cli")

CHAT = parse_policy(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Models",
                "Effect": "Allow",
                "Action": ["bedrock-mantle:CreateInference", "bedrock-mantle:GetModel"],
                "Resource": "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default",
                "Condition": {"StringEquals": {"bedrock-mantle:Model": ["openai.gpt-oss-120b", "zai.glm-5"]}},
            },
            {"Effect": "Allow", "Action": "bedrock-mantle:CallWithBearerToken", "Resource": "*"},
        ],
    }
)
ODD = parse_policy(
    {
        "Version": "2012-10-17",
        "Id": "odd",
        "Statement": [
            {
                "Effect": "Deny",
                "NotAction": "bedrock-mantle:Get*",
                "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/team, 'none'}",
                "Condition": {
                    "StringLike": {
                        "__proto__": ["$(touch x)", "`touch x`", "it's", 'a "b"', "\\", "\nJSON\n", ""],
                        "aws:PrincipalTag/é": ["\u2028", "\x01", "😀", "*/", "{{ x }}", "${x}", '"""'],
                    }
                },
            }
        ],
    }
)
TRUSTED = parse_policy(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
HOSTILE_NAME = "-we\"ird ${name} 'y' $(touch x) `z` \\ é\u2028"
HOSTILE_TEXT = 'first\nsecond "quoted" ${x} \'y\' $(touch x) `z` """ */ # //'


def artifacts() -> Iterator[tuple[str, Artifact]]:
    """Every kind, with what is known and without, plain and hostile."""
    known: dict[str, Any] = {
        "description": "What it is for.",
        "targets": ("ou-ab12-11111111", "111122223333"),
        "endpoint": "vpce-0a1b2c3d4e5f60718",
        "instance": "arn:aws:sso:::instance/ssoins-1234567890abcdef",
        "key_age_days": 30,
    }
    hostile = {**known, "name": HOSTILE_NAME, "description": HOSTILE_TEXT, "targets": (HOSTILE_NAME,)}
    several = (Kind.IDENTITY, Kind.INLINE, Kind.SCP, Kind.LONG_TERM_KEY)
    for kind in Kind:
        if kind is Kind.TRUST:
            continue
        taken: dict[str, Any] = (
            {"roles": ("app", "batch"), "users": ("alice",)} if kind in (Kind.IDENTITY, Kind.INLINE) else {}
        )
        yield f"{kind}-open", Artifact((CHAT,), kind, "mantle-chat")
        yield f"{kind}-known", Artifact((CHAT,), kind, "mantle-chat", **known, **taken)
        yield f"{kind}-hostile", Artifact((ODD,), kind, **hostile, **dict.fromkeys(taken, (HOSTILE_NAME, "-r")))
        if kind in several:
            yield f"{kind}-several", Artifact((CHAT, ODD, CHAT), kind, "mantle-chat", **known, **taken)
    for by in TrustedBy:
        trust = Trust(by, "token.example.com", "cluster", "namespace", "account")
        yield f"trust-{by}-bare", Artifact((TRUSTED,), Kind.TRUST, "mantle-role", trust=Trust(by))
        yield (
            f"trust-{by}-known",
            Artifact(
                (TRUSTED,), Kind.TRUST, "mantle-role", trust=trust, permissions=(CHAT, ODD), description="A role."
            ),
        )
        odd = Trust(by, cluster=HOSTILE_NAME, namespace="n'${s}", service_account="-s")
        yield (
            f"trust-{by}-hostile",
            Artifact((TRUSTED,), Kind.TRUST, HOSTILE_NAME, HOSTILE_TEXT, trust=odd, permissions=(ODD,)),
        )


ARTIFACTS = dict(artifacts())


def template(name: str) -> str:
    return (bundled.templates() / name).read_text("utf-8")


def program(artifact: Artifact, format_name: str) -> str | None:
    """The text; nothing where the format has no form for the kind."""
    (chosen,) = (one.load() for one in FORMATS if one.name == format_name)
    return None if artifact.kind in chosen.missing else render(artifact, format_name, template)


def documents_of(artifact: Artifact) -> list[dict[str, Any]]:
    return [write_policy(document) for document in (*artifact.documents, *artifact.permissions)]


def constants(source: str) -> list[Any]:
    """The values of a Python program's constants, in their order."""
    return [
        ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()
    ]


@pytest.mark.parametrize("label", ARTIFACTS)
@pytest.mark.parametrize("format_name", PYTHON)
def test_a_python_program_says_the_documents(label: str, format_name: str) -> None:
    source = program(ARTIFACTS[label], format_name)
    if source is None:
        return
    compile(source, label, "exec")
    assert [value for value in constants(source) if isinstance(value, dict)] == documents_of(ARTIFACTS[label])


@pytest.mark.parametrize("format_name", CODE)
def test_hostile_text_is_nowhere_but_in_literals(format_name: str) -> None:
    """Names and descriptions may say anything: no comment, docstring or identifier holds a part of them."""
    for label, artifact in ARTIFACTS.items():
        text = program(replace(artifact, name="qqq\nqqq", description="zzz\nzzz"), format_name)
        for line in (text or "").splitlines():
            assert not line.strip().startswith(("qqq", "zzz")), label
            comment = re.fullmatch(r"\s*(#|//|\*).*", line)
            assert not (comment and ("qqq" in line or "zzz" in line)), label


@pytest.mark.slow
def test_formatters_and_linters_find_nothing_to_change(tmp_path: Path) -> None:
    for format_name in PYTHON:
        for label, artifact in ARTIFACTS.items():
            source = program(artifact, format_name)
            if source is not None:
                (tmp_path / f"{format_name}-{label}.py".replace("-", "_")).write_text(source, "utf-8")
    for command in (["format", "--check", "--diff"], ["check", "--select", "E4,E7,E9,F,I,UP,B"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stdout[:3000] + ran.stderr


RECORDER = r"""#!/usr/bin/env bash
printf '%s\0' "$@" '' >>"$CALLS"
case "$1 $2" in
"iam create-policy") echo arn:aws:iam::111122223333:policy/new ;;
"organizations create-policy") echo p-new ;;
"sso-admin create-permission-set") echo arn:aws:sso:::permissionSet/new ;;
"sso-admin list-instances") echo arn:aws:sso:::instance/found ;;
"iam get-role" | "iam get-user" | "iam get-instance-profile" | "iam get-"*-policy)
  if [[ $* == *PermissionsBoundary* ]]; then
    echo None
  elif [[ $* == *"--query Role.Arn"* || $* == *InstanceProfile.Roles* ]]; then
    if [[ $2 == get-role ]]; then echo arn:aws:iam::111122223333:role/new; else echo None; fi
  else
    echo "An error occurred (NoSuchEntity) when calling an operation: none" >&2
    exit 254
  fi
  ;;
"eks list-pod-identity-associations") echo None ;;
"sts assume-role") printf 'AKIAIOSFODNN7EXAMPLE\tex$ample\ttoken\n' ;;
"iam create-service-specific-credential") echo a-made-up-key ;;
esac
"""
DOCUMENT_OPTIONS = ("policy-document", "assume-role-policy-document", "content", "policy", "inline-policy")
ASKED = {
    "ROLE_NAMES": "app",
    "USER_NAMES": "",
    "TARGET_IDS": "ou-1 *",
    "VPC_ENDPOINT_ID": "vpce-1",
    "ROLE_ARN": "arn:aws:iam::111122223333:role/app",
    "CLUSTER_NAME": "cluster",
    "NAMESPACE": "namespace",
    "SERVICE_ACCOUNT": "account",
    "KEY_AGE_DAYS": "7",
}


def run_script(
    script: str, folder: Path, account: str = RECORDER, /, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``script`` in ``folder`` with an ``aws`` that notes its arguments in ``calls``, and answers as ``account`` does."""
    (folder / "bin").mkdir(exist_ok=True)
    aws = folder / "bin" / "aws"
    aws.write_text(account, "utf-8")
    aws.chmod(0o755)
    (folder / "script.sh").write_text(script, "utf-8")
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [str(BASH), "script.sh"],
        cwd=folder,
        env={"PATH": path, "CALLS": str(folder / "calls"), "LC_ALL": "C", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def calls_in(folder: Path) -> list[list[str]]:
    """The arguments of every call."""
    calls: list[list[str]] = [[]]
    for word in (folder / "calls").read_text("utf-8").split("\0")[:-1]:
        if word:
            calls[-1].append(word)
        else:
            calls.append([])
    return calls[:-1]


def options(calls: list[list[str]], *names: str) -> list[str]:
    return [
        word.partition("=")[2]
        for call in calls
        for word in call
        if word.startswith("--") and word[2:].split("=")[0] in names
    ]


@needs_bash
@pytest.mark.slow
@pytest.mark.parametrize("label", ARTIFACTS)
def test_a_script_hands_documents_and_names_on_as_they_are(label: str, tmp_path: Path) -> None:
    artifact = ARTIFACTS[label]
    ran = run_script(str(program(artifact, "cli")), tmp_path, **ASKED)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    calls = calls_in(tmp_path)
    handed = [json.loads(text) for text in options(calls, *DOCUMENT_OPTIONS)]
    wanted = documents_of(artifact)
    assert [each for number, each in enumerate(handed) if each not in handed[:number]] == [
        each for number, each in enumerate(wanted) if each not in wanted[:number]
    ]
    names = options(
        calls, "policy-name", "name", "role-name", "user-name", "role-session-name", "instance-profile-name"
    )
    if artifact.kind is not Kind.VPC_ENDPOINT:
        assert any(name == artifact.name[:64] or name.startswith(artifact.name) for name in names)
    for given in artifact.targets if artifact.kind is Kind.SCP else (*artifact.roles, *artifact.users):
        assert given in options(calls, "role-name", "user-name", "target-id")
    if artifact.description and artifact.kind in (Kind.IDENTITY, Kind.SCP, Kind.PERMISSION_SET, Kind.TRUST):
        assert artifact.description in options(calls, "description")
    # Nothing of a name was run.
    assert not (tmp_path / "x").exists()


@needs_bash
def test_bash_is_told_who_is_missing(tmp_path: Path) -> None:
    script = str(program(ARTIFACTS["inline-open"], "cli"))
    ran = run_script(script, tmp_path)
    assert ran.returncode == 2
    assert "ROLE_NAMES, USER_NAMES or GROUP_NAMES" in ran.stderr
    assert not (tmp_path / "calls").exists()
    ran = run_script(str(program(ARTIFACTS["vpc-endpoint-open"], "cli")), tmp_path)
    assert ran.returncode != 0
    assert "VPC_ENDPOINT_ID: Id of the VPC endpoint" in ran.stderr


@needs_bash
def test_any_other_error_of_aws_ends_the_script(tmp_path: Path) -> None:
    script = str(program(ARTIFACTS["trust-ec2-known"], "cli"))
    refused = script.replace(
        "set -f\n", "set -f\naws() { echo 'An error occurred (AccessDenied): no' >&2; return 254; }\n", 1
    )
    assert refused != script
    ran = run_script(refused, tmp_path)
    assert ran.returncode != 0
    assert "AccessDenied" in ran.stderr
    assert "role" not in ran.stdout


FOREIGN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
TAKEN = r"""#!/usr/bin/env bash
printf '%s\0' "$@" '' >>"$CALLS"
case "$1 $2" in
"iam list-policies") echo arn:aws:iam::111122223333:policy/mantle-chat ;;
"iam get-policy") echo v1 ;;
"organizations list-policies") printf 'p-1\tmantle-chat\n' ;;
"sso-admin list-instances") echo arn:aws:sso:::instance/found ;;
"sso-admin list-permission-sets") echo arn:aws:sso:::permissionSet/found ;;
"sso-admin describe-permission-set") echo mantle-chat ;;
*) case "$2 $*" in
  get-* | describe-policy*) printf '%s\n' "$FOREIGN" ;;
  esac ;;
esac
"""
CHANGES = ("put-", "update-", "create-policy-version", "delete-", "attach-")


@needs_bash
@pytest.mark.parametrize(
    "label", ["identity-known", "inline-known", "scp-open", "permission-set-open", "trust-ecs-known"]
)
def test_a_script_leaves_alone_what_others_have_put_there(label: str, tmp_path: Path) -> None:
    artifact = replace(ARTIFACTS[label], name="mantle-chat")
    theirs = json.dumps(FOREIGN)
    for environment in ({}, {"REPLACE": "yes"}):
        ran = run_script(str(program(artifact, "cli")), tmp_path, TAKEN, **ASKED, FOREIGN=theirs, **environment)
        changed = [call for call in calls_in(tmp_path) if call[1].startswith(CHANGES)]
        assert theirs in ran.stderr, "what is there is shown"
        assert (ran.returncode == 0, bool(changed)) == (bool(environment),) * 2, ran.stderr


@needs_bash
@pytest.mark.parametrize("label", ["scp-known", "session-known", "vpc-endpoint-known"])
def test_where_aws_counts_white_space_none_is_sent(label: str, tmp_path: Path) -> None:
    run_script(str(program(ARTIFACTS[label], "cli")), tmp_path, **ASKED)
    (sent, *_) = options(calls_in(tmp_path), *DOCUMENT_OPTIONS)
    assert sent == json.dumps(write_policy(CHAT), separators=(",", ":"))


@pytest.mark.parametrize("format_name", [one.name for one in FORMATS if one.name not in ("json", "json-min")])
def test_a_name_is_not_passed_over_in_a_boundary(format_name: str) -> None:
    """Whoever names a role would believe that it has the boundary."""
    artifact = Artifact((CHAT,), Kind.BOUNDARY, "mantle-chat", roles=("app",))
    if format_name in ("cli", "boto3"):
        assert "app" in render(artifact, format_name, template)
    else:
        with pytest.raises(InputError, match="cannot set the boundary of `app`"):
            render(artifact, format_name, template)


@needs_bash
@pytest.mark.parametrize(
    ("label", "file", "secret"),
    [
        ("long-term-key-known", "bedrock-api-key.txt", "a-made-up-key"),
        ("session-open", "session-credentials.sh", "token"),
    ],
)
def test_a_secret_is_written_to_a_file_of_its_owner_and_not_printed(
    label: str, file: str, secret: str, tmp_path: Path
) -> None:
    ran = run_script(str(program(ARTIFACTS[label], "cli")), tmp_path, **ASKED)
    assert secret not in ran.stdout + ran.stderr
    assert secret in (tmp_path / file).read_text("utf-8")
    assert (tmp_path / file).stat().st_mode & 0o777 == 0o600


@needs_bash
def test_an_older_key_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bedrock-api-key.txt").write_text("older", "utf-8")
    ran = run_script(str(program(ARTIFACTS["long-term-key-known"], "cli")), tmp_path)
    assert ran.returncode != 0
    assert (tmp_path / "bedrock-api-key.txt").read_text("utf-8") == "older"
    assert not any("create-service-specific-credential" in call for call in calls_in(tmp_path))


def test_boto3_limits_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    asked: dict[str, Any] = {}

    class Sts:
        def assume_role(self, **given: Any) -> dict[str, Any]:
            asked.update(given)
            return {"Credentials": {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "s", "SessionToken": "t"}}

    monkeypatch.setattr(boto3, "client", lambda service: Sts())
    space: dict[str, Any] = {"__name__": "program"}
    exec(str(program(ARTIFACTS["session-hostile"], "boto3")), space)
    session = space["limited_session"]("arn:aws:iam::111122223333:role/app")
    assert session.get_credentials().token == "t"
    assert json.loads(asked["Policy"]) == write_policy(ODD)
    assert asked["RoleSessionName"] == HOSTILE_NAME[:64]


@pytest.mark.parametrize("format_name", CODE)
@pytest.mark.parametrize("kind", [Kind.BOUNDARY, Kind.VPC_ENDPOINT, Kind.SESSION, Kind.PERMISSION_SET, Kind.TRUST])
def test_where_one_document_has_its_place_several_are_refused(kind: Kind, format_name: str) -> None:
    with pytest.raises(InputError):
        render(Artifact((CHAT, CHAT), kind), format_name, template)


@pytest.mark.parametrize("format_name", CODE)
def test_what_a_format_cannot_say_it_refuses_with_the_reason(format_name: str) -> None:
    (chosen,) = (one.load() for one in FORMATS if one.name == format_name)
    for kind in Kind:
        artifact = Artifact((CHAT,), kind, trust=Trust(TrustedBy.LAMBDA))
        if kind in chosen.missing:
            with pytest.raises(InputError, match="has no form"):
                render(artifact, format_name, template)
        else:
            text = render(artifact, format_name, template)
            assert text.endswith("\n")
            assert text == render(artifact, format_name, template)
    assert chosen.missing.keys() <= {Kind.SESSION, Kind.LONG_TERM_KEY}


GOLDENS = {
    "cdk-python": ("identity-known", "cdk_identity.py"),
    "cdk-typescript": ("trust-pod-identity-known", "cdk_role.ts"),
    "pulumi-python": ("long-term-key-open", "pulumi_key.py"),
    "pulumi-typescript": ("scp-open", "pulumi_scp.ts"),
    "cli": ("identity-open", "identity.sh"),
    "boto3": ("permission-set-open", "boto3_permission_set.py"),
}


@pytest.mark.parametrize("format_name", CODE)
def test_goldens_of_programs(format_name: str, golden: Any) -> None:
    label, file = GOLDENS[format_name]
    golden(f"generate/programs/{file}.txt", str(program(ARTIFACTS[label], format_name)))


# In a process of its own: moto resets every backend that other tests of this process have filled, which can take a minute.
_RUN_PROGRAMS = """
import contextlib, io, json, sys
import boto3
from moto import mock_aws

given = json.load(sys.stdin)
sys.argv = ["program", "--role-name", "app", "--replace"]
said = []
with mock_aws():
    iam = boto3.client("iam")
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=given["trust"])
    for text in given["programs"]:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(text, {"__name__": "__main__"})
        said.append(out.getvalue())
    (policy,) = iam.list_attached_role_policies(RoleName="app")["AttachedPolicies"]
    versions = iam.list_policy_versions(PolicyArn=policy["PolicyArn"])["Versions"]
    (default,) = (each["VersionId"] for each in versions if each["IsDefaultVersion"])
    stored = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=default)["PolicyVersion"]["Document"]
json.dump({"said": said, "versions": len(versions), "stored": stored}, sys.stdout)
"""


@pytest.mark.slow
def test_boto3_makes_a_policy_and_brings_it_up_to_date() -> None:
    later = [replace(CHAT, statements=(replace(CHAT.statements[0], sid=f"Turn{turn}"),)) for turn in range(6)]
    programs = [str(program(Artifact((document,), name="mantle-chat"), "boto3")) for document in (CHAT, CHAT, *later)]
    done = subprocess.run(
        [sys.executable, "-c", _RUN_PROGRAMS],
        input=json.dumps({"trust": json.dumps(write_policy(TRUSTED)), "programs": programs}),
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["said"][0].startswith("created arn:aws:iam::")
    assert result["said"][1].startswith("unchanged")
    assert all("updated" in said for said in result["said"][2:])
    assert result["versions"] == 5
    assert result["stored"] == write_policy(later[-1])
