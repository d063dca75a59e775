"""Narrowing a policy to its use: a table, a law over random policies and requests, and input that is spoiled."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.generate.narrow import narrow
from mantle_iam.generate.used import read_used
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy, write_policy
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet

CASES = json.loads((Path(__file__).parent / "narrow.json").read_text("utf-8"))
SCHEMA = json.loads((Path(__file__).parents[2] / "mantle_iam" / "schemas" / "used.schema.json").read_text("utf-8"))
ACCOUNT = "111122223333"
PROJECT = f"arn:aws:bedrock-mantle:us-east-1:{ACCOUNT}:project/"


def policy(statements):
    return parse_policy({"Version": "2012-10-17", "Statement": statements})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_narrowed(case):
    found = narrow(policy(case["old"]), read_used(json.dumps({"used": case["used"]})))
    written = [
        {k: v for k, v in s.items() if not (k == "Sid" and s["Effect"] == "Allow") and (k, v) != ("Effect", "Allow")}
        for s in write_policy(found.policy.document)["Statement"]
    ]
    assert written == case["new"]
    for words in case["notes"]:
        assert any(words in note for note in found.notes), found.notes
    assert len(found.notes) == len(case["notes"])
    assert found.policy.proof.holds


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_the_published_form_and_lines_are_read_alike(case):
    as_lines = "\n".join(json.dumps(record) for record in case["used"])
    assert (
        read_used(as_lines) == read_used(json.dumps(case["used"])) == read_used(json.dumps({"Records": case["used"]}))
    )
    if all("action" in record for record in case["used"]):
        jsonschema.validate({"schema_version": "1", "used": case["used"]}, SCHEMA)


KEYS = {
    "bedrock-mantle:Model": ["a", "b", "openai.x"],
    "aws:SourceVpc": ["vpc-1", "vpc-2"],
    "aws:PrincipalTag/team": ["search", "ads"],
}
OPERATORS = ["StringEquals", "StringLike", "StringNotEquals", "StringEqualsIfExists", "StringEqualsIgnoreCase"]
NAMES = ["CreateInference", "CountTokens", "ListModels", "ListProjects", "CallWithBearerToken"]
CONDITION = st.one_of(
    st.just({}),
    st.builds(
        lambda operator, key, value: {operator: {key: value}},
        st.sampled_from(OPERATORS),
        st.sampled_from(list(KEYS)),
        st.lists(st.sampled_from(["a", "b", "openai.*", "vpc-1", "search"]), min_size=1, max_size=2, unique=True),
    ),
)
STATEMENT = st.builds(
    lambda effect, element, actions, where, resources, condition: {
        "Effect": effect,
        element: actions,
        where: resources,
        **({"Condition": condition} if condition else {}),
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["Action", "Action", "NotAction"]),
    st.lists(
        st.sampled_from(["bedrock-mantle:*", "*", "s3:*", *(f"bedrock-mantle:{name}" for name in NAMES)]),
        min_size=1, max_size=3, unique=True,
    ),
    st.sampled_from(["Resource", "Resource", "NotResource"]),
    st.lists(
        st.sampled_from(
            ["*", f"{PROJECT}*", f"{PROJECT}default", "arn:aws:s3:::x", f"{PROJECT}${{aws:PrincipalTag/team}}"]
        ),
        min_size=1, max_size=2, unique=True,
    ),
    CONDITION,
)  # fmt: skip
CONTEXT = st.dictionaries(st.sampled_from(list(KEYS)), st.sampled_from([v for vs in KEYS.values() for v in vs]))
USE = st.builds(
    lambda name, project, context: {
        "action": f"bedrock-mantle:{name}",
        "resource": "*" if name == "CallWithBearerToken" else f"{PROJECT}{project}",
        "context": {
            k: v
            for k, v in context.items()
            if k != "bedrock-mantle:Model" or name in ("CreateInference", "CountTokens")
        },
    },
    st.sampled_from(NAMES),
    st.sampled_from(["default", "proj_a", "search"]),
    CONTEXT,
)


def decision(document, use):
    request = AuthorizationRequest(
        f"arn:aws:iam::{ACCOUNT}:user/example",
        use["action"],
        (use["resource"],),
        resource_account=ACCOUNT,
        context={**dict.fromkeys(KEYS), **use["context"]},
    )
    return evaluate(request, PolicySet(identity=(document,))).decision


@settings(max_examples=120)
@given(
    st.lists(STATEMENT, min_size=1, max_size=4),
    st.lists(USE, min_size=1, max_size=4),
    st.lists(USE, min_size=5, max_size=20),
)
def test_what_was_used_stays_allowed_and_nothing_is_added(statements, used, others):
    old = policy(statements)
    # Every key of the policies is told in these, so that nothing is unknown.
    told = [{**use, "context": {**dict.fromkeys(KEYS), **use["context"]}} for use in used]
    try:
        new = narrow(old, read_used(json.dumps(told))).policy.document
    except InputError:
        left_out = any(s.not_resources for s in old.statements)
        assert left_out or all(decision(old, use) is not Decision.ALLOWED for use in used)
        return
    for use in used:
        if decision(old, use) is Decision.ALLOWED:
            assert decision(new, use) is Decision.ALLOWED
    for use in (*used, *others):
        if decision(new, use) is Decision.ALLOWED:
            assert decision(old, use) is Decision.ALLOWED


@settings(max_examples=60)
@given(st.lists(STATEMENT, min_size=1, max_size=3), st.lists(USE, min_size=1, max_size=3), st.randoms())
def test_the_order_of_what_was_used_does_not_matter(statements, used, random):
    def outcome(records):
        try:
            return narrow(policy(statements), read_used(json.dumps(records))).policy.document
        except (InputError, UndeterminedError) as error:
            return type(error)

    shuffled = [*used, used[0]]
    random.shuffle(shuffled)
    assert outcome(shuffled) == outcome(used)


SPOILED = [
    ("", "nothing was used"),
    ("[" * 100_000, "not JSON|nested too deeply"),
    ("7", "JSON objects"),
    ("[7]", "JSON objects"),
    ("[]", "nothing was used"),
    ('{"used": []}', "nothing was used"),
    ("{}", "neither an `action` nor an `eventSource`"),
    ('{"action": "ListModels"}', "not an action"),
    ('{"action": "bedrock-mantle:List*"}', "one action"),
    ('{"action": "bedrock-mantle:ListModels", "resource": ["a", "b"]}', "one ARN"),
    ('{"action": "bedrock-mantle:ListModels", "context": []}', "record 1: `context`"),
    ('{"action": "bedrock-mantle:ListModels", "context": {"a": {}}}', "`context.a`"),
    ('{"action": "bedrock-mantle:ListModels", "count": "many"}', "`count`"),
    ('{"action": "bedrock-mantle:ListModels", "principal": "me"}', "`principal`"),
    ('{"action": "a:b"}\n{', "line 2"),
    ('{"eventSource": "bedrock-mantle.amazonaws.com"}', "`eventName`"),
    ('{"eventSource": "s3.amazonaws.com", "eventName": "GetObject"}', "nothing was used"),
]


@pytest.mark.parametrize(("text", "words"), SPOILED, ids=[text[:60] for text, _ in SPOILED])
def test_what_is_no_list_of_use_is_refused(text, words):
    with pytest.raises(InputError, match=words) as caught:
        read_used(text)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]},
            "nothing of what",
        ),
        (
            {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::${aws:username}"}]},
            "2008-10-17",
        ),
        (
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Foo": 1}]},
            "not understood",
        ),
    ],
)
def test_a_policy_that_cannot_be_narrowed_is_refused(document, words):
    with pytest.raises(InputError, match=words):
        narrow(parse_policy(document), read_used('{"action": "bedrock-mantle:ListModels"}'))
