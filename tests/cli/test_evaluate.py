"""``mantle-iam evaluate`` as a program: lines in, lines out, whatever is in them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.bundled import schema
from mantle_iam.cli.main import run

USER = "arn:aws:iam::111122223333:user/ada"
PROJECT = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default"
ALLOW = {"Version": "2012-10-17", "Statement": {"Sid": "Mantle", "Effect": "Allow", "Action": "*", "Resource": "*"}}
DENY = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
LINE = {
    "id": 1,
    "principal": USER,
    "action": "bedrock-mantle:ListModels",
    "resource": PROJECT,
    "policies": {"identity": [ALLOW]},
}
ALLOWED = {
    "id": 1,
    "decision": "allowed",
    "withheld_by": [],
    "determining": [{"policy_type": "identity", "document": 0, "statement": 0, "sid": "Mantle"}],
    "depends_on": [],
}


class Input(io.TextIOWrapper):
    """Standard input that holds ``data``."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), "utf-8")


def evaluate(data: bytes | str, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and answers; every answer is valid by the schema."""
    before = sys.stdin, sys.stdout
    sys.stdin = Input(data.encode() if isinstance(data, str) else data)
    sys.stdout = output = io.StringIO()
    try:
        code = run(["evaluate", *options])
    finally:
        sys.stdin, sys.stdout = before
    answers = [json.loads(line) for line in output.getvalue().splitlines()]
    for answer in answers:
        VALIDATOR.validate(answer)
    return code, answers


def validator(name: str) -> Any:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(schema(name))
    return jsonschema.Draft202012Validator(schema(name))


VALIDATOR = validator("evaluate-result")


def one(**change: Any) -> dict[str, Any]:
    _, (answer,) = evaluate(json.dumps({**LINE, **change}))
    return answer


def test_the_shape_of_an_answer() -> None:
    assert evaluate(json.dumps(LINE)) == (0, [ALLOWED])


def test_lines_are_answered_in_order_and_a_bad_one_alone_fails() -> None:
    lines = [{**LINE, "id": "a"}, {"id": "b"}, {**LINE, "id": "c", "policies": {"identity": [DENY]}}]
    code, answers = evaluate("\n".join(map(json.dumps, lines)))
    assert code == 2
    assert [answer["id"] for answer in answers] == ["a", "b", "c"]
    assert answers[1] == {"id": "b", "error": "line 2: `principal` is missing"}
    assert answers[2]["decision"] == "explicitDeny"


def test_levels_of_service_control_policies() -> None:
    answer = one(policies={"identity": [ALLOW], "scp": [[ALLOW], [ALLOW, DENY]]})
    assert answer["determining"] == [
        {"policy_type": "scp", "document": 1, "statement": 0, "sid": None, "level": 1},
    ]
    assert answer["withheld_by"] == ["scp"]


@pytest.mark.parametrize("document", [ALLOW, json.dumps(ALLOW), "%7B%22Statement%22%3A%5B%5D%7D"])
def test_documents_as_objects_text_and_url_encoded_text(document: Any) -> None:
    assert one(policies={"identity": [ALLOW, document]})["decision"] == "allowed"


def test_context_values_of_every_json_type() -> None:
    conditions = {
        "NumericEquals": {"n": "9007199254740993.10"},
        "Bool": {"b": "true"},
        "ForAnyValue:StringEquals": {"l": "2"},
        "Null": {"z": "true"},
    }
    document = {"Version": "2012-10-17", "Statement": {**ALLOW["Statement"], "Condition": conditions}}  # type: ignore[dict-item]
    text = json.dumps({**LINE, "policies": {"identity": [document]}})
    text = text[:-1] + ', "context": {"n": 9007199254740993.1, "b": true, "l": [1, 2], "z": null}}'
    assert evaluate(text)[1][0]["decision"] == "allowed"
    assert evaluate(text.replace("9007199254740993.1,", "9007199254740992,"))[1][0]["decision"] == "implicitDeny"


def test_what_is_unknown() -> None:
    answer = one(unknown={"layers": ["scp"]})
    assert (answer["decision"], answer["depends_on"]) == ("unknown", ["scp"])


def test_derived_keys_can_be_given() -> None:
    condition = {"StringEquals": {"aws:PrincipalArn": "x"}}
    document = {"Version": "2012-10-17", "Statement": {**ALLOW["Statement"], "Condition": condition}}  # type: ignore[dict-item]
    assert one(policies={"identity": [document]})["decision"] == "implicitDeny"
    assert one(policies={"identity": [document]}, context={"AWS:principalarn": "x"})["decision"] == "allowed"


def test_unknown_fields_are_named_and_problems_reported() -> None:
    answer = one(expected="allowed", policies={"identity": [{**ALLOW, "Comment": "x"}]})
    assert answer["ignored"] == ["expected"]
    assert answer["problems"] == [
        {"policy_type": "identity", "document": 0, "pointer": "/Comment", "message": "unknown element `Comment`"}
    ]


def test_explain_adds_near_misses_and_reasons() -> None:
    condition = {"StringEquals": {"bedrock-mantle:Model": "a"}}
    allow = {"Version": "2012-10-17", "Statement": {**ALLOW["Statement"], "Condition": condition}}  # type: ignore[dict-item]
    code, (answer,) = evaluate(json.dumps({**LINE, "policies": {"identity": [allow]}}), "--explain")
    assert (code, answer["decision"]) == (0, "implicitDeny")
    assert answer["missing_context"] == ["bedrock-mantle:Model"]
    assert answer["near_misses"][0]["key"] == "bedrock-mantle:Model"
    _, (answer,) = evaluate(json.dumps({**LINE, "policies": {"identity": [DENY]}}), "--explain")
    assert answer["denied_because"][0]["element"] == "Action"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{bad", "not JSON: column 2"),
        ("[]", "JSON object"),
        ("1", "JSON object"),
        ('"x"', "JSON object"),
        ("null", "JSON object"),
        ("{} {}", "not JSON"),
        ('{"a":NaN}', "`NaN`"),
        ('{"id":"x","principal":"p","principal":"q"}', "`principal` occurs more than once"),
        (b"\xff{}", "not UTF-8: byte 1"),
        ("[" * 100_000, "nested too deeply"),
        ('{"id":' + "[" * 100_000, "nested too deeply"),
        ({"principal": "nobody"}, "`nobody` is not a principal"),
        ({"principal": 1}, "`principal` is a string"),
        ({"principal": None}, "`principal` is missing"),
        ({"action": "ListModels"}, "is not an action"),
        ({"action": ["a:b"]}, "`action` is a string"),
        ({"action": "bedrock-mantle:*"}, "`bedrock-mantle:*` is a pattern"),
        ({"resource": ""}, "`resource` is an ARN"),
        ({"context": {"aws:username": "a", "AWS:UserName": "b"}}, "`context.AWS:UserName` is `aws:username` once more"),
        ({"resource": []}, "`resource` is an ARN"),
        ({"resource": [1]}, "`resource` is an ARN"),
        ({"resource": None}, "`resource` is an ARN"),
        ({"context": []}, "`context` is an object"),
        ({"context": {"k": {}}}, "`context.k`"),
        ({"context": {"k": [[1]]}}, "`context.k`"),
        ({"policies": []}, "`policies` is an object"),
        ({"policies": {"identities": []}}, "`policies.identities` is not known"),
        ({"policies": {"identity": ALLOW}}, "`policies.identity` is a list"),
        ({"policies": {"scp": [ALLOW]}}, "one list of documents per level"),
        ({"policies": {"identity": [1]}}, "`policies.identity[0]` is not a policy document"),
        ({"policies": {"scp": [[ALLOW], ["{"]]}}, "`policies.scp[1][0]`: the policy is not JSON: line 1, column 2"),
        ({"policies": {"identity": [{"Statement": [{}]}]}}, "(at `/Statement/0`)"),
        ({"unknown": {"layers": ["boundary"]}}, "`boundary` in `unknown.layers` is not a type of policy"),
        ({"unknown": {"keys": []}}, "`unknown.keys` is not known"),
        ({"unknown": {"context": "k"}}, "`unknown.context` is a list of strings"),
    ],
)
def test_bad_lines(line: Any, words: str) -> None:
    if isinstance(line, dict):
        line = json.dumps({**LINE, **line})
    data = line if isinstance(line, bytes) else line.encode()
    code, answers = evaluate(data + b"\n" + json.dumps(LINE).encode())
    assert code == 2
    assert words in answers[0]["error"]
    assert answers[0]["error"].startswith("line 1: ")
    assert answers[1] == ALLOWED


def test_blank_lines_line_ends_and_a_byte_order_mark() -> None:
    line = json.dumps(LINE).encode()
    code, answers = evaluate(b"\xef\xbb\xbf" + line + b"\r\n\r\n   \n\n" + line)
    assert (code, answers) == (0, [ALLOWED, ALLOWED])
    assert evaluate(b"") == (0, [])
    assert evaluate(b"\n\n\r\n") == (0, [])


def test_a_line_that_is_too_long_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mantle_iam.cli.evaluate.MAX_INPUT_BYTES", 1000)
    line = json.dumps(LINE).encode()
    code, answers = evaluate(line + b"\n" + b" " * 5000 + line + b"\n" + line)
    assert code == 2
    assert answers[0] == answers[2] == ALLOWED
    assert "longer than" in answers[1]["error"]


def test_ids_come_back_as_they_were() -> None:
    for text in ("1.50", "12345678901234567890123", "null", '"\\ud800"', '{"a":[1]}', "true"):
        line = json.dumps({**LINE, "id": "@"}).replace('"@"', text)
        before = sys.stdin, sys.stdout
        sys.stdin, sys.stdout = Input(line.encode()), io.StringIO()
        try:
            run(["evaluate"])
            written = sys.stdout.getvalue()
        finally:
            sys.stdin, sys.stdout = before
        assert written.startswith(f'{{"id": {text},')
        written.encode("utf-8")


def test_without_an_id_it_is_null() -> None:
    line = {name: value for name, value in LINE.items() if name != "id"}
    assert evaluate(json.dumps(line))[1] == [{**ALLOWED, "id": None}]


def test_a_file_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(tmp_path / "none.jsonl")]) == 2
    assert run(["evaluate", str(tmp_path)]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert all(line.startswith("error: cannot read") for line in errors)


def test_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(json.dumps(LINE))
    assert run(["evaluate", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == ALLOWED


@settings(max_examples=50)
@given(st.binary(max_size=60))
def test_any_bytes_get_an_answer_per_line(data: bytes) -> None:
    _, answers = evaluate(data)
    first = data.removeprefix(b"\xef\xbb\xbf")
    assert len(answers) == sum(1 for line in first.split(b"\n") if line.strip())


@pytest.mark.parametrize("line", [LINE, {**LINE, "context": {"k": [1, "a"]}, "unknown": {"layers": ["scp"]}}])
def test_the_schema_of_requests(line: dict[str, Any]) -> None:
    import jsonschema

    requests = validator("evaluate-request")
    requests.validate(line)
    for wrong in ({"principal": 1}, {"resource": []}, {"policies": {"scp": [ALLOW]}}, {"unknown": {"layers": ["x"]}}):
        with pytest.raises(jsonschema.ValidationError):
            requests.validate({**line, **wrong})


@pytest.mark.slow
def test_it_answers_line_by_line_to_a_program_that_waits() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mantle_iam", "evaluate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for _ in range(3):
            process.stdin.write(json.dumps(LINE) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == ALLOWED
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize(("region", "decision"), [(None, "implicitDeny"), ("us-east-1", "allowed"), (..., "unknown")])
def test_null_is_a_key_that_is_absent_for_certain(region: Any, decision: str) -> None:
    """``aws:RequestedRegion`` is contested for this service: unknown, until somebody says what it is or that it is not."""
    condition = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    document = {"Version": "2012-10-17", "Statement": {**ALLOW["Statement"], "Condition": condition}}
    context = {} if region is ... else {"aws:RequestedRegion": region}
    line = {**LINE, "policies": {"identity": [document]}, "context": context}
    assert evaluate(json.dumps(line))[1][0]["decision"] == decision
