"""The masks decide as ``evaluate`` does: random documents in all layers, known, unknown and absent."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.audit.compiled import Board
from mantle_iam.audit.verdict import Question, Subject
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Principals, Statement
from mantle_iam.iam.request import AuthorizationRequest, PolicySet, PolicyType

ACCOUNT, OTHER = "111122223333", "444455556666"
ARN = "arn:aws:bedrock-mantle:us-east-1"
PRINCIPALS = (
    f"arn:aws:iam::{ACCOUNT}:role/app",
    f"arn:aws:iam::{ACCOUNT}:user/ada",
    f"arn:aws:sts::{ACCOUNT}:assumed-role/app/one",
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x/AWSServiceRoleForX",
    f"arn:aws:iam::{ACCOUNT}:root",
    f"arn:aws:iam::{OTHER}:role/app",
    "*",
)
ACTIONS = (
    "bedrock-mantle:CreateInference",
    "bedrock-mantle:ListModels",
    "bedrock-mantle:CallWithBearerToken",
    "sqs:Send",
)
RESOURCES = (
    f"{ARN}:${{Account}}:project/default",
    f"{ARN}:{ACCOUNT}:project/p2",
    f"{ARN}:{OTHER}:project/default",
    "*",
)
KEYS = (
    "k", "aws:PrincipalArn", "aws:PrincipalTag/team", "aws:RequestedRegion", "aws:ResourceAccount", "aws:username",
    "aws:PrincipalOrgMasterAccountId",
)  # fmt: skip
VALUES = ("a", "b", ACCOUNT, "ada", PRINCIPALS[0])
OPERATORS = ("StringEquals", "StringNotEquals", "StringLikeIfExists", "Null", "ForAllValues:StringEquals", "ArnLike")
PATTERNS = (
    "*", f"{ARN}:*:project/*", f"{ARN}:{ACCOUNT}:project/*", f"{ARN}:1*3:project/default", f"{ARN}:????????????:*",
    "*333:project*", f"{ARN}:*:project/${{k}}", f"{ARN}:${{aws:PrincipalAccount}}:*", "*:project/${aws:PrincipalTag/team}",
    f"{ARN}:*:project/p2", "*1:project/*", "arn:aws:*:*:*1*:*",
)  # fmt: skip


def some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2).map(tuple)


CONDITIONS = st.lists(
    st.builds(Condition, st.sampled_from(OPERATORS), st.sampled_from(KEYS), some(*VALUES, "*", "${k}")), max_size=2
).map(tuple)


@st.composite
def statements(draw: st.DrawFn, principals: bool) -> Statement:
    actions = draw(some("*", "bedrock-mantle:*", "bedrock-mantle:C*", "s3:*", *ACTIONS))
    resources = draw(some(*PATTERNS))
    kind = draw(st.integers(0, 6))
    named = draw(some("*", "*", ACCOUNT, *PRINCIPALS[:3])) if principals else ()
    return Statement(
        draw(st.sampled_from([Effect.ALLOW, Effect.ALLOW, Effect.DENY])),
        actions=() if kind == 3 else actions,
        not_actions=actions if kind == 3 else (),
        resources=() if kind == 4 else resources,
        not_resources=resources if kind == 4 else (),
        principals=Principals((("AWS", named),)) if principals and kind != 5 else None,
        not_principals=Principals((("AWS", named),)) if principals and kind == 5 else None,
        conditions=draw(CONDITIONS),
    )


def documents(principals: bool = False) -> st.SearchStrategy[tuple[PolicyDocument, ...]]:
    one = st.builds(
        PolicyDocument,
        st.lists(statements(principals), max_size=3).map(tuple),
        st.sampled_from(["2012-10-17", "2012-10-17", None]),
    )
    return st.lists(one, max_size=2).map(tuple)


ALL = (PolicyDocument((Statement(Effect.ALLOW, ("*",), resources=("*",)),)),)
FOR_ALL = (
    PolicyDocument((Statement(Effect.ALLOW, ("*",), resources=("*",), principals=Principals((("AWS", ("*",)),))),)),
)
POLICIES = st.builds(
    PolicySet,
    identity=documents() | st.just(ALL),
    permissions_boundary=st.none() | documents() | st.just(ALL),
    session=st.none() | st.none() | documents(),
    scp=st.none() | st.lists(documents() | st.just(ALL), min_size=1, max_size=2).map(tuple),
    rcp=st.none() | st.none() | st.lists(documents(principals=True), max_size=1).map(tuple),
    vpc_endpoint=st.none() | st.just(FOR_ALL) | documents(principals=True),
    resource=st.none() | st.none() | st.none() | documents(principals=True),
    unknown=st.just(frozenset()) | st.frozensets(st.sampled_from(PolicyType), max_size=2),
)
CONTEXTS = st.dictionaries(
    st.sampled_from(KEYS), st.none() | st.sampled_from(VALUES) | st.just(("a", "b")), max_size=2
).map(lambda found: tuple(found.items()))
QUESTIONS = st.builds(
    Question,
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES[:1] * 4 + RESOURCES),
    CONTEXTS,
    st.frozensets(st.sampled_from(KEYS), max_size=2),
    st.booleans(),
    st.sampled_from(((), ("k",), ("aws:principaltag/", "aws:requestedregion"))),
)
SUBJECTS = st.builds(
    Subject,
    st.sampled_from(PRINCIPALS[:2] * 3 + PRINCIPALS),
    st.none(),
    st.sampled_from(((), (("aws:PrincipalTag/team", "p2"),))),
    st.sampled_from([None, ACCOUNT, "other", "other"]),
)


@settings(max_examples=400)
@given(st.lists(QUESTIONS, min_size=1, max_size=4), st.lists(st.tuples(SUBJECTS, POLICIES), min_size=1, max_size=2))
def test_the_masks_decide_as_evaluate_does(questions: list[Question], cases: list[tuple[Subject, PolicySet]]) -> None:
    board = Board(questions)
    # Twice, and in two accounts, so that nothing remembered for one principal or account is told of another.
    for account in (ACCOUNT, OTHER, ACCOUNT):
        bound = board.bind(account)
        for subject, policies in cases * 2:
            verdict = bound.decide(subject, policies)
            for index in range(len(questions)):
                request = bound.request(index, subject, policies)
                expected = evaluate(request, policies)
                assert verdict.decision(index) is expected.decision
                if verdict.layers:
                    assert verdict.determining(index) == expected.determining
                    assert verdict.withheld_by(index) == expected.withheld_by


@settings(max_examples=150)
@given(QUESTIONS, SUBJECTS, POLICIES)
def test_the_four_outcomes_divide_the_questions(question: Question, subject: Subject, policies: PolicySet) -> None:
    board = Board([question, replace(question, open=not question.open)])
    verdict = board.bind(ACCOUNT).decide(subject, policies)
    sets = (verdict.allowed, verdict.explicit_deny, verdict.implicit_deny, verdict.unknown)
    assert sum(sets) == board.full
    assert sets[0] | sets[1] | sets[2] | sets[3] == board.full


def test_a_request_of_an_open_question_leaves_nothing_absent_that_a_policy_asks_for() -> None:
    condition = (Condition("StringEquals", "aws:SourceVpce", ("vpce-1",)),)
    document = PolicyDocument((Statement(Effect.ALLOW, ("*",), resources=("*",), conditions=condition),))
    board = Board([Question(ACTIONS[0], RESOURCES[0], open=True), Question(ACTIONS[0], RESOURCES[0])])
    bound = board.bind(ACCOUNT)
    subject, policies = Subject(PRINCIPALS[0], management_account="other"), PolicySet(identity=(document,))
    verdict = bound.decide(subject, policies)
    assert (verdict.unknown, verdict.implicit_deny) == (0b01, 0b10)
    asked: AuthorizationRequest = bound.request(0, subject, policies)
    assert asked.unknown_context == {"aws:SourceVpce"}
    assert bound.explain(0, subject, policies).depends_on == ("aws:SourceVpce",)
