"""Every kind of document: what it decides, what it says, and what is refused; as tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from kind_wishes import read_wish, table

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind, TrustedBy
from mantle_iam.generate.kinds import Made, Wish, assemble, name_limit, trust_uses, uses
from mantle_iam.generate.kinds.denials import denial_names
from mantle_iam.generate.kinds.limits import LIMITS, size_of
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy, policy_json
from mantle_iam.iam.policy import Effect, PolicyDocument, Principals, Statement
from mantle_iam.iam.request import AuthorizationRequest, PolicySet, PolicyType
from mantle_iam.iam.validation import MAX_CHARACTERS, StoredAs, policy_problems

KINDS = table("kinds.json")
REFUSED = table("refused.json")
EVERYTHING = PolicyDocument((Statement(Effect.ALLOW, actions=("*",), resources=("*",)),))
ANYBODY = Principals((("AWS", ("*",)),))
ROLE = "arn:aws:iam::111122223333:role/example"


def layers(artifact: Artifact) -> PolicySet:
    """The documents where their kind puts them, beside everything that has to allow for them to be seen."""
    documents = artifact.documents
    match artifact.kind:
        case Kind.SCP:
            return PolicySet(identity=(EVERYTHING,), scp=((EVERYTHING, *documents),))
        case Kind.BOUNDARY:
            return PolicySet(identity=(EVERYTHING,), permissions_boundary=documents)
        case Kind.SESSION:
            return PolicySet(identity=(EVERYTHING,), session=documents)
        case Kind.VPC_ENDPOINT:
            return PolicySet(identity=(EVERYTHING,), vpc_endpoint=documents)
        case Kind.TRUST:
            return PolicySet(resource=tuple(map(with_anybody_for_federated, documents)))
        case _:
            return PolicySet(identity=documents)


def with_anybody_for_federated(document: PolicyDocument) -> PolicyDocument:
    """``evaluate`` knows no federated principal: whether the conditions hold is what is asked."""
    return replace(
        document,
        statements=tuple(
            replace(one, principals=ANYBODY) if one.principals and one.principals.by_type[0][0] == "Federated" else one
            for one in document.statements
        ),
    )


def decide(artifact: Artifact, asked: dict[str, Any]) -> str:
    web = asked["action"] == "sts:AssumeRoleWithWebIdentity"
    request = AuthorizationRequest(
        asked.get("principal", "*" if web else ROLE),
        asked["action"],
        tuple(asked.get("resources", [asked.get("resource", "*")])),
        resource_account="111122223333",
        context=asked.get("context", {}),
    )
    return evaluate(request, layers(artifact)).decision.value


@pytest.mark.parametrize("case", KINDS, ids=[case["name"] for case in KINDS])
def test_it_decides_as_the_table_says(case: dict[str, Any]) -> None:
    made = assemble(read_wish(case["wish"]))
    found = [(asked["action"], asked.get("context"), decide(made.artifact, asked)) for asked in case["requests"]]
    assert found == [(asked["action"], asked.get("context"), asked["decision"]) for asked in case["requests"]]


@pytest.mark.parametrize("case", KINDS, ids=[case["name"] for case in KINDS])
def test_aws_would_store_it(case: dict[str, Any]) -> None:
    artifact = assemble(read_wish(case["wish"])).artifact
    where = {
        Kind.SCP: PolicyType.SCP,
        Kind.VPC_ENDPOINT: PolicyType.VPC_ENDPOINT,
        Kind.TRUST: PolicyType.RESOURCE,
    }.get(artifact.kind, PolicyType.IDENTITY)
    for document in artifact.documents:
        assert policy_problems(document, where) == ()
        assert parse_policy(policy_json(document)) == document
        assert size_of(document) <= LIMITS[artifact.kind].characters
        assert len({statement.sid for statement in document.statements}) == len(document.statements)


def test_the_table_has_every_kind_denial_and_principal() -> None:
    wishes = [case["wish"] for case in KINDS]
    assert {wish["kind"] for wish in wishes} == {kind.value for kind in Kind}
    assert {name for wish in wishes for name in wish.get("denials", ())} == set(denial_names())
    assert {wish.get("trusted_by") for wish in wishes} == {None, *(by.value for by in TrustedBy)}
    for kind in Kind:
        decisions = {asked["decision"] for case in KINDS if case["wish"]["kind"] == kind for asked in case["requests"]}
        assert len(decisions) > 1, f"nothing is refused, or nothing allowed, by {kind}"


@pytest.mark.parametrize("case", REFUSED, ids=[f"{case['wish']} {case['message']}"[:90] for case in REFUSED])
def test_what_cannot_be_is_refused_in_one_line(case: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        assemble(read_wish(case["wish"]))
    error = caught.value
    assert case["message"] in error.message
    assert error.help
    first = error.message.lstrip("`")
    assert len(error.message) < 400
    assert not error.message.endswith(".")
    assert first


GOLDENS = {case["name"]: case["wish"] for case in KINDS}


@pytest.mark.parametrize("name", GOLDENS)
def test_what_it_says(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"kinds/{file_name(name)}.txt", shown(assemble(read_wish(GOLDENS[name]))))


def file_name(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower()).replace("--", "-")


def shown(made: Made) -> str:
    artifact = made.artifact
    parts = [policy_json(document) for document in artifact.documents]
    parts += [f"permissions: {policy_json(document, None)}" for document in artifact.permissions]
    for field in fields(artifact):
        value = getattr(artifact, field.name)
        if field.name not in ("documents", "permissions") and value:
            parts.append(f"{field.name}: {value if isinstance(value, tuple) else str(value)}")
    parts += [f"note: {note}" for note in made.notes]
    parts += [made.proven] if made.proven else []
    assert all(not note.endswith(".") for note in made.notes)
    assert len(set(made.notes)) == len(made.notes)
    return "\n".join(parts) + "\n"


def test_uses_names_fields_of_a_wish() -> None:
    names = {field.name for field in fields(Wish)}
    for kind in Kind:
        assert uses(kind) <= names
        assert name_limit(kind) in (32, 64, 128)
    for by in TrustedBy:
        assert trust_uses(by) <= uses(Kind.TRUST)
    assert set().union(*map(uses, Kind)) == names


# A value for each field that differs from what it is when unsaid.
OTHERWISE: dict[str, Any] = {
    "roles": ("r",),
    "users": ("u",),
    "groups": ("g",),
    "targets": ("r-abcd",),
    "endpoint": "vpce-0123456789abcdef0",
    "instance": "arn:aws:sso:::instance/ssoins-0123456789abcdef",
    "denials": ("cost",),
    "max_key_age_days": 7,
    "exempt_principals": ("arn:aws:iam::111122223333:role/Admin",),
    "organization": "o-a1b2c3d4e5",
    "keep_other_services": True,
    "account": "123456789012",
    "repository": "octo/other",
    "branch": "dev",
    "environment": "test",
    "tag_ref": "v1",
    "subject": "repo:octo/x:pull_request",
    "oidc_provider": "oidc.eks.us-west-2.amazonaws.com/id/FFFF",
    "cluster": "other",
    "namespace": "other",
    "service_account": "other",
}


@pytest.mark.parametrize("case", KINDS, ids=[case["name"] for case in KINDS])
def test_a_field_that_a_kind_does_not_use_has_no_effect(case: dict[str, Any]) -> None:
    wish = read_wish(case["wish"])
    used = (
        uses(wish.kind)
        if wish.trusted_by is None
        else (uses(wish.kind) - uses_of_trust()) | trust_uses(wish.trusted_by)
    )
    made = assemble(wish)
    for name, value in OTHERWISE.items():
        if name not in used:
            assert assemble(replace(wish, **{name: value})) == made, name


def uses_of_trust() -> frozenset[str]:
    return frozenset().union(*map(trust_uses, TrustedBy))


def test_a_boundary_and_a_session_take_no_denials_silently() -> None:
    """They limit by what they allow; `generate` refuses ``--deny`` for them."""
    assert "denials" not in uses(Kind.BOUNDARY) | uses(Kind.SESSION) | uses(Kind.VPC_ENDPOINT) | uses(Kind.TRUST)


def test_a_boundary_that_keeps_other_services_names_nothing_twice() -> None:
    wish = read_wish({"kind": "boundary", "actions": ["bedrock-websearch:InvokeSearch"], "auth": "sigv4"})
    (document,) = assemble(replace(wish, keep_other_services=True)).artifact.documents
    (kept,) = (one.not_actions for one in document.statements if one.not_actions)
    assert "bedrock-websearch:*" in kept
    assert "bedrock-websearch:InvokeSearch" not in kept


def test_an_scp_that_is_too_large_is_several() -> None:
    wish = Wish(
        kind=Kind.SCP,
        denials=("other-models", "cost", "all-keys"),
        scope=read_wish({"kind": "scp", "scope": {"models": [f"vendor.model-{n:040d}" for n in range(85)]}}).scope,
    )
    made = assemble(wish)
    assert len(made.artifact.documents) == 2
    assert all(size_of(document) <= MAX_CHARACTERS[StoredAs.SCP] for document in made.artifact.documents)
    asked = {"action": "bedrock-mantle:CallWithBearerToken", "decision": "explicitDeny"}
    assert decide(made.artifact, asked) == "explicitDeny"
    assert any("white space counts" in note for note in made.notes)


def test_what_others_report_of_the_size_of_an_scp_is_told_and_not_counted_on() -> None:
    scope = read_wish({"kind": "scp", "scope": {"models": [f"vendor.model-{n:040d}" for n in range(95)]}}).scope
    with pytest.raises(InputError, match="and a service control policy 5120") as refused:
        assemble(Wish(kind=Kind.SCP, denials=("other-models",), scope=scope))
    assert "report 10240" in (refused.value.help or "")
    few = read_wish({"kind": "scp", "scope": {"models": [f"vendor.model-{n:040d}" for n in range(85)]}}).scope
    made = assemble(Wish(kind=Kind.SCP, denials=("other-models", "cost", "all-keys"), scope=few))
    assert any("2 documents" in note and "report 10240" in note for note in made.notes)


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (Kind.IDENTITY, StoredAs.MANAGED),
        (Kind.BOUNDARY, StoredAs.MANAGED),
        (Kind.INLINE, StoredAs.ROLE_INLINE),
        (Kind.SESSION, StoredAs.SESSION),
        (Kind.SCP, StoredAs.SCP),
    ],
)
def test_the_limits_of_kinds_are_those_of_validation(kind: Kind, stored: StoredAs) -> None:
    assert LIMITS[kind].characters == MAX_CHARACTERS[stored]


def test_documents_that_came_in_parts_stay_so_beside_a_denial() -> None:
    one = read_wish({"kind": "identity", "actions": ["bedrock-mantle:ListModels"], "auth": "sigv4"})
    big = read_wish(
        {
            "kind": "identity",
            "actions": ["bedrock-mantle:CreateInference"],
            "auth": "sigv4",
            "scope": {"projects": [f"proj_{n:026d}" for n in range(80)]},
        }
    )
    wish = replace(one, documents=(*big.documents, *one.documents), permissions=(*big.permissions, *one.permissions))
    assert assemble(wish).artifact.documents == (
        PolicyDocument((*big.documents[0].statements, *one.documents[0].statements)),
    )
    halves = tuple(replace(big.documents[0], statements=(s,)) for s in big.documents[0].statements)
    large = replace(wish, documents=(*halves, *halves, *halves, *one.documents), denials=("all-keys",))
    documents = assemble(large).artifact.documents
    assert documents[:-1] == large.documents
    assert [s.sid for s in documents[-1].statements] == ["NoKeys"]


def test_a_sid_that_occurs_twice_is_numbered() -> None:
    one = read_wish({"kind": "inline", "actions": ["bedrock-mantle:ListModels"], "auth": "sigv4"})
    other = read_wish(
        {
            "kind": "inline",
            "actions": ["bedrock-mantle:ListModels"],
            "auth": "sigv4",
            "scope": {"regions": ["us-east-1"]},
        }
    )
    made = assemble(replace(one, documents=(*one.documents, *other.documents)))
    assert [s.sid for s in made.artifact.document.statements] == ["BedrockMantleListModels", "BedrockMantleListModels2"]


NARROWED = {
    # What `--narrow` may hand over: patterns, NotAction, a Deny of the old policy.
    "everything": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    "all but one": [{"Effect": "Allow", "NotAction": "bedrock-mantle:DeleteInference", "Resource": "*"}],
    "with a deny": [
        {"Effect": "Allow", "Action": "bedrock-*:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "Bedrock-Mantle:DeleteInference", "Resource": "*"},
    ],
}


@pytest.mark.parametrize("kind", [Kind.VPC_ENDPOINT, Kind.BOUNDARY, Kind.SESSION], ids=str)
@pytest.mark.parametrize("name", NARROWED)
def test_a_document_of_any_shape_keeps_its_meaning(name: str, kind: Kind) -> None:
    document = parse_policy({"Version": "2012-10-17", "Statement": NARROWED[name]})
    artifact = assemble(Wish(kind=kind, documents=(document,))).artifact
    for action in ("CreateInference", "DeleteInference", "CallWithBearerToken"):
        asked = {"action": f"bedrock-mantle:{action}", "resource": "*"}
        request = AuthorizationRequest(ROLE, asked["action"])
        alone = evaluate(request, PolicySet(identity=(document,))).decision.value
        assert decide(artifact, asked) == alone


def test_an_endpoint_that_lets_keys_through_does_not_say_that_it_refuses_them() -> None:
    keys = "calls with a key are refused through this endpoint"
    for token, told in (("SHORT_TERM", False), (None, False)):
        scope = {"token_type": token} if token else {}
        wish = read_wish({"kind": "vpc-endpoint", "actions": ["bedrock-mantle:CallWithBearerToken"], "scope": scope})
        assert any(note.startswith(keys) for note in assemble(wish).notes) is told
    wish = read_wish({"kind": "vpc-endpoint", "actions": ["bedrock-mantle:ListModels"]})
    assert any(note.startswith(keys) for note in assemble(wish).notes)
