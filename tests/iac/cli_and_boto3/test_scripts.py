"""Scripts of the AWS CLI and programs of boto3, run for real, twice: the account has then what the JSON output says."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from corpus import Case, accepted, documents_of, template
from harness import Tools, version_of
from world import World, running

from mantle_iam.generate.artifact import Artifact, Kind
from mantle_iam.generate.render import render
from mantle_iam.iam.grammar import write_policy

# Each call of the AWS CLI takes a second, so that only these are run with it.  What every other script
# hands on is checked without it in tests/generate/test_render_code.py, and so are names that AWS would refuse.
BY_CLI = {
    "identity-described",
    "identity-odd-texts",
    "inline-open",
    "inline-parts",
    "boundary",
    "scp-open",
    "scp-targets",
    "vpc-endpoint-open",
    "session",
    "permission-set-open",
    "trust-github",
    "trust-pods-open",
    "trust-ec2",
    "long-term-key",
}
# moto stores no document of the older version of the policy language, which AWS does.
USABLE = [case for case, _ in accepted("boto3") if not case.hostile and case.id != "identity-no-version"]
CASES = {"cli": [case for case in USABLE if case.id in BY_CLI], "boto3": USABLE}
BOTH = [pytest.param(name, case, id=f"{name}-{case.id}") for name, cases in CASES.items() for case in cases]
FILES = {"cli": "script.sh", "boto3": "program.py"}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running() as one:
        yield one


def command_of(tools: Tools, format_name: str, folder: Path, asked: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """How the program is called, and with what in its environment."""
    if format_name == "cli":
        tools.packaged("aws")
        return [tools.on_path("bash"), FILES["cli"]], {name.upper(): value for name, value in asked.items()}
    options = {
        "role_names": "role-name",
        "user_names": "user-name",
        "group_names": "group-name",
        "target_ids": "target-id",
    }
    words = [
        f"--{options.get(name, name.replace('_', '-'))}={value}" for name, value in asked.items() if name != "replace"
    ]
    words += ["--replace"] if "replace" in asked else []
    return [tools.packaged("python"), "-W", "error::SyntaxWarning", FILES["boto3"], *words], {}


def run(
    tools: Tools, world: World, format_name: str, text: str, folder: Path, asked: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    (folder / FILES[format_name]).write_text(text, "utf-8")
    command, more = command_of(tools, format_name, folder, asked)
    environment = {
        "PATH": f"{tools.environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        **world.environment,
        **more,
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def wanted(artifact: Artifact) -> list[dict[str, Any]]:
    return [] if artifact.kind is Kind.SESSION else [write_policy(document) for document in documents_of(artifact)]


@pytest.mark.parametrize(("format_name", "case"), BOTH)
def test_the_account_has_the_documents_and_again(
    format_name: str, case: Case, tools: Tools, world: World, tmp_path: Path
) -> None:
    command_of(tools, format_name, tmp_path, {})
    world.empty()
    artifact, asked = world.prepared(case.artifact)
    text = render(artifact, format_name, template)
    for turn in ("first", "second"):
        if turn == "second" and format_name == "cli" and "\\u" in text:
            # What cannot be seen is escaped in a script, which then does not recognise its own document.
            asked = {**asked, "replace": "yes"}
        done = run(tools, world, format_name, text, tmp_path, asked)
        assert done.returncode == 0, (turn, done.stdout, done.stderr)
        assert world.stored(artifact) == wanted(artifact), turn
    if format_name == "cli":
        tools.checked("aws CLI", version_of(tools.packaged("aws"), "--version"))
    else:
        tools.checked("boto3", version_of(tools.packaged("python"), "-m", "pip", "show", "boto3"))


@pytest.mark.parametrize("format_name", FILES)
def test_a_key_is_in_a_file_of_its_owner_alone(format_name: str, tools: Tools, world: World, tmp_path: Path) -> None:
    (case,) = (each for each in CASES[format_name] if each.id == "long-term-key")
    world.empty()
    artifact, asked = world.prepared(case.artifact)
    done = run(tools, world, format_name, render(artifact, format_name, template), tmp_path, asked)
    file = tmp_path / "bedrock-api-key.txt"
    key = file.read_text("utf-8").strip()
    assert key.startswith("ABSK")
    assert key not in done.stdout + done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Another run makes no other key and leaves the file alone.
    done = run(tools, world, format_name, render(artifact, format_name, template), tmp_path, asked)
    assert "has a key already" in done.stdout
    assert file.read_text("utf-8").strip() == key


@pytest.mark.parametrize("format_name", FILES)
def test_the_document_in_use_is_the_latest_and_versions_do_not_run_out(
    format_name: str, tools: Tools, world: World, tmp_path: Path
) -> None:
    world.empty()
    (case,) = (each for each in CASES[format_name] if each.id == "identity-described")
    artifact, asked = world.prepared(case.artifact)
    iam = world.client("iam")
    older = json.dumps(write_policy(replace(artifact.document, id="older")))
    arn = iam.create_policy(PolicyName=artifact.name, Path="/team/", PolicyDocument=older)["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=older)
    text = render(artifact, format_name, template)
    assert run(tools, world, format_name, text, tmp_path, asked).returncode == 1
    assert len(iam.list_policy_versions(PolicyArn=arn)["Versions"]) == 5
    done = run(tools, world, format_name, text, tmp_path, {**asked, "replace": "yes"})
    assert done.returncode == 0, done.stderr
    default = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    read = iam.get_policy_version(PolicyArn=arn, VersionId=default)["PolicyVersion"]
    assert read["Document"] == write_policy(artifact.document)
    # The one in use was the first, so the second had to go.
    versions = {each["VersionId"] for each in iam.list_policy_versions(PolicyArn=arn)["Versions"]}
    assert versions == {"v1", "v3", "v4", "v5", "v6"}


# Of every kind that has a place for one document, or replaces one of the same name; the AWS CLI runs what boto3 cannot stand for.
TAKEN = [
    *(
        ("boto3", name)
        for name in ("identity-described", "inline-parts", "boundary", "scp-open", "permission-set-open")
    ),
    *((name, "trust-github") for name in FILES),
    ("cli", "permission-set-open"),
]


@pytest.mark.parametrize(("format_name", "name"), TAKEN)
def test_what_is_there_and_another_is_left_alone(
    format_name: str, name: str, tools: Tools, world: World, tmp_path: Path
) -> None:
    """The same program with other documents, as somebody else would have run it before."""
    world.empty()
    (case,) = (each for each in CASES[format_name] if each.id == name)
    artifact, asked = world.prepared(case.artifact)
    theirs = replace(
        artifact,
        documents=tuple(replace(each, id="theirs") for each in artifact.documents),
        permissions=tuple(replace(each, id="theirs") for each in artifact.permissions),
    )
    first = run(tools, world, "boto3", render(theirs, "boto3", template), tmp_path, asked)
    assert first.returncode == 0, first.stderr
    text = render(artifact, format_name, template)
    refused = run(tools, world, format_name, text, tmp_path, asked)
    assert refused.returncode == 1
    assert "theirs" in refused.stderr
    assert "it is left alone" in refused.stderr
    assert world.stored(theirs) == wanted(theirs)
    done = run(tools, world, format_name, text, tmp_path, {**asked, "replace": "yes"})
    assert done.returncode == 0, done.stderr
    assert "theirs" in done.stderr


@pytest.mark.parametrize("format_name", FILES)
def test_a_boundary_and_a_service_account_are_not_taken_from_others(
    format_name: str, tools: Tools, world: World, tmp_path: Path
) -> None:
    for name, before in (("boundary", "another"), ("trust-pods-open", "another-role")):
        world.empty()
        (case,) = (each for each in CASES[format_name] if each.id == name)
        artifact, asked = world.prepared(case.artifact)
        first = render(replace(artifact, name=before), "boto3", template)
        assert run(tools, world, "boto3", first, tmp_path, asked).returncode == 0
        text = render(artifact, format_name, template)
        refused = run(tools, world, format_name, text, tmp_path, asked)
        assert refused.returncode == 1, (name, refused.stdout)
        assert before in refused.stderr
        assert run(tools, world, format_name, text, tmp_path, {**asked, "replace": "yes"}).returncode == 0


@pytest.mark.parametrize("format_name", FILES)
def test_a_changed_document_is_noticed(format_name: str, tools: Tools, world: World, tmp_path: Path) -> None:
    """The check itself: an error that is planted in the text, and one that no reader would notice."""
    (case,) = (each for each in CASES[format_name] if each.id == "inline-parts")
    world.empty()
    artifact, asked = world.prepared(case.artifact)
    text = render(artifact, format_name, template)
    assert text.count('"bedrock-mantle:CreateInference"') == 1
    wrong = text.replace('"bedrock-mantle:CreateInference"', '"bedrock-mantle:CreateInferences"')
    assert run(tools, world, format_name, wrong, tmp_path, asked).returncode == 0
    assert world.stored(artifact) != wanted(artifact)
    broken = text.replace("put-user-policy", "put-user-polity").replace("put_user_policy", "put_user_polity")
    assert run(tools, world, format_name, broken, tmp_path, asked).returncode != 0


@pytest.mark.parametrize("format_name", FILES)
def test_what_is_refused_is_not_passed_over(format_name: str, tools: Tools, world: World, tmp_path: Path) -> None:
    """A role that is not there: the program ends with the service's own words."""
    world.empty()
    (case,) = (each for each in CASES[format_name] if each.id == "inline-parts")
    done = run(tools, world, format_name, render(case.artifact, format_name, template), tmp_path, {})
    assert done.returncode != 0
    assert "NoSuchEntity" in done.stderr


