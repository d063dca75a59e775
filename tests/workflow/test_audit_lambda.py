"""The Lambda function against Amazon S3 as moto has it, through the real SDK; and the template that runs it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from moto_in_process import mocked

from mantle_iam import bundled
from mantle_iam.errors import InputError
from mantle_iam.workflow.audit_lambda import handler, read_batch

BUCKET = "dumps-111122223333"
TEMPLATE = bundled.templates() / "aws-native" / "audit.yaml"


def _dump(account: str, action: str) -> bytes:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    role = {
        "Path": "/",
        "RoleName": "app",
        "RoleId": "AROAEXAMPLE",
        "Arn": f"arn:aws:iam::{account}:role/app",
        "CreateDate": "2026-01-01T00:00:00+00:00",
        "AssumeRolePolicyDocument": trust,
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": document}],
        "AttachedManagedPolicies": [],
        "InstanceProfileList": [],
        "Tags": [],
    }
    dump = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [role], "Policies": []}
    return json.dumps(dump).encode()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in (("ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("SECRET_ACCESS_KEY", "x"), ("REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import boto3

    with mocked("s3"):
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


def _event(*keys: str, **given: Any) -> dict[str, Any]:
    return {
        "BatchInput": {
            "bucket": BUCKET,
            "results_prefix": "reports/",
            "capabilities": ["infer"],
            "auth": ["sigv4"],
            **given,
        },
        "Items": [{"Key": key, "Size": 1, "Etag": "x", "LastModified": 1, "StorageClass": "STANDARD"} for key in keys],
    }


def _report(s3: Any, key: str) -> list[dict[str, Any]]:
    text = s3.get_object(Bucket=BUCKET, Key=f"reports/{key}.jsonl")["Body"].read().decode()
    return [json.loads(line) for line in text.splitlines()]


def test_every_dump_has_its_report(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="dumps/a.json", Body=_dump("111122223333", "bedrock-mantle:*"))
    s3.put_object(Bucket=BUCKET, Key="dumps/b.json.gz", Body=gzip.compress(_dump("123456789012", "s3:GetObject")))
    told = handler(_event("dumps/a.json", "dumps/b.json.gz"), None)
    assert [one["key"] for one in told["results"]] == ["dumps/a.json", "dumps/b.json.gz"]
    assert [one["principals"] for one in told["results"]] == [1, 1]
    answers = []
    for key in ("dumps/a.json", "dumps/b.json.gz"):
        principal, rest = _report(s3, key)
        answers.append((principal["arn"], principal["capabilities"][0]["answer"]))
        assert {one["path"] for one in rest["inputs"]} == {key}, "objects are named by their keys"
    assert answers == [("arn:aws:iam::111122223333:role/app", "yes"), ("arn:aws:iam::123456789012:role/app", "no")]


def test_asked_again_it_gives_the_same(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a.json", Body=_dump("111122223333", "bedrock-mantle:*"))
    first = handler(_event("a.json"), None), s3.get_object(Bucket=BUCKET, Key="reports/a.json.jsonl")["Body"].read()
    again = handler(_event("a.json"), None), s3.get_object(Bucket=BUCKET, Key="reports/a.json.jsonl")["Body"].read()
    assert first == again


def test_findings_are_in_the_report(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a.json", Body=_dump("111122223333", "bedrock-mantle:InvokeModel"))
    assert handler(_event("a.json"), None)["exit_code"] == 0
    (finding,) = [one for one in _report(s3, "a.json")[-1]["findings"] if one["rule"] == "unknown-action"]
    assert finding["file"] == "a.json"


def test_a_dump_that_is_shared_too_is_read_once(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a.json", Body=_dump("111122223333", "s3:GetObject"))
    s3.put_object(Bucket=BUCKET, Key="b.json", Body=_dump("123456789012", "s3:GetObject"))
    told = handler(_event("a.json", "b.json", shared=["a.json"]), None)
    assert [one["principals"] for one in told["results"]] == [1, 2]


def test_requirements_decide_the_exit_code(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a.json", Body=_dump("111122223333", "bedrock-mantle:*"))
    rule = {"name": "nobody", "must": "not-allow", "principals": "*", "capabilities": "infer", "auth": "sigv4"}
    s3.put_object(Bucket=BUCKET, Key="access.json", Body=json.dumps({"version": 1, "rules": [rule]}).encode())
    told = handler(_event("a.json", requirements="access.json"), None)
    assert told["exit_code"] == 1
    (requirement,) = _report(s3, "a.json")[-1]["requirements"]
    assert requirement["result"] == "failed"


def test_requirements_in_another_encoding_are_refused(s3: Any) -> None:
    rule = {"name": "caf\u00e9", "must": "not-allow", "principals": "*", "capabilities": "infer"}
    text = json.dumps({"version": 1, "rules": [rule]}, ensure_ascii=False)
    s3.put_object(Bucket=BUCKET, Key="access.json", Body=text.encode("latin-1"))
    s3.put_object(Bucket=BUCKET, Key="a.json", Body=_dump("111122223333", "bedrock-mantle:*"))
    with pytest.raises(InputError, match=r"access\.json: byte \d+ is no UTF-8"):
        handler(_event("a.json", requirements="access.json"), None)
    s3.put_object(Bucket=BUCKET, Key="access.json", Body=text.encode("utf-8-sig"))
    assert handler(_event("a.json", requirements="access.json"), None)["notes"] == []


def test_what_is_odd_about_requirements_is_answered(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a.json", Body=_dump("111122223333", "bedrock-mantle:*"))
    rule = {"name": "new", "must": "allow", "principals": "*", "capabilities": "infer", "models": "nobody.knows-this"}
    s3.put_object(Bucket=BUCKET, Key="access.json", Body=json.dumps({"version": 1, "rules": [rule]}).encode())
    (note,) = handler(_event("a.json", requirements="access.json"), None)["notes"]
    assert "nobody.knows-this" in note


def test_one_bad_object_does_not_stop_the_others(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="bad.json", Body=b'{"RoleDetailList": [')
    s3.put_object(Bucket=BUCKET, Key="a/../x.json", Body=b"{}")
    s3.put_object(Bucket=BUCKET, Key="good.json", Body=_dump("111122223333", "bedrock-mantle:*"))
    told = handler(_event("bad.json", "a/../x.json", "good.json"), None)
    assert told["exit_code"] == 3
    assert [one["status"] for one in told["results"]] == ["partial", "failed", "read"]
    assert all(one["problems"] for one in told["results"][:2])
    assert _report(s3, "good.json")[0]["arn"].endswith("role/app")


def test_an_object_that_is_gone_is_the_services_error(s3: Any) -> None:
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError, match="NoSuchKey"):
        handler(_event("gone.json"), None)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"BatchInput": [], "Items": []},
        {"BatchInput": {"bucket": "b"}, "Items": {}},
        {"BatchInput": {"bucket": "b"}, "Items": [{}]},
        {"BatchInput": {"bucket": "b"}, "Items": [{"Key": 1}]},
        {"BatchInput": {}, "Items": []},
        {"BatchInput": {"bucket": 1}, "Items": []},
        {"BatchInput": {"bucket": "b", "capabilites": ["infer"]}, "Items": []},
        {"BatchInput": {"bucket": "b", "auth": "sigv4"}, "Items": []},
    ],
    ids=json.dumps,
)
def test_what_is_no_batch_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read_batch(event)


# The template


class _Loader(yaml.SafeLoader):
    """With CloudFormation's short forms, each as its one-member long form."""


