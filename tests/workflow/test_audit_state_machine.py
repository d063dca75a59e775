"""The template's state machine, run by an interpreter of the Amazon States Language, with the real handler as its function.

The interpreter (moto's) stands in for AWS and lacks three things, each put here as AWS documents it: ``ItemBatcher`` (the same
input is made by ``ItemSelector``, a batch of one), whole numbers as percentages, and the PascalCase of SDK integrations
(https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import yaml
from moto_in_process import mocked
from test_audit_lambda import BUCKET, TEMPLATE, _definition, _dump, _Loader

from mantle_iam.workflow.audit_lambda import handler

pytestmark = pytest.mark.slow

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:audit"
VALUES = {
    "AWS::Partition": "aws",
    "DumpsBucket": BUCKET,
    "DumpsPrefix": "dumps/",
    "Function.Arn": FUNCTION,
    "RequirementsKey": "",
    "ResultsBucket": BUCKET,
    "ResultsPrefix": "reports/",
    "Shared": "",
}


def _renamed(value: Any, change: str) -> Any:
    if isinstance(value, dict):
        return {getattr(key[:1], change)() + key[1:]: _renamed(item, change) for key, item in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    for name, value in (("ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("SECRET_ACCESS_KEY", "x")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import boto3
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_aws_sdk

    def invoke(parameters: dict[str, Any], region: str, state_credentials: object) -> dict[str, Any]:
        assert parameters["FunctionName"] == FUNCTION
        try:
            payload = handler(json.loads(parameters["Payload"]), None)
        except Exception as error:
            # As Lambda does it.
            told = json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})
            raise lambda_eval_utils.LambdaFunctionErrorException("Unhandled", told) from None
        return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": payload}

    def parameters(self: object, given: dict[str, Any], *_: object, **__: object) -> None:
        changed = _renamed(dict(given), "lower")
        given.clear()
        given.update(changed)

    def response(self: object, given: dict[str, Any], *_: object, **__: object) -> None:
        changed = _renamed(dict(given), "upper")
        given.clear()
        given.update(changed)

    monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", invoke)
    service = state_task_service_aws_sdk.StateTaskServiceAwsSdk
    monkeypatch.setattr(service, "_normalise_parameters", parameters)
    monkeypatch.setattr(service, "_normalise_response", response)
    with mocked("s3", "stepfunctions", config={"stepfunctions": {"execute_state_machine": True}}):
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for number in range(3):
            body = _dump(f"{number:012d}", "bedrock-mantle:*")
            s3.put_object(Bucket=BUCKET, Key=f"dumps/{number}.json", Body=body)
        yield s3, boto3.client("stepfunctions")


def _run(stepfunctions: Any, **values: str) -> dict[str, Any]:
    resources = yaml.load(TEMPLATE.read_text("utf-8"), _Loader)["Resources"]
    definition = _definition(resources, **{**VALUES, **values})
    audit = definition["States"]["Audit"]
    audit["ToleratedFailurePercentage"] = float(audit["ToleratedFailurePercentage"])
    batcher = audit.pop("ItemBatcher")
    audit["ItemSelector"] = {"BatchInput": batcher["BatchInput"], "Items.$": "States.Array($$.Map.Item.Value)"}
    machine = stepfunctions.create_state_machine(
        name=f"audit-{time.monotonic_ns()}",
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::123456789012:role/run",
    )["stateMachineArn"]
    execution = stepfunctions.start_execution(stateMachineArn=machine)["executionArn"]
    until = time.monotonic() + 25
    while time.monotonic() < until:
        found: dict[str, Any] = stepfunctions.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.05)
    raise AssertionError("it does not end")


def _reports(s3: Any) -> list[str]:
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="reports/dumps/").get("Contents", ())
    return [one["Key"] for one in listed]


def test_every_dump_is_audited(clients: tuple[Any, Any]) -> None:
    s3, stepfunctions = clients
    assert _run(stepfunctions)["status"] == "SUCCEEDED"
    assert _reports(s3) == [f"reports/dumps/{number}.json.jsonl" for number in range(3)]
    line = s3.get_object(Bucket=BUCKET, Key="reports/dumps/1.json.jsonl")["Body"].read().splitlines()[0]
    assert json.loads(line).get("account") == "000000000001", line[:2000]


def test_what_could_not_be_audited_is_the_executions_failure(clients: tuple[Any, Any]) -> None:
    s3, stepfunctions = clients
    s3.put_object(Bucket=BUCKET, Key="access.json", Body=b"[]")
    found = _run(stepfunctions, RequirementsKey="access.json")
    assert (found["status"], found["error"]) == ("FAILED", "Incomplete")
    assert _reports(s3) == []
