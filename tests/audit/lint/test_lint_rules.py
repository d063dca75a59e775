"""Every rule fires where it should and is silent beside it; AWS's own documents and ours are clean; nothing makes it raise."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lint_tables import cases

from mantle_iam import bundled
from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.engine import Settings, lint_policy, lint_principal
from mantle_iam.audit.lint.guess import guess_purpose
from mantle_iam.audit.lint.page import rules_page
from mantle_iam.audit.lint.registry import DOCUMENT_RULES, PRINCIPAL_RULES, RULES
from mantle_iam.audit.lint.rule import DocumentRule
from mantle_iam.audit.lint.view import View
from mantle_iam.errors import PolicyError
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import ApiKey, NamedPolicy, Place, Principal, Purpose
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import AuthMethod

CASES = cases()


def lint(document: Any, kind: str = "identity", auth: str | None = None, **named: Any) -> list[tuple[str, str]]:
    policy = NamedPolicy("p", parse_policy(document), Purpose(kind), **named)
    found = lint_policy(policy, Settings(AuthMethod(auth) if auth else None))
    return [(each.rule, each.severity.value) for each in found]


def test_every_rule_has_cases_on_both_sides() -> None:
    counts = Counter((case.rule, case.fires) for case in CASES)
    assert {rule for rule, _ in counts} == {each.rule.id for each in DOCUMENT_RULES}
    assert min(counts[each.rule.id, fires] for each in DOCUMENT_RULES for fires in (True, False)) >= 5


def test_records_are_whole() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.id.replace("-", "").isalpha(), rule.id
        assert rule.id.islower(), rule.id
        assert not rule.title.endswith("."), rule.id
        assert all((rule.what, rule.why, rule.bad, rule.instead)), rule.id
        assert rule.reference.startswith(("https://", "docs/")), rule.id


def test_page_of_rules(golden: Any) -> None:
    page = rules_page()
    assert all(f"### {rule.id}\n" in page for rule in RULES)
    golden("../../docs/rules.md", page)


def test_messages_are_sentences_without_a_full_stop() -> None:
    for case in CASES:
        for each in case.found():
            assert not each.message.endswith("."), each.message
            assert "\n" not in each.message
            assert len(each.message) < 500


SHIPPED = [
    pytest.param(json.loads(path.read_text("utf-8")), id=f"{folder}/{path.stem}")
    for folder in ("managed", "examples", "scp")
    for path in sorted((bundled.policies() / folder).glob("*.json"))
]


@pytest.mark.parametrize("shipped", SHIPPED)
def test_shipped_policies_are_clean(shipped: dict[str, Any]) -> None:
    kind = shipped.get("policy_type", "identity")
    assert lint(shipped["document"], kind, arn=shipped.get("arn", "")) == []
    # Without its ARN it is somebody's own, of which a width may be told, and nothing worse.
    assert {severity for _, severity in lint(shipped["document"], kind)} <= {"info"}


def test_an_aws_managed_policy_is_as_wide_as_aws_wants_it() -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"}],
    }
    assert lint(document) == [("full-access", "info")]
    assert lint(document, arn="arn:aws:iam::aws:policy/AmazonBedrockMantleFullAccess") == []


def test_what_a_wildcard_loses_is_worse_where_it_is_the_use_of_keys() -> None:
    project = "arn:aws:bedrock-mantle:*:*:project/*"
    for pattern, auth, severity in (
        ("bedrock-mantle:*", "long-term-key", "warning"),
        ("bedrock-mantle:*", None, "info"),
        ("bedrock-mantle:*", "sigv4", "info"),
        ("bedrock-mantle:Get*", "long-term-key", "info"),
    ):
        statement = {"Effect": "Allow", "Action": pattern, "Resource": project}
        found = lint({"Version": "2012-10-17", "Statement": statement}, auth=auth)
        assert ("wildcard-reaches-less", severity) in found


def test_what_is_not_known_is_not_held_against_a_document() -> None:
    statement = {"Effect": "Allow", "Action": ["bedrock-mantle:CreateReservation"], "Resource": "arn:aws:s3:::x"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    assert lint(document) == [("wrong-resource-type", "error")]
    assert lint(document, unresolved=("/Statement/0/Resource",)) == []
    assert lint(document, unresolved=("/Statement",)) == []


def test_places_and_choice_of_rules() -> None:
    document = parse_policy(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": ["s3:*", "bedrock-mantle:Converse"], "Resource": "*"}],
        }
    )
    policy = NamedPolicy("name", document, place=Place("f.json", pointer="/PolicyVersion/Document"))
    (found,) = lint_policy(policy)
    assert (found.rule, found.severity, found.confidence) == ("unknown-action", Severity.ERROR, Certainty.HIGH)
    assert found.place == Place("f.json", pointer="/PolicyVersion/Document/Statement/0/Action/1")
    assert (found.statement, found.policy) == (0, "name")
    assert "`bedrock-mantle:CreateInference`" in found.message
    assert lint_policy(policy, Settings(ignore=frozenset({"unknown-action"}))) == ()
    assert lint_policy(policy, Settings(select=frozenset({"full-access"}))) == ()
    assert lint_policy(policy, Settings(select=frozenset({"unknown-action"}))) == (found,)


# --- principals

USER = "arn:aws:iam::111122223333:user/BedrockAPIKey-abcd"
WHEN = datetime(2027, 1, 1, tzinfo=UTC)


def allow(action: str, resource: str = "*") -> NamedPolicy:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return NamedPolicy("p", parse_policy({"Version": "2012-10-17", "Statement": [statement]}))


def deny(action: str) -> NamedPolicy:
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    return NamedPolicy("d", parse_policy({"Version": "2012-10-17", "Statement": [statement]}))


def all_but(*actions: str) -> NamedPolicy:
    statement = {"Effect": "Allow", "NotAction": list(actions), "Resource": "*"}
    return NamedPolicy("n", parse_policy({"Version": "2012-10-17", "Statement": [statement]}))


LIMITED = (allow("bedrock-mantle:CreateInference"), allow("bedrock-mantle:CallWithBearerToken"))
KEY = ApiKey("ACCA1", "BedrockAPIKey-abcd", expires=WHEN)
ENDLESS = ApiKey("ACCA1", "BedrockAPIKey-abcd")
PRINCIPALS = [
    ("an endless key", Principal(USER, LIMITED, keys=(ENDLESS,)), {"long-term-key-without-expiry"}),
    ("two", Principal(USER, LIMITED, keys=(ENDLESS, KEY)), {"long-term-key-without-expiry"}),
    ("beside an inactive one", Principal(USER, (), keys=(ENDLESS,)), {"long-term-key-without-expiry"}),
    ("one that expires", Principal(USER, LIMITED, keys=(KEY,)), set()),
    ("one that is not active", Principal(USER, LIMITED, keys=(ApiKey("A", "u", active=False),)), set()),
    ("one of which it is not known", Principal(USER, LIMITED, keys=(ApiKey("A", "u", expiry_known=False),)), set()),
    ("keys that could not be read", Principal(USER, (allow("*"),), keys=None), set()),
    ("an administrator", Principal(USER, (allow("*"),), keys=(KEY,)), {"long-term-key-of-administrator"}),
    ("by *:*", Principal(USER, (*LIMITED, allow("*:*")), keys=(KEY,)), {"long-term-key-of-administrator"}),
    ("of IAM", Principal(USER, (*LIMITED, allow("iam:*")), keys=(KEY,)), {"long-term-key-of-administrator"}),
    ("without a key", Principal(USER, (allow("*"),), keys=()), set()),
    ("an administrator of one bucket", Principal(USER, (allow("*", "arn:aws:s3:::b/*"),), keys=(KEY,)), set()),
    (
        "of everything but S3",
        Principal(USER, (*LIMITED, all_but("s3:*")), keys=(KEY,)),
        {"long-term-key-of-administrator"},
    ),
    ("a power user", Principal(USER, (*LIMITED, all_but("iam:*", "organizations:*")), keys=(KEY,)), set()),
    (
        "the use of keys is denied",
        Principal(USER, (allow("bedrock-mantle:*"), deny("bedrock-mantle:CallWithBearerToken")), keys=(KEY,)),
        {"key-without-bearer-token-permission"},
    ),
    ("reads IAM", Principal(USER, (*LIMITED, allow("iam:Get*")), keys=(KEY,)), set()),
    ("no use of the key", Principal(USER, LIMITED[:1], keys=(KEY,)), {"key-without-bearer-token-permission"}),
    (
        "use of the key on a project",
        Principal(
            USER,
            (LIMITED[0], allow("bedrock-mantle:CallWithBearerToken", "arn:aws:bedrock-mantle:*:*:project/*")),
            keys=(KEY,),
        ),
        {"key-without-bearer-token-permission"},
    ),
    ("use by another policy", Principal(USER, LIMITED, keys=(KEY,)), set()),
    ("a key for runtime alone", Principal(USER, (allow("bedrock:*"),), keys=(KEY,)), set()),
    ("no key", Principal(USER, LIMITED[:1], keys=()), set()),
]


@pytest.mark.parametrize(
    ("principal", "wanted"), [each[1:] for each in PRINCIPALS], ids=[each[0] for each in PRINCIPALS]
)
def test_principals(principal: Principal, wanted: set[str]) -> None:
    found = lint_principal(principal)
    assert {each.rule for each in found} == wanted
    assert all(each.principal == USER for each in found)


def test_every_rule_about_principals_is_found_somewhere() -> None:
    assert {rule for _, _, wanted in PRINCIPALS for rule in wanted} == {each.rule.id for each in PRINCIPAL_RULES}


# --- guesses


@pytest.mark.parametrize(
    ("document", "path", "purpose"),
    [
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, "x.json", Purpose.IDENTITY),
        ({"Effect": "Deny", "Action": "s3:*", "Resource": "*"}, "org/scp/no-s3.json", Purpose.SCP),
        ({"Effect": "Deny", "Action": "s3:*", "Resource": "*"}, "Service-Control-Policies/a.json", Purpose.SCP),
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, "iam/boundary.json", Purpose.BOUNDARY),
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, "inscpection.json", Purpose.IDENTITY),
        ({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "1"}}, "x.json", Purpose.TRUST),
        ({"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Principal": "*"}, "x.json", Purpose.RCP),
        (
            {"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*", "Principal": "*"},
            "x.json",
            Purpose.VPC_ENDPOINT,
        ),
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"}, "x.json", Purpose.RESOURCE),
    ],
)
def test_guess(document: dict[str, Any], path: str, purpose: Purpose) -> None:
    guessed, reason = guess_purpose(parse_policy({"Version": "2012-10-17", "Statement": document}), path)
    assert guessed is purpose
    assert reason


# --- hostile input and speed

WORDS = st.sampled_from(
    [
        *(
            "*",
            "?",
            "",
            "${",
            "${aws:username}",
            "a",
            "bedrock-mantle:",
            "bedrock-mantle:*",
            "bedrock:CallWithBearerToken",
        ),
        *(info.name for info in catalog.actions()[:12]),
        *(
            "arn:aws:bedrock-mantle:*:*:project/*",
            "arn:aws:bedrock-mantle:" + "?*" * 40,
            "arn:aws:bedrock::",
            "::::::::",
        ),
        *("us.openai.gpt-oss-120b", "Long-term", "LONG_TERM", "\x1b[31m", "\ud800", "*" * 200),
    ]
)
SCALARS = WORDS | st.text(max_size=8) | st.integers() | st.booleans() | st.none()
KEYS = st.sampled_from(
    [
        "bedrock-mantle:Model",
        "bedrock-mantle:BearerTokenType",
        "aws:RequestedRegion",
        "aws:ResourceTag/x",
        "aws:TagKeys",
        "x",
    ]
)
OPERATORS = st.sampled_from(
    [
        "StringEquals",
        "StringNotLike",
        "Null",
        "ForAllValues:StringEquals",
        "ForAnyValue:StringNotEqualsIfExists",
        "Foo",
        "IpAddress",
    ]
)
STATEMENT = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"])},
    optional={
        "Sid": WORDS,
        "Action": st.lists(WORDS, min_size=1, max_size=4) | WORDS,
        "NotAction": WORDS,
        "Resource": st.lists(WORDS, min_size=1, max_size=3) | WORDS,
        "NotResource": WORDS,
        "Principal": st.just("*") | st.dictionaries(st.sampled_from(["AWS", "Service", "x"]), WORDS, max_size=2),
        "Condition": st.dictionaries(
            OPERATORS, st.dictionaries(KEYS, st.lists(SCALARS, max_size=3) | SCALARS, max_size=2), max_size=2
        ),
        "Other": st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2), max_leaves=4),
    },
)
DOCUMENT = st.fixed_dictionaries(
    {"Statement": st.lists(STATEMENT, max_size=3) | STATEMENT},
    optional={"Version": WORDS | st.just("2012-10-17"), "Id": SCALARS},
)


@settings(max_examples=150)
@given(DOCUMENT, st.sampled_from(list(Purpose)), st.sampled_from([None, *AuthMethod]))
def test_no_document_makes_it_raise(document: Any, purpose: Purpose, auth: AuthMethod | None) -> None:
    try:
        policy = parse_policy(document)
    except PolicyError:
        return
    for each in lint_policy(NamedPolicy("p", policy, purpose), Settings(auth)):
        assert each.message
        assert each.statement is None or each.statement < max(1, len(policy.statements))
        assert "\x1b" not in each.message


@pytest.mark.parametrize(
    "text",
    ["a*" * 20_000, "bedrock-mantle:" + "*a?" * 10_000, "arn:aws:bedrock-mantle:" + "*?:" * 10_000, "${" * 20_000],
)
def test_long_patterns_cost_no_time(text: str) -> None:
    statement = {
        "Effect": "Deny",
        "Action": [text, "bedrock-mantle:*"],
        "Resource": [text, "*"],
        "Condition": {"StringNotLike": {"bedrock-mantle:Model": [text], text: text}},
    }
    started = time.perf_counter()
    lint({"Version": "2012-10-17", "Statement": [statement] * 3}, "scp")
    assert time.perf_counter() - started < 3


def test_speed() -> None:
    """The order of a thousand documents in a second; a twentieth of that fails."""
    documents = [
        NamedPolicy("p", parse_policy(case.document), Purpose(case.kind))
        for case in CASES
        if len(json.dumps(case.document)) < 2_000
    ]
    for policy in documents:
        lint_policy(policy)
    started = time.perf_counter()
    for policy in documents:
        lint_policy(policy)
    assert len(documents) / (time.perf_counter() - started) > 50


FIRING = {case.rule: case for case in CASES if case.fires}


@pytest.mark.parametrize("each", DOCUMENT_RULES, ids=lambda each: each.rule.id)
def test_many_statements_take_linear_time(each: DocumentRule) -> None:
    """Nobody's policy has thousands; what a stranger sends to a pipeline may."""
    case = FIRING[each.rule.id]
    document = parse_policy(case.document)
    document = replace(document, statements=document.statements[:8] * 3_000)
    started = time.process_time()
    view = View(NamedPolicy("p", document, Purpose(case.kind)), AuthMethod(case.auth) if case.auth else None)
    for _ in each.check(view):
        pass
    assert time.process_time() - started < 4


def test_what_not_action_does_with_an_action_that_does_not_exist() -> None:
    for effect in ("Allow", "Deny"):
        statement = {"Effect": effect, "NotAction": ["iam:*", "bedrock-mantle:CreateInferrence"], "Resource": "*"}
        document = parse_policy({"Version": "2012-10-17", "Statement": statement})
        (found,) = (each for each in lint_policy(NamedPolicy("p", document)) if each.rule == "unknown-action")
        assert "excepts nothing" in found.message
