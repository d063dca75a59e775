"""``mantle-iam generate --from``: reports of ``explain`` and ``probe``, whole, without a fix, and spoiled."""

from __future__ import annotations

import io
import json

import pytest

from mantle_iam import __version__
from mantle_iam.cli.main import run as main
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.report.document import document
from mantle_iam.workflow.explain import ExplainOptions, explain

USER = "arn:aws:iam::111122223333:user/BedrockAPIKey-abcd"
ROLE = "arn:aws:sts::111122223333:assumed-role/app/session"
PROJECT = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default"


def refusal(principal: str, action: str, resource: str, because: str) -> str:
    message = f"User: {principal} is not authorized to perform: {action} on resource: {resource} {because}"
    error = {"code": "access_denied", "message": message, "param": None, "type": "permission_denied_error"}
    return f"HTTP/1.1 403 Forbidden\ncontent-type: application/json\n\n{json.dumps({'error': error})}\n"


def report(text: str, *, fix: bool = True) -> str:
    return json.dumps(document(explain(text, ExplainOptions(with_fix=fix)), version=__version__))


LIST = "bedrock-mantle:ListModels"
NOBODY = f"because no identity-based policy allows the {LIST} action"


@pytest.fixture
def generate(capsys, monkeypatch):
    def call(text: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8"))
        code = main(("generate", "--from", "-", *arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.parametrize("fix", [True, False], ids=["with its fix", "diagnoses alone"])
def test_what_is_missing_is_granted_and_no_more(generate, fix):
    code, out, err = generate(report(refusal(USER, LIST, PROJECT, NOBODY), fix=fix), "--explain")
    assert code == 0
    statements = parse_policy(out).statements
    assert {(a, r) for s in statements for a in s.actions for r in s.resources} == {
        (LIST, PROJECT),
        ("bedrock-mantle:CallWithBearerToken", "*"),
    }
    assert "the refusal names it" in err
    assert "is not authorized to perform" in err
    assert "proven with" in err


def test_a_role_gets_no_permission_for_keys(generate):
    _, out, _ = generate(report(refusal(ROLE, LIST, PROJECT, NOBODY)))
    assert [a for s in parse_policy(out).statements for a in s.actions] == [LIST]


def test_a_report_and_a_purpose_join(generate):
    code, out, _ = generate(report(refusal(USER, LIST, PROJECT, NOBODY)), "--for", "files", "--auth", "sigv4")
    actions = {a for s in parse_policy(out).statements for a in s.actions}
    assert code == 0
    assert {LIST, "bedrock-mantle:CreateFile"} <= actions


@pytest.mark.parametrize("fix", [True, False], ids=["with its fix", "diagnoses alone"])
@pytest.mark.parametrize(
    ("because", "layer"),
    [
        ("with an explicit deny in a service control policy", "a service control policy denies"),
        ("with an explicit deny in an identity-based policy", "the principal's own policies denies"),
        (f"because no permissions boundary allows the {LIST} action", "the permissions boundary does not allow"),
        (f"because no session policy allows the {LIST} action", "the session policy does not allow"),
        (f"because no VPC endpoint policy allows the {LIST} action", "the VPC endpoint policy does not allow"),
    ],
)
def test_another_layer_is_named_and_no_policy_written(generate, because, layer, fix):
    code, out, err = generate(report(refusal(ROLE, LIST, PROJECT, because), fix=fix))
    assert code == 1
    assert out == ""
    assert f"withheld: {layer} {LIST}" in err
    assert "no policy is written" in err


@pytest.mark.parametrize(
    ("because", "kind"),
    [
        (f"because no permissions boundary allows the {LIST} action", "boundary"),
        (f"because no session policy allows the {LIST} action", "session"),
        (f"because no VPC endpoint policy allows the {LIST} action", "vpc-endpoint"),
    ],
)
def test_the_layer_itself_can_be_asked_for(generate, because, kind):
    code, out, _ = generate(report(refusal(ROLE, LIST, PROJECT, because)), "--kind", kind)
    assert code == 0
    assert LIST in {a for s in parse_policy(out).statements for a in s.actions}


def test_nothing_missing_is_no_error_and_no_policy(generate):
    code, out, err = generate(report("HTTP/1.1 200 OK\n\n"))
    assert (code, out) == (0, "")
    assert "nothing is missing" in err


def test_a_cause_that_no_policy_ends_gives_none(generate):
    code, out, err = generate(
        report(
            'HTTP/1.1 404 Not Found\n\n{"error":{"code":"not_found_error","message":"The model \'x\' does not exist"}}'
        )
    )
    assert (code, out) == (3, "")
    assert "names no missing permission" in err


DIAGNOSIS = {"code": "missing-permission", "confidence": "conclusive", "actions": [LIST]}


def made(*diagnoses: dict[str, object], **more: object) -> str:
    return json.dumps({"schema_version": "1", "diagnoses": diagnoses, **more})


@pytest.mark.parametrize(
    ("confidence", "code", "words"),
    [
        ("conclusive", 0, ""),
        ("likely", 0, "is likely, not certain"),
        ("inconclusive", 3, "names no missing permission"),
    ],
)
def test_how_sure_it_is_is_said(generate, confidence, code, words):
    ran, out, err = generate(made({**DIAGNOSIS, "confidence": confidence}))
    assert ran == code
    assert bool(out) == (code == 0)
    assert words in err


SPOILED = [
    ("", "empty"),
    ("{", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("[]", "JSON object"),
    ("{}", "no report"),
    ('{"Statement": []}', "--narrow"),
    ('{"principals": []}', "audit"),
    ('{"diagnoses": [1]}', "no report"),
    ('{"diagnoses": []}', "schema version"),
    (made({"code": "no-such-code"}), "no-such-code"),
    (made({**DIAGNOSIS, "actions": ["bedrock-mantle:List\u001b[31m"]}), "not an action"),
    (made({**DIAGNOSIS, "actions": ["x"]}), "not an action"),
    (made(DIAGNOSIS, fix={"changes": [{"policy": "nothing"}]}), "cannot be read"),
]


@pytest.mark.parametrize(("text", "words"), SPOILED, ids=[words for _, words in SPOILED])
def test_what_is_no_report_is_refused(generate, text, words):
    code, out, err = generate(text)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err
    assert "\x1b" not in err


def test_a_region_each_and_odd_rows_are_read(generate):
    row = {
        "region": "us-east-1",
        "exchange": 0,
        "operation": "list-models",
        "answer": "denied",
        "detail": "403",
        "method": "GET",
        "url": "https://bedrock-mantle.us-east-1.api.aws/v1/models",
        "auth": "bearer",
        "status": 403,
    }
    both = [
        {**DIAGNOSIS, "region": region, "resource": PROJECT.replace("us-east-1", region)}
        for region in ("us-east-1", "eu-west-1")
    ]
    code, out, _ = generate(made(*both, outcomes=[row, {"exchange": "x"}, 7], credential={"kind": "what"}))
    assert code == 0
    resources = {r for s in parse_policy(out).statements for r in s.resources}
    assert {PROJECT, PROJECT.replace("us-east-1", "eu-west-1"), "*"} == resources


def spoiled_fix(**changed: object) -> str:
    value = json.loads(report(refusal(USER, LIST, PROJECT, NOBODY)))
    value["fix"]["changes"][0]["policy"]["Statement"][0].update(changed)
    return json.dumps(value)


@pytest.mark.parametrize(
    "changed",
    [{"Action": "iam:*"}, {"Action": "*:*"}, {"Action": ["bedrock-mantle:List*"]}, {"Effect": "Deny"}],
    ids=str,
)
def test_a_report_that_asks_for_more_than_a_refusal_can_is_refused(generate, changed):
    code, out, err = generate(spoiled_fix(**changed))
    assert code == 2
    assert out == ""
    assert "the report" in err
    assert "Traceback" not in err


def test_a_diagnosis_that_names_a_pattern_grants_nothing(generate):
    value = json.loads(report(refusal(USER, LIST, PROJECT, NOBODY), fix=False))
    value["diagnoses"][0]["actions"] = ["iam:*"]
    code, out, _ = generate(json.dumps(value))
    assert (code, out) == (2, "")


def test_an_action_of_another_service_is_pointed_out(generate):
    code, _, err = generate(spoiled_fix(Action="iam:CreateUser"))
    assert code == 0
    assert "note: iam:CreateUser is not an action of Mantle" in err
    assert "is not an action of Mantle" not in generate(report(refusal(USER, LIST, PROJECT, NOBODY)))[2]
