"""AWS CDK: every stack compiles and is synthesised, and the template has the documents of the JSON output, word for word."""

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

from mantle_iam.generate.artifact import Kind
from mantle_iam.generate.render.program import settings_of
from mantle_iam.iam.grammar import write_policy

HERE = Path(__file__).parent
PYTHON = accepted("cdk-python")
TYPESCRIPT = accepted("cdk-typescript")
DOCUMENTS = ("PolicyDocument", "AssumeRolePolicyDocument", "Content", "InlinePolicy")
# AWS would refuse the names of a hostile case.
NAMES_REFUSED = {"E3031", "E3033"}
# "Prefer using Fn::Sub over Fn::Join": that is how the AWS CDK itself writes a region into a text.
BY_CDK = "I1022"


def arguments_of(case: Case, name: Callable[[Any], str]) -> dict[str, Any]:
    """A value for every argument that the stack asks for."""
    if case.artifact.kind is Kind.VPC_ENDPOINT:
        wanted = (
            ("vpc_id", "vpc-0a1b2c3d"),
            ("subnet_ids", ["subnet-0a1b2c3d"]),
            ("security_group_ids", ["sg-0a1b2c3d"]),
        )
        return {name(words.split("_")): value for words, value in wanted}
    if case.artifact.kind is Kind.BOUNDARY:
        return {}
    return {
        name(each.words): ["111122223333" if "target" in each.name else "app"]
        if each.many
        else "arn:aws:sso:::instance/ssoins-1234567890abcdef"
        if each.name == "instance_arn"
        else "x"
        for each in settings_of(case.artifact)
        if not each.given
    }


def snake(words: Any) -> str:
    return "_".join(words)


def camel(words: Any) -> str:
    return words[0] + "".join(word.capitalize() for word in words[1:])


def jobs(cases: tuple[tuple[Case, str], ...], folder: Path, suffix: str, name: Callable[[Any], str]) -> Path:
    for case, text in cases:
        (folder / f"{case.id}{suffix}").write_text(text, "utf-8")
    listed = [
        {"id": case.id, "file": case.id + (suffix if suffix == ".py" else ".js"), "arguments": arguments_of(case, name)}
        for case, _ in cases
    ]
    (folder / "jobs.json").write_text(json.dumps(listed), "utf-8")
    return folder / "jobs.json"


