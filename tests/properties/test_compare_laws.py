"""Laws of the comparison of policies, over random documents and against ``evaluate`` on random requests."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.iam.compare import Inclusion, Relation, Witness, allows_no_more, compare
from mantle_iam.iam.compare_facts import ALWAYS_PRESENT, contradictory
from mantle_iam.iam.evaluation import account_of, evaluate
from mantle_iam.iam.language import STAR, classes, covers, meet, plain
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Principals, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet

ACCOUNT = "111122223333"
SESSION, ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/one", f"arn:aws:iam::{ACCOUNT}:role/app"
ARN = "arn:aws:s3:::"
ACTION_PATTERNS = (
    "*",
    "s3:*",
    "s3:Get*",
    "s3:*Object",
    "S3:getobject",
    "s3:PutObject",
    "sqs:*",
    "s3:?etObject",
    "s3:G*t",
)
ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:Get", "sqs:SendMessage", "s3:SetObject", "s3:GetBucket", "x:y")
RESOURCE_PATTERNS = (
    *(
        "*",
        f"{ARN}*",
        f"{ARN}a",
        f"{ARN}a*",
        f"{ARN}b*",
        f"{ARN}*/x",
        f"{ARN}?",
        f"{ARN}a?*",
        f"{ARN}${{k}}",
        f"{ARN}A",
    ),
    *(f"{ARN}${{k}}/*", f"{ARN}${{l, 'a'}}", f"{ARN}*a*b"),
)
RESOURCES = ("*", *(f"{ARN}{name}" for name in ("a", "b", "A", "ab", "a/x", "b/x", "aab", "", "a:b", "c", "true")))
STRINGS = ("a", "b", "", "aa", "ab", "*", "A")
VALUES = (
    *STRINGS,
    "true",
    "false",
    "5",
    "7.5",
    "10.0.0.1",
    "10.9.0.1",
    "2026-01-01T00:00:00Z",
    ROLE,
    "arn:aws:s3:::b:c",
)
ARNS = (ROLE, f"arn:aws:iam::{ACCOUNT}:user/ada", f"arn:aws:iam::{ACCOUNT}:role/x/y")
FAMILIES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        (
            *("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIfExists"),
            *("StringNotLikeIfExists", "ForAllValues:StringEquals", "ForAnyValue:StringLike"),
            *("ForAnyValue:StringNotEquals", "ForAllValues:StringNotLike", "ForAllValues:StringLikeIfExists"),
        ),
        ("a", "b", "a*", "*b", "a?", "?", "*", "", "${l}", "${k}", "${l, 'a'}x", "1111*", ACCOUNT),
    ),
    (("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"), ("a", "A", "b")),
    (("NumericLessThan", "NumericEquals", "NumericGreaterThanEquals", "NumericNotEquals"), ("5", "6", "7.5", "no")),
    (("DateLessThan", "DateGreaterThanEqualsIfExists", "DateNotEquals"), ("2026-01-01T00:00:00Z", "2025", "0")),
    (("IpAddress", "NotIpAddress", "NotIpAddressIfExists"), ("10.0.0.0/8", "10.0.0.0/16", "0.0.0.0/0", "::/0", "no")),
    (("ArnLike", "ArnNotLike", "ArnEquals"), (ROLE, f"arn:aws:iam::{ACCOUNT}:role/*", "arn:aws:*:*:*:*", "*", "no")),
    (("Bool", "BoolIfExists"), ("true", "false")),
    (("Null",), ("true", "false")),
    (("Newest",), ("a",)),
)


def some(*values: str, most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most).map(tuple)


KEYS = ("k", "l", "aws:PrincipalArn", "aws:PrincipalAccount", "aws:RequestedRegion")


@st.composite
def conditions(draw: st.DrawFn, usual: bool = True) -> Condition:
    """``usual``: strings, or one family for a key, as real policies have them."""
    at = draw(st.sampled_from((0, 0, 0, 0, *range(len(FAMILIES) - 1))) if usual else st.integers(0, len(FAMILIES) - 1))
    operators, values = FAMILIES[at]
    key = draw(st.sampled_from(KEYS)) if not usual or at == 0 else f"{operators[0]}Key"
    return Condition(draw(st.sampled_from(operators)), key, draw(some(*values)))


@st.composite
def statements(
    draw: st.DrawFn, effect: Effect | None = None, usual: bool = True, principals: bool = False
) -> Statement:
    kind = draw(st.integers(0, 7))
    actions, resources = draw(some(*ACTION_PATTERNS)), draw(some(*RESOURCE_PATTERNS))
    names = some("*", ACCOUNT, SESSION, ROLE, f"arn:aws:iam::{ACCOUNT}:user/ada", "444455556666")
    named = draw(names.map(lambda found: Principals((("AWS", found),)))) if principals else None
    return Statement(
        effect or draw(st.sampled_from([Effect.ALLOW, Effect.ALLOW, Effect.DENY])),
        actions=() if kind == 3 else actions,
        not_actions=actions if kind == 3 else (),
        resources=() if kind in (4, 5) else resources,
        not_resources=resources if kind == 4 else (),
        conditions=tuple(draw(st.lists(conditions(usual), max_size=2))),
        principals=named if kind != 6 else None,
        not_principals=named if kind == 6 else None,
    )


def documents(usual: bool = True, principals: bool = False) -> st.SearchStrategy[tuple[PolicyDocument, ...]]:
    one = st.builds(
        PolicyDocument,
        st.lists(statements(usual=usual, principals=principals), min_size=1, max_size=3).map(tuple),
        st.sampled_from(["2012-10-17", "2012-10-17", None]),
    )
    return st.lists(one, min_size=1, max_size=2).map(tuple)


ANY_VALUE = st.sampled_from(VALUES) | st.lists(st.sampled_from(VALUES), max_size=2).map(tuple)
OWN_KEYS = (*KEYS[:2], *(f"{operators[0]}Key" for operators, _ in FAMILIES))
CONTEXTS = st.builds(
    lambda free, region, arn: {**free, **region, **arn},
    st.dictionaries(st.sampled_from(OWN_KEYS), ANY_VALUE, max_size=5),
    st.fixed_dictionaries({"aws:RequestedRegion": st.sampled_from([None, *VALUES])}),
    # A request of a principal in an account always has this key, and once.
    st.dictionaries(st.just("aws:PrincipalArn"), st.sampled_from(ARNS), max_size=1),
)
REQUESTS = st.builds(
    AuthorizationRequest,
    principal=st.just(SESSION),
    action=st.sampled_from(ACTIONS),
    resources=st.sampled_from(RESOURCES).map(lambda found: (found,)),
    resource_account=st.just(ACCOUNT),
    context=CONTEXTS,
    issuer=st.just(ROLE),
)
THOROUGH = settings(max_examples=75)


def decided(found: Witness, side: tuple[PolicyDocument, ...]) -> Decision:
    request = AuthorizationRequest(
        found.principal or SESSION,
        found.action,
        (found.resource,),
        ACCOUNT,
        {**dict.fromkeys(found.absent), "aws:RequestedRegion": None, **found.context},
        issuer=found.issuer or ROLE,
    )
    return evaluate(request, PolicySet(identity=side)).decision


@THOROUGH
@given(documents(), documents(), st.lists(REQUESTS, min_size=12, max_size=30))
def test_no_request_contradicts_a_proof_and_every_witness_is_one(
    old: tuple[PolicyDocument, ...], new: tuple[PolicyDocument, ...], requests: list[AuthorizationRequest]
) -> None:
    found = allows_no_more(new, old, actions=ACTIONS)
    if found.witness is not None:
        assert decided(found.witness, new) is Decision.ALLOWED
        # The request can be made.
        context = {key.lower(): value for key, value in found.witness.context.items()}
        assert contradictory(context, account_of(found.witness.resource)) is None
        assert not ALWAYS_PRESENT.intersection(map(str.lower, found.witness.absent))
        assert decided(found.witness, old) in (Decision.IMPLICIT_DENY, Decision.EXPLICIT_DENY)
    assert (found.result is Inclusion.FAILS) == (found.witness is not None)
    assert found.reason
    if found.result is Inclusion.HOLDS:
        for request in requests:
            if evaluate(request, PolicySet(identity=new)).decision is Decision.ALLOWED:
                assert evaluate(request, PolicySet(identity=old)).decision is Decision.ALLOWED, request


@settings(max_examples=30)
@given(documents(principals=True), documents(principals=True), st.data())
def test_documents_that_name_principals(
    old: tuple[PolicyDocument, ...], new: tuple[PolicyDocument, ...], data: st.DataObject
) -> None:
    found = allows_no_more(new, old)
    principals = (SESSION, f"arn:aws:iam::{ACCOUNT}:user/ada", "arn:aws:iam::444455556666:user/bob", "*")
    allowed = PolicySet(identity=EVERYTHING, resource=new), PolicySet(identity=EVERYTHING, resource=old)
    if found.witness is not None:
        request = AuthorizationRequest(
            found.witness.principal,
            found.witness.action,
            (found.witness.resource,),
            "999999999999",
            {**dict.fromkeys((*KEYS, *found.witness.absent)), **found.witness.context},
            issuer=found.witness.issuer,
        )
        assert [evaluate(request, side).decision is Decision.ALLOWED for side in allowed] == [True, False]
    if found.result is Inclusion.HOLDS:
        for request in data.draw(st.lists(REQUESTS, min_size=8, max_size=16)):
            for principal in principals:
                asked = replace(request, principal=principal, resource_account="999999999999", issuer=None)
                if evaluate(asked, allowed[0]).decision is Decision.ALLOWED:
                    assert evaluate(asked, allowed[1]).decision is Decision.ALLOWED, asked


EVERYTHING = (PolicyDocument((Statement(Effect.ALLOW, ("*",), resources=("*",)),)),)


@settings(max_examples=60)
@given(documents(usual=False))
def test_a_policy_is_equal_to_itself(docs: tuple[PolicyDocument, ...]) -> None:
    assert compare(docs, docs).relation is Relation.EQUAL
    turned = tuple(replace(one, statements=one.statements[::-1]) for one in reversed(docs))
    assert compare(docs, turned).relation is Relation.EQUAL
    assert compare(docs, (*docs, docs[0])).relation is Relation.EQUAL


@THOROUGH
@given(
    documents(usual=False), statements(effect=Effect.ALLOW, usual=False), statements(effect=Effect.DENY, usual=False)
)
def test_an_allow_more_is_never_less_and_a_deny_more_never_more(
    docs: tuple[PolicyDocument, ...], allow: Statement, deny: Statement
) -> None:
    head, *rest = docs
    more = (replace(head, statements=(*head.statements, allow)), *rest)
    assert allows_no_more(docs, more).result is Inclusion.HOLDS
    less = (replace(head, statements=(*head.statements, deny)), *rest)
    assert allows_no_more(less, docs).result is Inclusion.HOLDS
    assert compare(docs, more).relation in (Relation.EQUAL, Relation.WIDER, Relation.UNKNOWN)
    assert compare(docs, less).relation in (Relation.EQUAL, Relation.NARROWER, Relation.UNKNOWN)


@THOROUGH
@given(documents(), st.data())
def test_what_is_taken_out_of_an_allow_makes_it_no_wider(docs: tuple[PolicyDocument, ...], data: st.DataObject) -> None:
    """A value of a positive condition, an action, a resource; a further condition narrows as well."""
    head, *rest = docs
    allows = [
        index
        for index, one in enumerate(head.statements)
        if one.effect is Effect.ALLOW and one.resources and one.actions
    ]
    if not allows:
        return
    at = data.draw(st.sampled_from(allows))
    old = head.statements[at]
    for changed in (
        replace(old, actions=old.actions[1:] or ("x:y",), not_actions=()) if len(old.actions) > 1 else old,
        replace(old, resources=old.resources[1:]) if len(old.resources) > 1 else old,
        replace(old, conditions=(*old.conditions, Condition("StringLike", "m", ("a*",)))),
    ):
        listed = [changed if index == at else one for index, one in enumerate(head.statements)]
        new = (replace(head, statements=tuple(listed)), *rest)
        found = allows_no_more(new, docs)
        if found.result is not Inclusion.HOLDS:  # only what a variable stands for may leave it open
            assert found.result is Inclusion.UNKNOWN
            assert "policy variable" in found.reason


@settings(max_examples=60)
@given(documents(), documents())
def test_the_two_directions_agree(one: tuple[PolicyDocument, ...], other: tuple[PolicyDocument, ...]) -> None:
    mirrored = {
        Relation.NARROWER: Relation.WIDER,
        Relation.WIDER: Relation.NARROWER,
    }
    there = compare(one, other).relation
    assert compare(other, one).relation is mirrored.get(there, there)


# Languages of patterns, against matching one text after another

TEXTS = tuple("".join(units) for length in range(6) for units in product("abx", repeat=length))
PATTERNS = st.text("ab*?", max_size=5)


def language(pattern: str) -> frozenset[str]:
    return frozenset(text for text in TEXTS if glob(pattern).matches(text))


@settings(max_examples=75)
@given(PATTERNS, PATTERNS)
def test_covering_and_intersections_of_patterns(one: str, other: str) -> None:
    if covers(plain(one), plain(other)):
        assert language(other) <= language(one)
    elif "?" not in one:
        assert not language(other) <= language(one)
    codes, exact = meet(plain(one), plain(other))
    assert exact
    both = {text for text in TEXTS if any(covers(code, text) for code in codes)}
    assert both == language(one) & language(other)


@settings(max_examples=50)
@given(PATTERNS, st.lists(PATTERNS, min_size=1, max_size=3))
def test_classes_are_all_sets_of_patterns_that_a_text_is_in(pattern: str, others: list[str]) -> None:
    found = classes(plain(pattern), tuple(map(plain, others)), "x")
    assert found is not None

    def signature(text: str) -> tuple[bool, ...]:
        return tuple(glob(other).matches(text) for other in others)

    seen = {signature(text) for text in language(pattern)}
    assert all(glob(pattern).matches(text) for text in found)
    assert seen <= set(map(signature, found))
    assert STAR not in "".join(found)
