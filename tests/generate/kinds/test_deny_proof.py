"""The proof of denials: the forms found in the wild, inverted or half-covered, do not pass; laws over random wishes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from kind_wishes import table

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Kind, TrustedBy
from mantle_iam.generate.kinds import Made, Wish, assemble
from mantle_iam.generate.kinds.denials import denial_names, find_denial
from mantle_iam.generate.kinds.deny_proof import prove_denial
from mantle_iam.generate.kinds.limiting import _OTHERS
from mantle_iam.generate.kinds.trust import prove_trust
from mantle_iam.generate.least_privilege import least_privilege
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import permissions_for_action
from mantle_iam.mantle.scope import Scope

WILD = table("wild.json")
EVERYTHING = PolicyDocument((Statement(Effect.ALLOW, actions=("*",), resources=("*",)),))
SCOPE = Scope(models=("openai.gpt-oss-120b", "zai.glm-5"), regions=("us-east-1",), projects=("proj_abc",))
WISH = Wish(kind=Kind.SCP, scope=SCOPE, max_key_age_days=90)


@pytest.mark.parametrize("form", WILD, ids=[form["name"] for form in WILD])
@pytest.mark.parametrize("as_scp", [True, False], ids=["scp", "identity"])
def test_a_form_from_the_wild_does_not_pass(form: dict[str, Any], as_scp: bool) -> None:
    built = find_denial(form["denial"]).build(WISH)
    assert prove_denial(built, (), as_scp=as_scp).failures == ()
    document = parse_policy({"Version": "2012-10-17", "Statement": form["Statement"]})
    assert document.problems == ()
    failures = prove_denial(replace(built, statements=document.statements), (), as_scp=as_scp).failures
    assert any(failure.startswith(form["failure"]) for failure in failures), failures


def test_an_exemption_that_exempts_nobody_does_not_pass() -> None:
    built = find_denial("cost").build(WISH)
    condition = Condition("ArnNotLike", "aws:PrincipalArn", ("arn:aws:sts::*:assumed-role/Admin/*",))
    wrong = replace(built, statements=tuple(replace(one, conditions=(condition,)) for one in built.statements))
    admin = tuple(replace(one, principal="arn:aws:sts::111122223333:assumed-role/Admin/me") for one in built.denied)
    assert any(failure.startswith("denies") for failure in prove_denial(wrong, admin, as_scp=True).failures)


def test_removing_any_statement_of_all_denials_together_opens_something() -> None:
    """Also where several denials are put together, nothing is in the document that does nothing."""
    statements = assemble(replace(WISH, denials=denial_names())).artifact.document.statements
    names = [one.sid for one in statements]
    assert "NoKeys" in names
    assert "NoLongTermKeysOnMantle" not in names
    assert len(names) == len(set(names))
    pairs = [
        (action, one) for one in statements for action in one.actions if one.resources == ("*",) and not one.conditions
    ]
    for action, owner in pairs:
        assert not any(action in other.actions for other in statements if other is not owner)


def made_or_refused(wish: Wish) -> Made | InputError:
    try:
        return assemble(wish)
    except InputError as error:
        return error


projects = st.lists(
    st.sampled_from(
        ["default", "proj_abc", "proj_x*", "proj_?z", "arn:aws:bedrock-mantle:us-east-1:111122223333:project/proj_q"]
    ),
    max_size=3,
    unique=True,
)
scopes = st.builds(
    Scope,
    regions=st.lists(
        st.sampled_from(["us-east-1", "us-east-2", "eu-central-1", "sa-east-1"]), max_size=4, unique=True
    ).map(tuple),
    projects=projects.map(tuple),
    models=st.lists(
        st.sampled_from(["openai.gpt-oss-120b", "zai.glm-5", "ZAI.GLM-5", "x", "x-2", "a*"]), max_size=3, unique=True
    ).map(tuple),
    project_tags=st.lists(
        st.tuples(st.sampled_from(["team", "env"]), st.sampled_from(["a", "b", "x7q4", "x7q4-"])),
        max_size=3,
        unique=True,
    ).map(tuple),
)
denial_lists = st.lists(st.sampled_from(denial_names()), min_size=1, max_size=4, unique=True).map(tuple)
exempt = st.lists(
    st.sampled_from(
        [
            "arn:aws:iam::*:role/Admin",
            "arn:aws:iam::111122223333:role/Admin",
            "arn:aws:iam::111122223333:role/ops/*",
            "arn:aws:iam::111122223333:user/bob",
            "arn:aws:iam::*:root",
        ]
    ),
    max_size=2,
    unique=True,
).map(tuple)


@settings(max_examples=15)
@given(scopes, denial_lists, exempt, st.integers(1, 400))
def test_whatever_is_wished_is_proven_or_refused(
    scope: Scope, denials: tuple[str, ...], spared: tuple[str, ...], days: int
) -> None:
    wish = Wish(kind=Kind.SCP, scope=scope, denials=denials, exempt_principals=spared, max_key_age_days=days)
    made = made_or_refused(wish)
    if isinstance(made, InputError):
        event("refused")
        assert "needs" in made.message or "every project" in made.message
        return
    assert made == assemble(replace(wish, denials=tuple(reversed(denials)), exempt_principals=tuple(reversed(spared))))
    for statement in (one for document in made.artifact.documents for one in document.statements):
        assert statement.effect is Effect.DENY
        assert not statement.not_actions
        assert {action.partition(":")[0] for action in statement.actions} <= {"bedrock-mantle", "bedrock", "iam"}
        assert all(catalog.known_action(action) for action in statement.actions)
        for condition in statement.conditions:
            # A negated operator also holds where the key is absent, so every action has to carry it.
            if "Not" in condition.operator and not condition.key.startswith("aws:"):
                assert all(catalog.carries(action, condition.key) for action in statement.actions)
        if statement.not_resources:
            assert all(catalog.known_action(action).resource_types for action in statement.actions)


@pytest.mark.parametrize("order", [("team", "env"), ("env", "team"), ("env", "team", "area")], ids=str)
def test_an_exemption_is_proven_for_each_of_several_tags(order: tuple[str, ...]) -> None:
    wish = Wish(
        kind=Kind.SCP,
        scope=Scope(project_tags=tuple((key, "a") for key in order)),
        denials=("other-projects",),
        exempt_principals=("arn:aws:iam::*:role/Admin",),
    )
    (document,) = assemble(wish).artifact.documents
    assert len(document.statements) == len(order)
    assert all(any(c.key == "aws:PrincipalArn" for c in one.conditions) for one in document.statements)


@settings(max_examples=20)
@given(denial_lists, st.sampled_from(["s3", "ec2", "lambda", "bedrock-agentcore"]), st.data())
def test_no_action_of_another_service_is_denied(denials: tuple[str, ...], service: str, data: st.DataObject) -> None:
    documents = assemble(replace(WISH, denials=denials)).artifact.documents
    action = data.draw(st.sampled_from([info.name for info in catalog.actions(service)]))
    request = AuthorizationRequest("arn:aws:iam::111122223333:role/example", action, ("*",))
    result = evaluate(request, PolicySet(identity=(EVERYTHING,), scp=((EVERYTHING, *documents),)))
    assert result.decision is Decision.ALLOWED


ours = st.lists(
    st.sampled_from(
        [*(info.name for info in catalog.actions()), "aws-marketplace:Subscribe", "bedrock-websearch:InvokeSearch"]
    ),
    min_size=1,
    max_size=4,
    unique=True,
)
requests = st.builds(
    lambda action, region, project, context: AuthorizationRequest(
        "arn:aws:iam::111122223333:role/example",
        action,
        (f"arn:aws:bedrock-mantle:{region}:111122223333:project/{project}",),
        context=context,
    ),
    st.sampled_from(
        [*(info.name for info in catalog.actions()), *_OTHERS, "aws-marketplace:Subscribe", "iam:PassRole"]
    ),
    st.sampled_from(["us-east-1", "eu-west-1"]),
    st.sampled_from(["default", "proj_abc"]),
    st.dictionaries(
        st.sampled_from(["bedrock-mantle:Model", "aws:CalledViaLast", "bedrock-mantle:BearerTokenType"]),
        st.sampled_from(["zai.glm-5", "bedrock-mantle.amazonaws.com", "LONG_TERM"]),
    ),
)


@settings(max_examples=30)
@given(ours, st.sampled_from([(), ("zai.glm-5",)]), st.booleans(), st.lists(requests, min_size=1, max_size=12))
def test_a_boundary_opens_no_hole(
    actions: list[str], models: tuple[str, ...], keep: bool, asked: list[AuthorizationRequest]
) -> None:
    """What is ours is let through exactly as the identity policy allows it; the rest always or never."""
    permissions = tuple(p for action in actions for p in permissions_for_action(action, Scope(models=models)))
    document = least_privilege(permissions).document
    wish = Wish(
        kind=Kind.BOUNDARY,
        documents=(document,),
        permissions=permissions,
        keep_other_services=keep,
        scope=Scope(models=models),
    )
    boundary = assemble(wish).artifact.documents
    for request in asked:
        through = evaluate(request, PolicySet(identity=(EVERYTHING,), permissions_boundary=boundary)).decision
        granted = evaluate(request, PolicySet(identity=(document,))).decision
        service = request.action.partition(":")[0]
        own = service in ("bedrock-mantle", "bedrock-websearch") or request.action == "aws-marketplace:Subscribe"
        wanted = granted if own or not keep else Decision.ALLOWED
        assert through is wanted, request


names = st.one_of(
    st.sampled_from(["app", "octo", "main", "v*", "x.y", "a@1", "arn:aws:eks:us-east-1:111122223333:cluster/main", ""]),
    st.text(alphabet="ab*?${}:/@-.% ", max_size=6),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=40),
)


@settings(max_examples=75)
@given(st.sampled_from(list(TrustedBy)), names, names, names, names, names, names)
def test_no_name_makes_a_trust_policy_that_lets_strangers_in(
    by: TrustedBy, repository: str, branch: str, environment: str, namespace: str, account: str, cluster: str
) -> None:
    wish = Wish(
        kind=Kind.TRUST,
        trusted_by=by,
        account="111122223333",
        repository=f"octo/{repository}" if repository else "octo/app",
        branch=branch,
        environment=environment,
        oidc_provider="" if by is TrustedBy.GITHUB else "oidc.eks.us-east-1.amazonaws.com/id/ABC",
        cluster=cluster,
        namespace=namespace,
        service_account=account,
    )
    made = made_or_refused(wish)
    if isinstance(made, InputError):
        event("refused")
        assert made.help
        return
    document = made.artifact.document
    assert prove_trust(document.statements[0]) >= 1
    for condition in document.statements[0].conditions:
        for value in condition.values:
            assert "${" not in value
            if condition.key.endswith(":sub") and by is TrustedBy.GITHUB:
                head, owner, _ = value.split(":", 2)
                assert (head, owner) == ("repo", wish.repository)
                assert not set("*?") & set(owner)
