"""Pulumi: every program compiles and runs, and the resources that it asks for hold the documents of the JSON output."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from corpus import Case, accepted, documents_of
from harness import Tools, could_not_check, environment_of_tools, version_of
from typescript_tools import compiled, module_version, node, run, unformatted

from mantle_iam.generate.artifact import Artifact, Kind
from mantle_iam.generate.render.program import settings_of
from mantle_iam.iam.grammar import write_policy

HERE = Path(__file__).parent
PYTHON = accepted("pulumi-python")
TYPESCRIPT = accepted("pulumi-typescript")
DOCUMENTS = ("policy", "content", "assumeRolePolicy", "inlinePolicy")

Made = tuple[Path, str]


def config_of(artifact: Artifact) -> dict[str, str]:
    """A value for everything that the program asks for."""
    return {
        each.camel: json.dumps(["111122223333", "222233334444"] if "target" in each.name else ["app", "batch"])
        if each.many
        else "7"
        if each.number
        else "x"
        for each in settings_of(artifact)
        if not each.given and not each.optional
    }


def jobs(cases: tuple[tuple[Case, str], ...], folder: Path, suffix: str) -> Path:
    (folder / "results").mkdir()
    for case, text in cases:
        (folder / f"{case.id}{suffix}").write_text(text, "utf-8")
    listed = [
        {
            "id": case.id,
            "file": case.id + (suffix if suffix == ".py" else ".js"),
            "config": config_of(case.artifact),
        }
        for case, _ in cases
    ]
    (folder / "jobs.json").write_text(json.dumps(listed), "utf-8")
    return folder / "jobs.json"


@pytest.fixture(scope="session")
def python_resources(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Where the resources of the programs in Python are, and what went wrong."""
    folder = tmp_path_factory.mktemp("pulumi-python")
    listed = jobs(PYTHON, folder, ".py")
    command = [environment_of_tools() / "bin" / "python", HERE / "record_resources.py", listed, folder / "results"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    return folder / "results", "" if done.returncode == 0 else done.stderr[-3000:]


@pytest.fixture(scope="session")
def typescript_resources(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """The same in TypeScript, by the executable of node."""
    made: list[Made] = []

    def make(node_path: str) -> Made:
        if not made:
            folder = tmp_path_factory.mktemp("pulumi-typescript")
            listed = jobs(TYPESCRIPT, folder, ".ts")
            (folder / "record_resources.ts").write_text((HERE / "record_resources.ts").read_text("utf-8"), "utf-8")
            done = compiled(node_path, folder)
            if done.returncode == 0:
                done = run(node_path, "compiled/record_resources.js", listed, "compiled", "results", folder=folder)
            made.append((folder / "results", "" if done.returncode == 0 else (done.stdout + done.stderr)[-3000:]))
        return made[0]

    return make


def has_pulumi(tools: Tools) -> None:
    """Ends the test where pulumi is not there."""
    tools.packaged("python")
    if not list(tools.environment.glob("lib/python*/site-packages/pulumi_aws/__init__.py")):
        could_not_check("pulumi", "it is not in the environment of tools")


def resources(results: Path, case: Case) -> list[dict[str, Any]]:
    """In an order that does not depend on when which was answered."""
    read = json.loads((results / f"{case.id}.json").read_text("utf-8"))
    return sorted(read, key=lambda each: (each["type"], each["name"]))


def check(case: Case, made: list[dict[str, Any]]) -> None:
    """The documents are those of the artifact, each in as many resources as its kind needs; names are as they were given."""
    artifact = case.artifact
    held = [json.loads(each["inputs"][name]) for each in made for name in DOCUMENTS if name in each["inputs"]]
    wanted = [write_policy(document) for document in documents_of(artifact)]
    takers = len((*artifact.roles, *artifact.users, *artifact.groups)) or 6  # two names for each of three lists
    copies = takers if artifact.kind is Kind.INLINE else 1
    assert sorted(map(json.dumps, held)) == sorted(json.dumps(each) for each in wanted * copies)

    named = [each["inputs"]["name"] for each in made if "name" in each["inputs"]]
    assert all(name.startswith(artifact.name) for name in named)
    given = [value for each in made for value in each["inputs"].values()]
    expected = {
        Kind.IDENTITY: (*artifact.roles, *artifact.users, *artifact.groups),
        Kind.INLINE: (*artifact.roles, *artifact.users, *artifact.groups),
        Kind.SCP: artifact.targets,
        Kind.VPC_ENDPOINT: (artifact.endpoint or "x",),
        Kind.PERMISSION_SET: (artifact.instance or "arn:aws:sso:::instance/found",),
        Kind.LONG_TERM_KEY: (artifact.key_age_days or 7, "bedrock.amazonaws.com"),
    }.get(artifact.kind, ())
    for value in expected:
        assert value in given
    if artifact.description and artifact.kind is not Kind.INLINE:
        assert artifact.description in given


@pytest.mark.parametrize("case", [case for case, _ in PYTHON], ids=lambda case: case.id)
def test_a_program_in_python_asks_for_the_documents(case: Case, tools: Tools, python_resources: Made) -> None:
    has_pulumi(tools)
    results, said = python_resources
    assert said == ""
    check(case, resources(results, case))
    tools.checked("pulumi (Python)", version_of(tools.packaged("python"), "-m", "pip", "show", "pulumi"))


@pytest.mark.parametrize("case", [case for case, _ in TYPESCRIPT], ids=lambda case: case.id)
def test_a_program_in_typescript_asks_for_the_documents(
    case: Case, tools: Tools, typescript_resources: Callable[[str], Made]
) -> None:
    results, said = typescript_resources(node(tools))
    assert said == ""
    check(case, resources(results, case))
    tools.checked("pulumi (TypeScript)", module_version("@pulumi/pulumi"))


def test_both_languages_ask_for_the_same(
    tools: Tools, python_resources: Made, typescript_resources: Callable[[str], Made]
) -> None:
    has_pulumi(tools)
    for case, _ in PYTHON:
        ours, theirs = resources(python_resources[0], case), resources(typescript_resources(node(tools))[0], case)
        # What a provider fills in by itself is no business of the program.
        for each in (*ours, *theirs):
            each["inputs"] = {
                key: json.loads(value) if key in DOCUMENTS else value
                for key, value in each["inputs"].items()
                if not key.startswith("__") and value is not None
            }
        assert ours == theirs, case.id


def test_prettier_would_write_programs_the_same(tools: Tools, tmp_path: Path) -> None:
    found = node(tools)
    for case, text in TYPESCRIPT:
        if not case.hostile and text.isascii():
            (tmp_path / f"{case.id}.ts").write_text(text, "utf-8")
    (tmp_path / "record_resources.ts").write_text((HERE / "record_resources.ts").read_text("utf-8"), "utf-8")
    done = unformatted(found, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    tools.checked("prettier", module_version("prettier"))


def test_planted_errors_are_found(tools: Tools, tmp_path: Path) -> None:
    has_pulumi(tools)
    case, text = PYTHON[0]
    for number, (old, new, told) in enumerate(
        (
            ("policy=json.dumps", "polices=json.dumps", "unexpected keyword argument"),
            ("aws.iam.Policy(", "aws.iam.Polity(", "no attribute"),
            ('"Allow"', '"Deny"', ""),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert old in text
        listed = jobs(((case, text.replace(old, new)),), folder, ".py")
        command = [tools.packaged("python"), str(HERE / "record_resources.py"), str(listed), str(folder / "results")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if told:
            assert told in done.stderr
        else:
            with pytest.raises(AssertionError):
                check(case, resources(folder / "results", case))

    found = node(tools)
    _, text = next(each for each in TYPESCRIPT if each[0].id == case.id)
    (tmp_path / "wrong.ts").write_text(text.replace("policyArn: policy.arn", "policyARN: policy.arn"), "utf-8")
    assert "policyARN" in compiled(found, tmp_path).stdout