def _tag(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    assert isinstance(node, yaml.SequenceNode)
    return {name: loader.construct_sequence(node, deep=True)}


_Loader.add_multi_constructor("!", _tag)


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    return yaml.load(TEMPLATE.read_text("utf-8"), _Loader)["Resources"]


def _definition(resources: dict[str, Any], **given: str) -> dict[str, Any]:
    text, _ = resources["StateMachine"]["Properties"]["DefinitionString"]["Sub"]
    values = {"MaxConcurrency": "20", "DumpsPerBatch": "10", **given}
    return json.loads(re.sub(r"\$\{([\w:.]+)\}", lambda match: values.get(match[1], match[1]), text))


def test_the_templates_function_is_there(resources: dict[str, Any]) -> None:
    module, _, name = resources["Function"]["Properties"]["Handler"].rpartition(".")
    assert f"{module}.{name}" == f"{handler.__module__}.{handler.__name__}"


@pytest.mark.parametrize(("shared", "expected"), [("", ()), ('scps.json", "rcps.json', ("scps.json", "rcps.json"))])
def test_the_template_gives_the_function_what_it_takes(
    resources: dict[str, Any], shared: str, expected: tuple[str, ...]
) -> None:
    states = _definition(resources, Shared=shared, DumpsBucket="b", ResultsPrefix="r/")["States"]
    batch = read_batch({"BatchInput": states["Audit"]["ItemBatcher"]["BatchInput"], "Items": [{"Key": "k"}]})
    assert (batch.bucket, batch.results_prefix, batch.shared, batch.keys) == ("b", "r/", expected, ("k",))


def test_the_state_machine_ends_wherever_it_goes(resources: dict[str, Any]) -> None:
    definition = _definition(resources)
    states = definition["States"]
    seen, left = set(), [definition["StartAt"]]
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        state = states[name]
        left += [state[key] for key in ("Next", "Default") if key in state]
        left += [choice["Next"] for choice in state.get("Choices", ())]
        assert state["Type"] in ("Succeed", "Fail") or "Next" in state or "Choices" in state
    assert seen == set(states)
    assert isinstance(states["Audit"]["MaxConcurrency"], int)


def test_no_role_may_do_everything(resources: dict[str, Any]) -> None:
    roles = [one for one in resources.values() if one["Type"] == "AWS::IAM::Role"]
    statements = [
        statement
        for role in roles
        for policy in role["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    assert len(statements) == 9
    for statement in statements:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions)
        assert statement["Resource"] != "*"
