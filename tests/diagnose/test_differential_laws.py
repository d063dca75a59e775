"""Laws of the differential diagnosis, over exchanges that nobody wrote down."""

from __future__ import annotations

import base64
import dataclasses
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from diagnose_cases import read_exchange, situations
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.diagnose.case import Answer, Case
from mantle_iam.diagnose.codes import is_code
from mantle_iam.diagnose.diagnosis import Confidence
from mantle_iam.diagnose.differential import diagnose
from mantle_iam.diagnose.hypotheses import COST_ORDER, HYPOTHESES
from mantle_iam.mantle.credential import Credential, CredentialKind
from mantle_iam.mantle.exchange import Auth, Exchange, Probe, TransportFailure, TransportFailureKind
from mantle_iam.mantle.operations import AuthMethod, Source

SITUATIONS = situations()
PIECES = [situation for situation in SITUATIONS if situation.data.get("exchanges")]
BODIES = [entry.get("body", "") for situation in PIECES for entry in situation.data["exchanges"]]

HOSTS = (
    "https://bedrock-mantle.us-east-1.api.aws",
    "https://bedrock-runtime.us-east-1.amazonaws.com",
    "http://127.0.0.1:8080",
)
PATHS = ("/v1/models", "/openai/v1/models", "/v1/responses", "/anthropic/v1/messages", "/v1/batches", "", "/")


def _exchange(**fields: Any) -> Exchange:
    body = fields.pop("body")
    return Exchange(body=body if isinstance(body, str) else json.dumps(body), **fields)


exchanges = st.builds(
    _exchange,
    probe=st.sampled_from(list(Probe)),
    method=st.sampled_from([None, "GET", "POST", "PUT", "DELETE", "ÄÖ", ""]),
    url=st.one_of(
        st.none(),
        st.text(max_size=30),
        st.builds(lambda host, path: host + path, st.sampled_from(HOSTS), st.sampled_from(PATHS)),
    ),
    auth=st.sampled_from(list(Auth)),
    model=st.one_of(
        st.none(), st.text(max_size=20), st.sampled_from(["openai.gpt-oss-20b", "us.anthropic.claude-sonnet-5"])
    ),
    project=st.one_of(st.none(), st.sampled_from(["proj_a", "default"])),
    status=st.one_of(
        st.none(), st.sampled_from([100, 200, 204, 302, 400, 401, 403, 404, 407, 429, 500, 503, 529, 999])
    ),
    headers=st.lists(
        st.tuples(st.sampled_from(["content-type", "date", "location"]), st.text(max_size=20)), max_size=2
    ).map(tuple),
    body=st.one_of(st.text(max_size=60), st.sampled_from(BODIES)),
    failure=st.one_of(
        st.none(),
        st.none(),
        st.builds(TransportFailure, st.sampled_from(list(TransportFailureKind)), st.text(max_size=30)),
    ),
    sent_at=st.one_of(st.none(), st.just(datetime(2026, 11, 22, tzinfo=UTC))),
)

credentials = st.builds(
    Credential,
    kind=st.sampled_from(list(CredentialKind)),
    masked=st.just("ABSK…"),
    account=st.sampled_from([None, "111122223333"]),
    user_name=st.sampled_from([None, "BedrockAPIKey-abcd"]),
    region=st.sampled_from([None, "us-east-1", "eu-west-1"]),
    expires_at=st.sampled_from([None, datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]),
)

cases = st.builds(
    Case,
    exchanges=st.lists(exchanges, max_size=5).map(tuple),
    credential=st.one_of(st.none(), credentials),
    auth=st.one_of(st.none(), st.sampled_from(list(AuthMethod))),
    region=st.sampled_from([None, "us-east-1", "us-west-1", "nowhere"]),
    model=st.sampled_from([None, "openai.gpt-5.5", "x"]),
    principal=st.sampled_from([None, "arn:aws:iam::111122223333:user/anna", "nobody"]),
    policies=st.sampled_from([None, *(entry.case.policies for entry in PIECES if entry.data.get("policies"))]),
    now=st.sampled_from([None, datetime(2026, 11, 22, tzinfo=UTC)]),
)


@given(case=cases, available=st.frozensets(st.sampled_from(list(Probe))))
@settings(max_examples=250)
def test_always_an_answer(case: Case, available: frozenset[Probe]) -> None:
    report = diagnose(case, available)
    assert report.diagnoses
    assert all(is_code(entry.code) and entry.evidence for entry in report.diagnoses)
    assert [outcome.exchange for outcome in report.outcomes] == list(range(len(case.exchanges)))
    assert set(report.next_probes) <= available
    assert list(report.next_probes) == sorted(report.next_probes, key=COST_ORDER.index)
    assert report == diagnose(case, available)


@given(case=cases)
@settings(max_examples=100)
def test_surer_diagnoses_come_first(case: Case) -> None:
    order = list(Confidence)
    leaked = [entry for entry in diagnose(case).diagnoses if entry.code != "allowed" and not entry.policy]
    assert [order.index(entry.confidence) for entry in leaked] == sorted(
        order.index(entry.confidence) for entry in leaked
    )