def shellcheck(tools: Tools, *files: Path, exclude: str = "SC1000") -> list[dict[str, Any]]:
    command = [tools.packaged("shellcheck"), "--format", "json", "--norc", "--exclude", exclude, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_shellcheck_finds_nothing(tools: Tools, tmp_path: Path) -> None:
    files: dict[bool, list[Path]] = {False: [], True: []}
    for case, text in accepted("cli"):
        file = tmp_path / f"{case.id}.sh"
        file.write_text(text, "utf-8")
        files[case.hostile].append(file)
        subprocess.run([tools.on_path("bash"), "-n", str(file)], check=True, timeout=60)
    # They ask whether `${x}` and `'` in single quotes are meant, which is what makes a name hostile.
    found = [*shellcheck(tools, *files[False]), *shellcheck(tools, *files[True], exclude="SC2016,SC1003")]
    assert [f"{each['file']}:{each['line']} {each['message']}" for each in found] == []
    tools.checked("shellcheck", version_of(tools.packaged("shellcheck"), "--version"))


def test_shellcheck_finds_what_is_planted(tools: Tools, tmp_path: Path) -> None:
    text = next(text for case, text in accepted("cli") if case.id == "vpc-endpoint-given")
    wrong = tmp_path / "wrong.sh"
    wrong.write_text(text.replace('"$(policy_document)"', "$(policy_document)"), "utf-8")
    assert "SC2046" in [f"SC{each['code']}" for each in shellcheck(tools, wrong)]
    wrong.write_text(text.replace("policy_document() {", "policy_document() ("), "utf-8")
    done = subprocess.run([tools.on_path("bash"), "-n", str(wrong)], capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
