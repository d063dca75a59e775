"""SAM: what is read of a template is what is read of the template that AWS's own transform makes of it.

Compared are the roles: their paths, boundaries, tags, trust, and every action that their policies allow or deny.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from agreement import by_arn, contradictions
from harness import Tools, could_not_check, environment_of_tools, version_of
from random_sam import sam_template

from mantle_iam.collect.files import read_inputs
from mantle_iam.iam.inventory import NamedPolicy, Principal
from mantle_iam.workflow.audit_inputs import managed_documents

HERE = Path(__file__).parent
TRANSFORM = "AWS::Serverless-2016-10-31"
FUNCTION = "AWS::Serverless::Function"
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["bedrock-mantle:Get*"], "Resource": "*"}],
}
BY_SAM = {"lambda:createdBy", "stateMachine:createdBy"}
RUNS = {"Handler": "a.b", "Runtime": "python3.13"}


def _all_policy_templates() -> list[dict[str, Any]]:
    """Every policy template that AWS's library knows, with a value for each of its parameters."""
    program = (
        "import json, samtranslator.policy_templates_data as d; "
        "known = json.load(open(d.POLICY_TEMPLATES_FILE))['Templates']; "
        "print(json.dumps([{n: {p: 'x' for p in t['Parameters']}} for n, t in sorted(known.items())]))"
    )
    done = subprocess.run(
        [environment_of_tools() / "bin" / "python", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _cases() -> dict[str, dict[str, Any]]:
    def functions(globals_: dict[str, Any] | None = None, **properties: dict[str, Any]) -> dict[str, Any]:
        resources = {name: {"Type": FUNCTION, "Properties": {**RUNS, **one}} for name, one in properties.items()}
        return {"Transform": TRANSFORM, "Globals": {"Function": globals_ or {}}, "Resources": resources}

    boundary = "arn:aws:iam::111122223333:policy/b"
    common = {"RolePath": "/app/", "Tags": {"a": "1", "b": "2"}, "Tracing": "Active", "PermissionsBoundary": boundary}
    table = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": {"Fn::GetAtt": ["Table", "Arn"]}}
    queue = {"Type": "SQS", "Properties": {"Queue": "arn:aws:sqs:us-east-1:111122223333:q"}}
    machine = {"DefinitionUri": {"Bucket": "b", "Key": "k"}, "Policies": ["AWSLambdaRole", DOCUMENT], "RolePath": "/m/"}
    return {
        "nothing": functions(F={}),
        "documents": functions(F={"Policies": [DOCUMENT, {"Statement": DOCUMENT["Statement"][0]}]}, G={"Policies": DOCUMENT}),
        "names": functions(F={"Policies": "AmazonBedrockReadOnly"}, G={"Policies": ["AWSLambdaRole", "AWSLambdaRole"]}),
        "globals": functions(
            common,
            F={"Tags": {"b": "3"}, "RolePath": "/own/"},
            G={"Tracing": "Disabled", "VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}},
        ),
        "events": functions(F={"Events": {"Q": queue}}),
        "role": functions(F={"Role": "arn:aws:iam::111122223333:role/r"}),
        "policy templates": functions(F={"Policies": _all_policy_templates()}),
        "a document without version": functions(F={"Policies": [{"Statement": [table]}]}),
        "state machine": {
            "Transform": TRANSFORM,
            "Resources": {"M": {"Type": "AWS::Serverless::StateMachine", "Properties": machine}},
        },
    }  # fmt: skip


def _translated(templates: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [environment_of_tools() / "bin" / "python", HERE / "sam_read.py"],
        input=json.dumps({name: json.dumps(one) for name, one in templates.items()}),
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def _actions(policies: tuple[NamedPolicy, ...]) -> set[str]:
    return {f"{one.effect.value} {action}" for p in policies for one in p.document.statements for action in one.actions}


def _principal(found: Principal) -> dict[str, Any]:
    assert found.trust is not None
    return {
        "actions": _actions(found.identity),
        "unknown": found.unknown,
        "tags": {(key, value) for key, value in found.tags if key not in BY_SAM},
        "trust": {one.principals for one in found.trust.document.statements},
    }


def _roles(template: dict[str, Any], path: Path) -> dict[str, Any]:
    path.write_text(json.dumps(template), "utf-8")
    found = read_inputs([str(path)], managed=managed_documents())
    return {one.arn: _principal(one) for account in found.accounts for one in account.principals}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    if not (environment_of_tools() / "bin" / "python").exists():
        could_not_check("aws-sam-translator", "no environment of tools")
    cases = _cases()
    file = tmp_path_factory.mktemp("sam") / "t.json"
    return {name: (_roles(cases[name], file), _roles(one, file)) for name, one in _translated(cases).items()}


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "documents",
        "names",
        "globals",
        "events",
        "role",
        "policy templates",
        "a document without version",
        "state machine",
    ],
)
def test_the_roles_are_those_of_the_transform(name: str, pairs: dict[str, Any], tools: Tools) -> None:
    ours, theirs = pairs[name]
    assert ours == theirs
    assert bool(ours) is (name != "role")
    version = version_of(tools.packaged("python"), "-c", "import samtranslator; print(samtranslator.__version__)")
    tools.checked("aws-sam-translator", version)


def test_random_templates_never_contradict_what_the_transform_makes_of_them(tmp_path: Path, tools: Tools) -> None:
    tools.packaged("python")
    seed = int(os.environ.get("MANTLE_IAM_SEED", "1"))
    templates = {f"t{number}": sam_template(Random(f"{seed} {number}")) for number in range(150)}
    seen: Counter[str] = Counter()
    for name, translated in _translated(templates).items():
        readings = []
        for made in (templates[name], translated):
            path = tmp_path / f"{name}.json"
            path.write_text(json.dumps(made), "utf-8")
            readings.append(read_inputs([str(path)], managed=managed_documents()))
        found = list(contradictions(readings[0], readings[1], seen, by_arn))
        assert not found, (seed, name, found[:5])
    assert seen["principals of one alone"] == 0, (seed, seen)
    assert seen["settled"] > 2 * seen["unknown"], (seed, seen)
    version = version_of(tools.packaged("python"), "-c", "import samtranslator; print(samtranslator.__version__)")
    tools.checked("aws-sam-translator", version)