UNRELATED = [
    {
        "method": "GET",
        "url": "https://bedrock-mantle.us-west-2.api.aws/v1/files",
        "status": 429,
        "body": {"error": {"message": "x"}},
    },
    {"method": "GET", "url": "https://bedrock-mantle.us-west-2.api.aws/v1/fine_tuning/jobs", "status": 500, "body": ""},
    {
        "method": "GET",
        "url": "https://bedrock-mantle.us-west-2.api.aws/v1/data_retention",
        "status": 200,
        "auth": "unknown",
        "body": {"mode": "default"},
    },
]


@pytest.mark.parametrize("extra", UNRELATED, ids=["throttled", "broken", "allowed"])
@pytest.mark.parametrize("situation", PIECES, ids=lambda situation: situation.name)
def test_an_unrelated_exchange_flips_nothing(situation: Any, extra: dict[str, Any]) -> None:
    case = situation.case
    before = diagnose(case)
    after = diagnose(dataclasses.replace(case, exchanges=(*case.exchanges, read_exchange(extra))))
    conclusive = {
        (entry.code, entry.actions, entry.resource)
        for entry in before.diagnoses
        if entry.confidence is Confidence.CONCLUSIVE and entry.code != "allowed"
    }
    still = {
        (entry.code, entry.actions, entry.resource)
        for entry in after.diagnoses
        if entry.confidence is Confidence.CONCLUSIVE
    }
    assert conclusive <= still


@pytest.mark.parametrize("situation", PIECES, ids=lambda situation: situation.name)
def test_the_order_of_other_exchanges_does_not_matter(situation: Any) -> None:
    case = situation.case
    shuffled = list(case.exchanges)
    random.Random(7).shuffle(shuffled)
    before, after = diagnose(case), diagnose(dataclasses.replace(case, exchanges=tuple(shuffled)))

    def key(report: Any) -> set[Any]:
        return {(entry.code, entry.confidence, frozenset(entry.actions), entry.resource) for entry in report.diagnoses}

    assert key(before) == key(after)


def _keys() -> tuple[str, ...]:
    from aws_bedrock_token_generator import BedrockTokenGenerator
    from botocore.credentials import Credentials

    token = BedrockTokenGenerator().get_token(
        Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "us-west-2"
    )
    long_term = (
        "ABSK" + base64.b64encode(b"BedrockAPIKey-abcd-at-111122223333:" + b"s3cr3t-value-of-a-key" * 3).decode()
    )
    return token, long_term


@pytest.mark.parametrize("situation", PIECES, ids=lambda situation: situation.name)
def test_no_secret_in_any_text(situation: Any) -> None:
    for secret in _keys():
        tail = secret[-40:]
        entries = [dict(entry) for entry in situation.data["exchanges"]]
        for entry in entries:
            body = entry.get("body", "")
            if isinstance(body, str):
                entry["body"] = f"{body} Authorization: Bearer {secret}"
            else:
                entry["body"] = {**body, "note": f"sent {secret}"}
            if "failure" in entry:
                entry["failure"] = {**entry["failure"], "detail": f"{entry['failure']['detail']} key={secret}"}
            if "url" in entry:
                entry["url"] += f"?api_key={secret}"
            entry["headers"] = {**entry.get("headers", {}), "location": f"https://example.com/?t={secret}"}
        case = dataclasses.replace(situation.case, exchanges=tuple(read_exchange(entry) for entry in entries))
        report = diagnose(case, frozenset(Probe))
        assert tail not in repr(report)


@pytest.mark.parametrize(
    "text", ["not authorized to perform: " * 40_000, "the model '" * 90_000, "{" * 500_000, "'" * 1_000_000]
)
def test_hostile_text_ends(text: str) -> None:
    report = diagnose(Case(exchanges=(Exchange(status=403, body=text), Exchange(body=text))))
    assert report.diagnoses
    assert all(len(entry.title) < 1_000 and len(entry.explanation) < 2_000 for entry in report.diagnoses)


def test_the_table_is_whole() -> None:
    """The names of the table are unique, and every hypothesis has its conclusion."""
    from mantle_iam.diagnose.conclusions import _CONCLUSIONS

    names = [entry.name for entry in HYPOTHESES]
    assert len(set(names)) == len(names)
    assert set(names) == set(_CONCLUSIONS)
    assert all(is_code(entry.code) for entry in HYPOTHESES)
    assert {prediction.source for entry in HYPOTHESES for prediction in entry.predictions} <= set(Source)
    assert {prediction.probe for entry in HYPOTHESES for prediction in entry.predictions} <= set(COST_ORDER)


def test_a_refused_control_is_no_denial() -> None:
    """The table of operations must not read as if a call without a credential had been meant to work."""
    by_name = {situation.name: situation for situation in situations()}
    report = diagnose(by_name["article-bare-404-proven"].case)
    assert [outcome.answer for outcome in report.outcomes] == [Answer.DENIED, Answer.CONTROL]
