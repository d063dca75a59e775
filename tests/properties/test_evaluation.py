"""Theorems of evaluation, over random documents, layers and requests drawn from one small world so that much matches."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.near_miss import deny_reasons, near_misses
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Principals, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType

ACCOUNT, OTHER = "111122223333", "444455556666"
PRINCIPALS = (
    f"arn:aws:iam::{ACCOUNT}:user/ada",
    f"arn:aws:iam::{ACCOUNT}:role/app",
    f"arn:aws:sts::{ACCOUNT}:assumed-role/app/one",
    f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
    f"arn:aws:iam::{ACCOUNT}:root",
    f"arn:aws:sts::{OTHER}:assumed-role/AWSServiceRoleForSupport/x",
    "*",
)
ACTIONS = ("sqs:SendMessage", "sqs:DeleteQueue", "bedrock-mantle:ListModels", "bedrock-mantle:CreateInference")
RESOURCES = (f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", f"arn:aws:sqs:us-east-1:{OTHER}:q", "*")
KEYS = ("k", "l", "aws:PrincipalArn", "aws:RequestedRegion")
VALUES = ("a", "b", "", "10.0.0.1", "true", "5", PRINCIPALS[1])
OPERATORS = (
    "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIfExists", "StringNotEqualsIfExists",
    "ForAllValues:StringEquals", "ForAnyValue:StringNotEquals", "ForAnyValue:StringLikeIfExists", "Null", "Bool",
    "NumericLessThan", "NumericNotEquals", "IpAddress", "NotIpAddress", "ArnLike", "ArnNotEquals",
)  # fmt: skip


def some(*values: str, least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=2).map(tuple)


CONDITIONS = st.lists(
    st.builds(Condition, st.sampled_from(OPERATORS), st.sampled_from(KEYS), some(*VALUES, "*", "${k}", "${l, 'a'}")),
    max_size=2,
).map(tuple)
PRINCIPAL_ELEMENTS = some("*", ACCOUNT, *PRINCIPALS[:4]).map(lambda found: Principals((("AWS", found),)))


@st.composite
def statements(draw: st.DrawFn, *, effect: Effect | None = None, principals: bool = False) -> Statement:
    """A statement that is likely to have something to do with the requests below."""
    actions = draw(some("*", "sqs:*", "bedrock-mantle:List*", *ACTIONS))
    resources = draw(some("*", "arn:aws:sqs:*", "arn:aws:sqs:us-east-1:*:${k}", *RESOURCES))
    kind = draw(st.integers(0, 5))
    named = draw(PRINCIPAL_ELEMENTS) if principals else None
    negated = principals and kind == 5
    return Statement(
        effect or draw(st.sampled_from([Effect.ALLOW, Effect.ALLOW, Effect.DENY])),
        actions=() if kind == 3 else actions,
        not_actions=actions if kind == 3 else (),
        resources=() if kind == 4 else resources,
        not_resources=resources if kind == 4 else (),
        principals=None if negated else named,
        not_principals=named if negated else None,
        conditions=draw(CONDITIONS),
    )


def documents(*, principals: bool = False) -> st.SearchStrategy[tuple[PolicyDocument, ...]]:
    document = st.builds(
        PolicyDocument,
        st.lists(statements(principals=principals), max_size=3).map(tuple),
        st.sampled_from(["2012-10-17", "2012-10-17", None]),
    )
    return st.lists(document, max_size=2).map(tuple)


ALL = (PolicyDocument((Statement(Effect.ALLOW, ("*",), resources=("*",)),)),)
OPEN = st.just(ALL)
"""Often a layer lets everything pass, so that the others come to decide."""
LEVELS = st.none() | st.lists(documents() | OPEN, min_size=1, max_size=2).map(tuple)
POLICIES = st.builds(
    PolicySet,
    identity=documents() | OPEN,
    permissions_boundary=st.none() | documents() | OPEN,
    session=st.none() | documents() | OPEN,
    scp=LEVELS,
    rcp=st.none() | st.lists(documents(principals=True), max_size=1).map(tuple),
    vpc_endpoint=st.none() | documents(principals=True),
    resource=st.none() | documents(principals=True),
    unknown=st.frozensets(st.sampled_from(PolicyType), max_size=1) | st.just(frozenset()),
)
CONTEXT = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES) | some(*VALUES, least=0), max_size=3)
REQUESTS = st.builds(
    AuthorizationRequest,
    principal=st.sampled_from(PRINCIPALS),
    action=st.sampled_from(ACTIONS),
    resources=some(*RESOURCES),
    resource_account=st.sampled_from([None, None, OTHER]),
    context=CONTEXT,
    unknown_context=st.frozensets(st.sampled_from(KEYS), max_size=2),
    management_account=st.sampled_from([None, None, ACCOUNT]),
)
DENIED = (Decision.IMPLICIT_DENY, Decision.EXPLICIT_DENY)
THOROUGH = settings(max_examples=120)


def unconditional(effect: Effect, request: AuthorizationRequest) -> PolicyDocument:
    return PolicyDocument((Statement(effect, (request.action,), resources=request.resources),))


@THOROUGH
@given(REQUESTS, POLICIES)
def test_the_answer_is_consistent_in_itself(request: AuthorizationRequest, policies: PolicySet) -> None:
    result = evaluate(request, policies)
    assert (result.decision is Decision.UNKNOWN) == bool(result.depends_on)
    assert (result.decision in DENIED) == bool(result.withheld_by)
    if result.decision is Decision.EXPLICIT_DENY:
        assert result.determining
        assert {ref.policy_type for ref in result.determining} <= set(result.withheld_by)
    if result.decision in (Decision.IMPLICIT_DENY, Decision.UNKNOWN):
        assert not result.determining
    effect = Effect.DENY if result.decision is Decision.EXPLICIT_DENY else Effect.ALLOW
    for ref in result.determining:
        layer: Any = getattr(policies, ref.policy_type.name.lower())
        layer = layer if ref.level is None else layer[ref.level]
        assert layer[ref.document].statements[ref.statement].effect is effect


@THOROUGH
@given(REQUESTS, POLICIES)
def test_forbid_trumps_permit(request: AuthorizationRequest, policies: PolicySet) -> None:
    deny = unconditional(Effect.DENY, request)
    result = evaluate(request, replace(policies, identity=(*policies.identity, deny)))
    if not request.principal.endswith(":root"):
        assert result.decision is Decision.EXPLICIT_DENY
        assert PolicyType.IDENTITY in result.withheld_by


@given(REQUESTS)
def test_deny_by_default(request: AuthorizationRequest) -> None:
    result = evaluate(request, PolicySet())
    rooted = request.principal.endswith(":root")
    assert result.decision is Decision.IMPLICIT_DENY or rooted


@THOROUGH
@given(REQUESTS, POLICIES, st.randoms(use_true_random=False))
def test_order_and_duplication_do_not_matter(request: AuthorizationRequest, policies: PolicySet, random: Any) -> None:
    def shuffled(found: tuple[PolicyDocument, ...] | None) -> tuple[PolicyDocument, ...] | None:
        if found is None:
            return None
        many = [replace(document, statements=tuple(_mixed(document.statements))) for document in found * 2]
        random.shuffle(many)
        return tuple(many)

    def _mixed(many: tuple[Statement, ...]) -> list[Statement]:
        twice = [*many, *many]
        random.shuffle(twice)
        return twice

    def levels(stack: tuple[Any, ...] | None) -> Any:
        return None if stack is None else tuple(shuffled(level) for level in reversed(stack * 2))

    other = replace(
        policies,
        identity=shuffled(policies.identity) or (),
        permissions_boundary=shuffled(policies.permissions_boundary),
        session=shuffled(policies.session),
        scp=levels(policies.scp),
        rcp=levels(policies.rcp),
        vpc_endpoint=shuffled(policies.vpc_endpoint),
        resource=shuffled(policies.resource),
    )
    ours, theirs = evaluate(request, policies), evaluate(request, other)
    assert (ours.decision, ours.withheld_by, ours.depends_on) == (
        theirs.decision,
        theirs.withheld_by,
        theirs.depends_on,
    )


@THOROUGH
@given(REQUESTS, POLICIES, statements(effect=Effect.ALLOW))
def test_an_added_allow_never_takes_away(request: AuthorizationRequest, policies: PolicySet, allow: Statement) -> None:
    before = evaluate(request, policies).decision
    after = evaluate(request, replace(policies, identity=(*policies.identity, PolicyDocument((allow,))))).decision
    if before is Decision.ALLOWED:
        assert after is Decision.ALLOWED
    if before is Decision.EXPLICIT_DENY:
        assert after is Decision.EXPLICIT_DENY
    if before is Decision.UNKNOWN:
        assert after is not Decision.IMPLICIT_DENY


@THOROUGH
@given(
    REQUESTS, POLICIES, statements(effect=Effect.DENY), st.sampled_from(["identity", "session", "permissions_boundary"])
)
def test_an_added_deny_never_gives(
    request: AuthorizationRequest, policies: PolicySet, deny: Statement, layer: str
) -> None:
    assume(getattr(policies, layer) is not None)  # a new layer would restrict all the more
    before = evaluate(request, policies).decision
    after = evaluate(
        request, replace(policies, **{layer: (*getattr(policies, layer), PolicyDocument((deny,)))})
    ).decision
    if before in DENIED:
        assert after in DENIED
    if before is Decision.UNKNOWN:
        assert after is not Decision.ALLOWED


@THOROUGH
@given(REQUESTS, POLICIES)
def test_a_decision_stays_when_unknown_keys_are_filled_in(request: AuthorizationRequest, policies: PolicySet) -> None:
    """``allowed`` and ``explicitDeny`` stay; ``implicitDeny`` stays a refusal (it may turn out to be explicit as well)."""
    known = evaluate(request, policies).decision
    given_keys = {key.lower() for key in request.context}
    unknown = sorted(key for key in request.unknown_context if key.lower() not in given_keys)
    for values in product([None, *VALUES, ("a", "b"), ()], repeat=len(unknown)):
        filled = {key: value for key, value in zip(unknown, values, strict=True) if value is not None}
        full = replace(request, context={**request.context, **filled}, unknown_context=frozenset())
        decision = evaluate(full, policies).decision
        if known in (Decision.ALLOWED, Decision.EXPLICIT_DENY):
            assert decision is known, filled
        elif known is Decision.IMPLICIT_DENY:
            assert decision in DENIED, filled


@THOROUGH
@given(REQUESTS, POLICIES, documents(principals=True))
def test_a_decision_stays_when_a_layer_is_read(
    request: AuthorizationRequest, policies: PolicySet, found: tuple[PolicyDocument, ...]
) -> None:
    known = evaluate(request, policies).decision
    for kind in policies.unknown:
        name = kind.name.lower()
        if kind in (PolicyType.SCP, PolicyType.RCP):
            read: Any = (*(getattr(policies, name) or ()), found)
        else:
            read = (*(getattr(policies, name) or ()), *found)
        for layer in (read, getattr(policies, name)):
            decision = evaluate(request, replace(policies, unknown=frozenset(), **{name: layer})).decision
            if known in (Decision.ALLOWED, Decision.EXPLICIT_DENY):
                assert decision is known
            elif known is Decision.IMPLICIT_DENY:
                assert decision in DENIED


@THOROUGH
@given(REQUESTS, POLICIES)
def test_what_an_unknown_hangs_on_was_declared_unknown(request: AuthorizationRequest, policies: PolicySet) -> None:
    declared = {*request.unknown_context, *(kind.value for kind in policies.unknown), "aws:RequestedRegion"}
    if request.issuer is None and ":assumed-role/AWS" in request.principal:
        # Roles of services and of Identity Center have a path, which their sessions do not tell.
        declared.add("aws:PrincipalArn")
    assert set(evaluate(request, policies).depends_on) <= declared


@THOROUGH
@given(REQUESTS, POLICIES)
def test_several_resources_are_each_of_them(request: AuthorizationRequest, policies: PolicySet) -> None:
    """No decision about several is better than the one about any of them."""
    each = [evaluate(replace(request, resources=(one,)), policies).decision for one in request.resources]
    whole = evaluate(request, policies).decision
    for decision in (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY, Decision.UNKNOWN):
        if decision in each:
            assert whole is decision
            return
    assert whole is Decision.ALLOWED


@THOROUGH
@given(REQUESTS, POLICIES)
def test_near_misses_are_about_allows_and_reasons_about_denies(
    request: AuthorizationRequest, policies: PolicySet
) -> None:
    result = evaluate(request, policies)
    missed = near_misses(request, policies)
    assert not missed or result.decision is not Decision.ALLOWED
    assert [miss.failures > 0 for miss in missed] == [True] * len(missed)
    reasons = deny_reasons(request, policies)
    assert {reason.statement for reason in reasons} == (
        set(result.determining) if result.decision is Decision.EXPLICIT_DENY else set()
    )
