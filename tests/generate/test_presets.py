"""Purposes: every one, for every way of authenticating and every kind of scope, becomes a proven policy."""

from __future__ import annotations

import pytest

from mantle_iam.errors import InputError
from mantle_iam.generate.least_privilege import least_privilege
from mantle_iam.generate.presets import PURPOSES, find_purpose, needs_marketplace, operations_of, permissions_for
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import AuthMethod, operation_named
from mantle_iam.mantle.scope import Scope

ACCOUNT = "111122223333"
SCOPES = {
    "anywhere": Scope(),
    "one account": Scope(account=ACCOUNT),
    "two regions": Scope(account=ACCOUNT, regions=("us-east-1", "eu-central-1")),
    "GovCloud": Scope(account=ACCOUNT, regions=("us-gov-west-1",)),
    "one project": Scope(account=ACCOUNT, regions=("us-east-1",), projects=("proj_abc",)),
    "a project by ARN": Scope(projects=(f"arn:aws:bedrock-mantle:us-east-1:{ACCOUNT}:project/default",)),
    "one model": Scope(models=("openai.gpt-oss-120b",)),
    "three models": Scope(
        models=("openai.gpt-oss-120b", "anthropic.claude-sonnet-5", "zai.glm-5"), projects=("default",)
    ),
}


def decision(document: PolicyDocument, action: str, resource: str, **context: str) -> Decision:
    principal = f"arn:aws:iam::{ACCOUNT}:user/someone"
    return evaluate(
        AuthorizationRequest(principal, action, (resource,), resource_account=ACCOUNT, context=context),
        PolicySet(identity=(document,)),
    ).decision


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize("auth", AuthMethod)
@pytest.mark.parametrize("purpose", PURPOSES, ids=lambda purpose: purpose.name)
def test_every_purpose_is_proven(purpose, auth, scope):
    permissions = permissions_for(purpose, auth, scope)
    policy = least_privilege(permissions)
    assert policy.proof.holds
    actions = {action for statement in policy.document.statements for action in statement.actions}
    assert ("bedrock-mantle:CallWithBearerToken" in actions) == auth.is_bearer
    for statement in policy.document.statements:
        for condition in statement.conditions:
            if condition.key == "bedrock-mantle:Model":
                assert all(catalog.carries(action, condition.key) for action in statement.actions)
        if "bedrock-mantle:CallWithBearerToken" in statement.actions:
            assert statement.resources == ("*",)
            assert not statement.conditions


@pytest.mark.parametrize("purpose", PURPOSES, ids=lambda purpose: purpose.name)
def test_every_call_names_an_operation_and_says_why(purpose):
    assert all(operation_named(call.operation) is not None for call in purpose.calls)
    assert len(operations_of(purpose)) == len(purpose.calls) or purpose.name == "read-only"
    for permission in permissions_for(purpose, AuthMethod.LONG_TERM_KEY, Scope()):
        assert permission.because
        assert permission.reference.startswith("https://")
        assert catalog.known_action(permission.action) is not None


@pytest.mark.parametrize(
    ("purpose", "models", "needed"),
    [
        ("claude-code", (), True),
        ("messages", ("anthropic.claude-sonnet-5",), True),
        ("chat", ("openai.gpt-oss-120b",), False),
        ("chat", ("openai.gpt-oss-120b", "anthropic.claude-sonnet-5"), True),
        ("chat", (), None),
        ("chat", ("vendor.unheard-of",), None),
        ("models", ("anthropic.claude-sonnet-5",), False),
        ("files", (), False),
        ("read-only", (), False),
    ],
)
def test_marketplace_only_where_needed(purpose, models, needed):
    found, scope = find_purpose(purpose), Scope(models=models)
    assert needs_marketplace(found, scope) is needed
    actions = {p.action for p in permissions_for(found, AuthMethod.SIGV4, scope)}
    assert ("aws-marketplace:Subscribe" in actions) is bool(needed)
    without = permissions_for(found, AuthMethod.SIGV4, scope, marketplace=False)
    assert not any(p.action.startswith("aws-marketplace:") for p in without)


def test_marketplace_rights_hold_only_on_behalf_of_mantle():
    document = least_privilege(permissions_for(find_purpose("claude-code"), AuthMethod.SIGV4, Scope())).document
    assert decision(document, "aws-marketplace:Subscribe", "*") is Decision.IMPLICIT_DENY
    called = {"aws:CalledViaLast": "bedrock-mantle.amazonaws.com"}
    assert decision(document, "aws-marketplace:Subscribe", "*", **called) is Decision.ALLOWED


def test_read_only_reads_and_writes_nothing():
    document = least_privilege(permissions_for(find_purpose("read-only"), AuthMethod.LONG_TERM_KEY, Scope())).document
    for info in catalog.actions(preview=False):
        resource = catalog.resource_arns(info.name, Scope(account=ACCOUNT, regions=("us-east-1",)))[0]
        allowed = decision(document, info.name, resource) is Decision.ALLOWED
        if "Write" in info.access_level or "Tagging" in info.access_level:
            assert not allowed, info.name
    assert decision(document, "bedrock-mantle:CountTokens", PROJECT) is Decision.IMPLICIT_DENY
    assert decision(document, "bedrock-mantle:ListModels", PROJECT) is Decision.ALLOWED


PROJECT = f"arn:aws:bedrock-mantle:us-east-1:{ACCOUNT}:project/default"

NEEDS = [
    # What each client was seen to need, and one thing that it must not get.
    ("claude-code", ["CreateInference", "CountTokens"], "ListModels"),
    ("strands", ["CreateInference"], "GetInference"),
    ("agentcore-gateway", ["CreateInference", "ListModels"], "GetModel"),
    ("codex", ["CreateInference", "GetInference", "CancelInference", "ListModels", "GetModel"], "DeleteInference"),
    ("litellm", ["CreateInference", "CountTokens"], "CreateFile"),
    ("projects", ["ListProjects", "ListTagsForResource", "TagResource", "UntagResource"], "CreateInference"),
    ("files", ["CreateFile", "GetFile", "ListFiles", "DeleteFile"], "CreateFineTuningJob"),
    ("models", ["ListModels", "GetModel"], "CreateInference"),
]


@pytest.mark.parametrize(("purpose", "allowed", "refused"), NEEDS, ids=[need[0] for need in NEEDS])
def test_what_a_purpose_allows_and_what_not(purpose, allowed, refused):
    found = find_purpose(purpose)
    document = least_privilege(permissions_for(found, found.auth, Scope())).document
    for name in allowed:
        assert decision(document, f"bedrock-mantle:{name}", PROJECT) is Decision.ALLOWED
    assert decision(document, f"bedrock-mantle:{refused}", PROJECT) is Decision.IMPLICIT_DENY


def test_a_mistyped_purpose_names_the_nearest():
    with pytest.raises(InputError) as caught:
        find_purpose("clade-code")
    assert caught.value.help == "did you mean claude-code?"
    with pytest.raises(InputError) as caught:
        find_purpose("qqqqqq")
    assert "inference" in (caught.value.help or "")
    assert find_purpose("Claude_Code").name == "claude-code"
