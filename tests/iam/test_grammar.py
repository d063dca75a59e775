"""Policy documents read and written: what is accepted, kept, refused, and that nothing is lost on the way round."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.bundled import schema
from mantle_iam.errors import PolicyError
from mantle_iam.iam.grammar import parse_policy, parse_printed_policy, policy_json, write_policy
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Principals, Statement

STATEMENT = {"Effect": "Allow", "Action": "a:B", "Resource": "*"}
DOCUMENT = {"Version": "2012-10-17", "Statement": [STATEMENT]}
PARSED = PolicyDocument((Statement(Effect.ALLOW, ("a:B",), resources=("*",)),))


@pytest.mark.parametrize(
    "source",
    [
        DOCUMENT,
        {"Version": "2012-10-17", "Statement": STATEMENT},
        {"Version": "2012-10-17", "Statement": [{**STATEMENT, "Action": ["a:B"], "Resource": ["*"]}]},
        json.dumps(DOCUMENT),
        json.dumps(DOCUMENT).encode(),
        "\ufeff \n" + json.dumps(DOCUMENT, indent=4) + "\r\n",
        b"\xef\xbb\xbf" + json.dumps(DOCUMENT).encode(),
        quote(json.dumps(DOCUMENT)),
        quote(json.dumps(DOCUMENT, indent=2), safe=""),
        json.dumps(json.dumps(DOCUMENT)),
    ],
)
def test_every_form_of_input_is_the_same_document(source: Any) -> None:
    assert parse_policy(source) == PARSED


def test_url_encoding_is_rfc_3986_where_plus_is_plus() -> None:
    encoded = quote(json.dumps({**DOCUMENT, "Id": "a+b"})).replace("%2B", "+")
    assert parse_policy(encoded).id == "a+b"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda document: {"PolicyVersion": {"Document": document, "VersionId": "v1"}},
        lambda document: {"RoleName": "r", "PolicyName": "p", "PolicyDocument": document},
        lambda document: {"Policy": {"PolicySummary": {}, "Content": json.dumps(document)}},
        lambda document: {"name": "x", "document": document},
        lambda document: document,
    ],
)
def test_what_aws_commands_print_around_a_document(wrap: Any) -> None:
    assert parse_printed_policy(json.dumps(wrap(DOCUMENT))) == PARSED


def test_numbers_and_booleans_become_the_text_that_json_writes() -> None:
    values = '[1.50, 12345678901234567890123, true, "x"]'
    block = f'{{"NumericEquals": {{"k": {values}}}}}'
    text = f'{{"Statement": {{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {block}}}}}'
    assert parse_policy(text).statements[0].conditions == (
        Condition("NumericEquals", "k", ("1.50", "12345678901234567890123", "true", "x")),
    )
    decoded = {**STATEMENT, "Condition": {"NumericEquals": {"k": [1, 0.5, False, Decimal("1.10")]}}}
    assert parse_policy({"Statement": decoded}).statements[0].conditions[0].values == ("1", "0.5", "false", "1.10")


def test_version_left_out_is_not_the_new_one() -> None:
    assert parse_policy({"Statement": STATEMENT}).version is None
    assert "Version" not in write_policy(parse_policy({"Statement": STATEMENT}))


def test_point_31_star_as_principal_is_the_aws_star() -> None:
    short = parse_policy({"Statement": {**STATEMENT, "Principal": "*"}})
    long = parse_policy({"Statement": {**STATEMENT, "Principal": {"AWS": ["*"]}}})
    assert short == long
    assert short.statements[0].principals == Principals((("AWS", ("*",)),))
    assert write_policy(long)["Statement"][0]["Principal"] == "*"


def test_point_31_a_statement_may_be_one_object_and_sids_stay_apart() -> None:
    twice = parse_policy({"Statement": [{**STATEMENT, "Sid": "A"}, {**STATEMENT, "Sid": "A"}]})
    assert [statement.sid for statement in twice.statements] == ["A", "A"]
    assert parse_policy({"Statement": STATEMENT}).statements == PARSED.statements


def test_unknown_elements_are_reported_with_a_pointer_and_survive() -> None:
    source = {
        "Version": "2012-10-17",
        "Comment/x": {"a": [1, 2.5]},
        "Statement": {**STATEMENT, "Notes": ["n"], "resource": "lower"},
    }
    document = parse_policy(json.dumps(source))
    assert [problem.pointer for problem in document.problems] == [
        "/Comment~1x",
        "/Statement/Notes",
        "/Statement/resource",
    ]
    assert "`Resource`" in document.problems[2].message
    written = write_policy(document)
    assert written == {**source, "Statement": [source["Statement"]]}
    assert write_policy(parse_policy(written)) == written


def test_an_unknown_version_and_principal_type_are_problems() -> None:
    document = parse_policy({"Version": "2026-01-01", "Statement": {**STATEMENT, "Principal": {"Robot": "x"}}})
    assert [problem.pointer for problem in document.problems] == ["/Version", "/Statement/Principal/Robot"]
    assert document.version == "2026-01-01"


def test_repeated_keys_are_found() -> None:
    null = '{"Null": {"k": "true", "k": "false"}}'
    text = (
        f'{{"Statement": {{"Effect": "Deny", "Action": "*", "Resource": "*", "Resource": "x", "Condition": {null}}}}}'
    )
    document = parse_policy(text)
    assert [problem.pointer for problem in document.problems] == ["/Statement/Resource", "/Statement/Condition/Null/k"]
    assert document.statements[0].resources == ("x",)
    assert document.statements[0].conditions[0].values == ("false",)


@pytest.mark.parametrize(
    ("source", "pointer", "words"),
    [
        ("", "", "line 1, column 1"),
        ('{"Statement":\n  [}', "", "line 2, column 4"),
        ("nonsense", "", "not JSON"),
        ('{"Statement": NaN}', "", "`NaN` is no JSON value"),
        ("[" * 200_000, "", "nested too deeply"),
        ('{"a":' * 200_000, "", "nested too deeply"),
        (b"\xff\xfe\x00", "", "not UTF-8"),
        ("%7B%FF%7D", "", "not UTF-8"),
        ("[]", "", "JSON object"),
        ("12", "", "JSON object, not a number"),
        ('"text"', "", "not JSON"),
        ("{}", "", "needs the element `Statement`"),
        ({"Statement": 1}, "/Statement", "object or a list"),
        ({"Statement": ["x"]}, "/Statement/0", "not `x`"),
        ({"Statement": [STATEMENT, {}]}, "/Statement/1", "needs the element `Effect`"),
        ({"Statement": {"effect": "Allow"}}, "/Statement", "needs the element `Effect`"),
        ({"Statement": {**STATEMENT, "Effect": "allow"}}, "/Statement/Effect", "in this spelling"),
        ({"Statement": {"Effect": "Allow", "Resource": "*"}}, "/Statement", "`Action` or `NotAction`"),
        ({"Statement": {**STATEMENT, "NotAction": "a:C"}}, "/Statement", "not both"),
        ({"Statement": {**STATEMENT, "NotResource": "x"}}, "/Statement", "not both"),
        ({"Statement": {**STATEMENT, "Principal": "*", "NotPrincipal": "*"}}, "/Statement", "not both"),
        ({"Statement": {**STATEMENT, "Action": []}}, "/Statement/Action", "empty"),
        ({"Statement": {**STATEMENT, "Resource": []}}, "/Statement/Resource", "empty"),
        ({"Statement": {**STATEMENT, "Action": ["a:B", 1]}}, "/Statement/Action/1", "list of strings"),
        ('{"Statement": {"Effect": "Allow", "Action": 1, "Resource": "*"}}', "/Statement/Action", "not a number"),
        ({"Statement": {**STATEMENT, "Principal": "x"}}, "/Statement/Principal", '"*" or an object'),
        ({"Statement": {**STATEMENT, "Principal": {"AWS": []}}}, "/Statement/Principal/AWS", "empty"),
        ({"Statement": {**STATEMENT, "Condition": []}}, "/Statement/Condition", "object of operators"),
        ({"Statement": {**STATEMENT, "Condition": {"Bool": "x"}}}, "/Statement/Condition/Bool", "context keys"),
        (
            {"Statement": {**STATEMENT, "Condition": {"Bool": {"a/b": None}}}},
            "/Statement/Condition/Bool/a~1b",
            "not null",
        ),
        ({"Statement": {**STATEMENT, "Sid": 1}}, "/Statement/Sid", "is a string"),
        ({"Version": 1, "Statement": STATEMENT}, "/Version", "is a string"),
    ],
)
def test_what_cannot_be_a_policy_is_one_error_with_its_place(source: Any, pointer: str, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(source)
    assert caught.value.pointer == pointer
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_case_says_how_it_should_read() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy({"statement": STATEMENT})
    assert caught.value.help is not None
    assert "`Statement`" in caught.value.help


TEXT = st.text(max_size=8)
SOME = st.lists(TEXT, min_size=1, max_size=3).map(tuple)
PRINCIPALS = st.none() | st.dictionaries(st.sampled_from(["AWS", "Service", "Federated"]), SOME, min_size=1).map(
    lambda found: Principals(tuple(found.items()))
)
CONDITIONS = st.dictionaries(
    st.tuples(st.sampled_from(["StringLike", "ForAnyValue:StringEqualsIfExists", "Null"]), TEXT),
    st.lists(TEXT, max_size=3).map(tuple),
    max_size=3,
).map(lambda found: tuple(Condition(operator, key, values) for (operator, key), values in sorted(found.items())))


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    """Any statement that the grammar can express."""
    actions, resources = draw(SOME), draw(SOME)
    not_action, not_resource, not_principal = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    principals = draw(PRINCIPALS)
    return Statement(
        draw(st.sampled_from(Effect)),
        actions=() if not_action else actions,
        not_actions=actions if not_action else (),
        resources=() if not_resource else resources,
        not_resources=resources if not_resource else (),
        principals=None if not_principal else principals,
        not_principals=principals if not_principal else None,
        conditions=draw(CONDITIONS),
        sid=draw(st.none() | TEXT),
    )


DOCUMENTS = st.builds(
    PolicyDocument,
    st.lists(statements(), max_size=3).map(tuple),
    st.sampled_from([None, "2012-10-17", "2008-10-17"]),
    st.none() | TEXT,
)


@given(DOCUMENTS)
def test_a_document_survives_the_round_trip(document: PolicyDocument) -> None:
    assert parse_policy(write_policy(document)) == document
    assert parse_policy(policy_json(document)) == document
    assert parse_policy(policy_json(document, None)) == document
    assert parse_policy(quote(policy_json(document, None))) == document


@given(DOCUMENTS)
def test_what_is_written_is_canonical_and_valid(document: PolicyDocument) -> None:
    import jsonschema

    written = write_policy(document)
    jsonschema.Draft202012Validator(schema("policy")).validate(written)
    assert write_policy(parse_policy(written)) == written
    assert list(written) == [name for name in ("Version", "Id", "Statement") if name in written]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Statement", "Effect", "Action", "Resource", "Condition", "Principal", "Sid"]) | TEXT,
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_a_document_or_one_policy_error(value: Any) -> None:
    try:
        document = parse_policy(json.dumps(value))
    except PolicyError:
        return
    assert write_policy(parse_policy(write_policy(document))) == write_policy(document)


@pytest.mark.parametrize(
    "wrong",
    [
        {"Statement": {**STATEMENT, "Effect": "Maybe"}},
        {"Statement": {**STATEMENT, "NotAction": "a:C"}},
        {"Statement": {"Effect": "Allow", "Resource": "*"}},
        {"Statement": {**STATEMENT, "Foo": 1}},
        {"Statement": {**STATEMENT, "Condition": {"Bool": {"k": None}}}},
        {"Version": "2013-01-01", "Statement": STATEMENT},
    ],
)
def test_the_schema_refuses(wrong: dict[str, Any]) -> None:
    import jsonschema

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema("policy")).validate(wrong)