@pytest.fixture(scope="session")
def python_templates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the templates of the stacks in Python are, and what their synthesis had to say."""
    folder = tmp_path_factory.mktemp("cdk-python")
    (folder / "results").mkdir()
    command = [
        str(environment_of_tools() / "bin" / "python"),
        "-W",
        "error::SyntaxWarning",
        str(HERE / "synth_stacks.py"),
        str(jobs(PYTHON, folder, ".py", snake)),
        str(folder / "results"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    return folder / "results", "" if done.returncode == 0 else done.stderr[-3000:]


@pytest.fixture(scope="session")
def typescript_templates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, str]]:
    """The same in TypeScript, by the executable of node."""
    made: list[tuple[Path, str]] = []

    def make(node_path: str) -> tuple[Path, str]:
        if not made:
            folder = tmp_path_factory.mktemp("cdk-typescript")
            (folder / "results").mkdir()
            listed = jobs(TYPESCRIPT, folder, ".ts", camel)
            (folder / "synth_stacks.ts").write_text((HERE / "synth_stacks.ts").read_text("utf-8"), "utf-8")
            done = compiled(node_path, folder)
            if done.returncode == 0:
                done = run(node_path, "compiled/synth_stacks.js", listed, "compiled", "results", folder=folder)
            made.append((folder / "results", "" if done.returncode == 0 else (done.stdout + done.stderr)[-3000:]))
        return made[0]

    return make


def documents_in(template: dict[str, Any]) -> list[dict[str, Any]]:
    """The documents in the order of the template; the trust policy of a role before what it may do."""
    found: list[dict[str, Any]] = []
    for resource in template["Resources"].values():
        properties = resource["Properties"]
        found.extend(properties[name] for name in DOCUMENTS if name in properties)
        found.extend(policy["PolicyDocument"] for policy in properties.get("Policies", ()))
    return found


def check(case: Case, results: Path) -> None:
    template = json.loads((results / f"{case.id}.json").read_text("utf-8"))
    assert documents_in(template) == [write_policy(document) for document in documents_of(case.artifact)]


def has_python(tools: Tools) -> None:
    """Ends the test where aws-cdk-lib, or node that it runs in, is not there."""
    tools.packaged("python")
    if not list(tools.environment.glob("lib/python*/site-packages/aws_cdk/__init__.py")):
        could_not_check("aws-cdk-lib", "it is not in the environment of tools")
    tools.on_path("node")


@pytest.mark.parametrize("case", [case for case, _ in PYTHON], ids=lambda case: case.id)
def test_a_stack_in_python_has_the_documents(case: Case, tools: Tools, python_templates: tuple[Path, str]) -> None:
    has_python(tools)
    results, said = python_templates
    assert said == ""
    check(case, results)
    tools.checked("aws-cdk-lib (Python)", version_of(tools.packaged("python"), "-m", "pip", "show", "aws-cdk-lib"))


@pytest.mark.parametrize("case", [case for case, _ in TYPESCRIPT], ids=lambda case: case.id)
def test_a_stack_in_typescript_has_the_documents(
    case: Case, tools: Tools, typescript_templates: Callable[[str], tuple[Path, str]]
) -> None:
    results, said = typescript_templates(node(tools))
    assert said == ""
    check(case, results)
    tools.checked("aws-cdk-lib (TypeScript)", module_version("aws-cdk-lib"))


def test_the_templates_of_both_languages_are_the_same(
    tools: Tools, python_templates: tuple[Path, str], typescript_templates: Callable[[str], tuple[Path, str]]
) -> None:
    has_python(tools)
    ours, _ = python_templates
    theirs, _ = typescript_templates(node(tools))
    for case, _ in PYTHON:
        read = [json.loads((folder / f"{case.id}.json").read_text("utf-8"))["Resources"] for folder in (ours, theirs)]
        assert read[0] == read[1], case.id


def lint(tools: Tools, folder: Path, *files: str) -> list[dict[str, Any]]:
    command = [tools.packaged("cfn-lint"), "--include-checks", "I", "--format", "json", "--", *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode & ~14 == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found


def test_cfn_lint_finds_nothing_in_the_templates(tools: Tools, python_templates: tuple[Path, str]) -> None:
    has_python(tools)
    results, said = python_templates
    assert said == ""
    hostile = {f"{case.id}.json" for case, _ in PYTHON if case.hostile}
    found = lint(tools, results, *sorted(each.name for each in results.glob("*.json")))
    told = [
        f"{each['Filename']} {each['Rule']['Id']} {each['Location'].get('Path')}: {each['Message']}"
        for each in found
        if each["Rule"]["Id"] != BY_CDK and not (each["Filename"] in hostile and each["Rule"]["Id"] in NAMES_REFUSED)
    ]
    assert told == []
    tools.checked("cfn-lint", version_of(tools.packaged("cfn-lint"), "--version"))


def test_prettier_would_write_it_the_same(tools: Tools, tmp_path: Path) -> None:
    found = node(tools)
    # Columns of what is not Latin are counted otherwise, which is no more than a line break.
    for case, text in TYPESCRIPT:
        if not case.hostile and text.isascii():
            (tmp_path / f"{case.id}.ts").write_text(text, "utf-8")
    (tmp_path / "synth_stacks.ts").write_text((HERE / "synth_stacks.ts").read_text("utf-8"), "utf-8")
    done = unformatted(found, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    tools.checked("prettier", module_version("prettier"))


def test_a_planted_error_is_found(tools: Tools, tmp_path: Path, python_templates: tuple[Path, str]) -> None:
    has_python(tools)
    results, _ = python_templates
    case, text = PYTHON[0]
    template = json.loads((results / f"{case.id}.json").read_text("utf-8"))
    (statement, *_) = documents_in(template)[0]["Statement"]
    statement["Action"] = "bedrock-mantle:CreateInferences"
    (tmp_path / f"{case.id}.json").write_text(json.dumps(template, ensure_ascii=False), "utf-8")
    with pytest.raises(AssertionError):
        check(case, tmp_path)
    assert lint(tools, tmp_path, f"{case.id}.json")

    # What is not TypeScript, what is no property, and what prettier would change.
    found = node(tools)
    _, text = next(each for each in TYPESCRIPT if each[0].id == case.id)
    for wrong in (text.replace("new iam.Cfn", "new iam.Cnf"), text.replace("managedPolicyName:", "managedPolicyname:")):
        assert wrong != text
        (tmp_path / "wrong.ts").write_text(wrong, "utf-8")
        assert "error TS" in compiled(found, tmp_path).stdout
    (tmp_path / "wrong.ts").write_text(text.replace('"Allow"', "'Allow'"), "utf-8")
    assert "wrong.ts" in unformatted(found, tmp_path).stdout
