"""One policy as several documents: every one fits, all together allow exactly what the one allows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.errors import InputError
from mantle_iam.generate.least_privilege import least_privilege
from mantle_iam.generate.presets import PURPOSES, permissions_for
from mantle_iam.generate.split import split
from mantle_iam.iam.compare import Relation, compare
from mantle_iam.iam.policy import Condition
from mantle_iam.iam.validation import policy_size
from mantle_iam.mantle.operations import AuthMethod, Permission
from mantle_iam.mantle.scope import Scope

MODEL = "bedrock-mantle:Model"


def project(number: int) -> str:
    return f"arn:aws:bedrock-mantle:us-east-1:111122223333:project/proj_{number:020}"


MODELS = tuple(f"vendor.model-{number:030}" for number in range(200))

CASES = {
    "many models": [Permission("bedrock-mantle:CreateInference", "*", (Condition("StringEquals", MODEL, MODELS),))],
    "many projects": [Permission("bedrock-mantle:CreateInference", project(n)) for n in range(200)],
    "many actions": [Permission(f"s3:Get{n:0100}", "*") for n in range(120)],
    "many models and projects": [
        Permission(f"bedrock-mantle:{name}", project(n), (Condition("StringEquals", MODEL, MODELS[:24]),))
        for n in range(64)
        for name in ("CreateInference", "CountTokens")
    ],
}


@pytest.mark.parametrize("wishes", CASES.values(), ids=CASES)
def test_every_document_fits_and_together_they_are_the_one(wishes):
    permissions = tuple(wishes)
    whole = least_privilege(permissions)
    assert policy_size(whole.document) > 6144
    parts = split(whole, permissions, 6144)
    assert parts.proof.holds
    assert all(policy_size(document) <= 6144 for document in parts.documents)
    # No more documents than the characters ask for, allowing for the frame that each repeats.
    assert len(parts.documents) <= policy_size(whole.document) // 4500 + 1
    assert compare((whole.document,), parts.documents).relation is Relation.EQUAL
    for document in parts.documents:
        sids = [statement.sid for statement in document.statements]
        assert len(set(sids)) == len(sids)


def test_a_policy_that_fits_stays_as_it_is():
    permissions = (Permission("bedrock-mantle:ListModels", "*"),)
    whole = least_privilege(permissions)
    assert split(whole, permissions, 6144).documents == (whole.document,)


def test_what_cannot_be_cut_is_refused():
    negated = Condition("StringNotEquals", MODEL, MODELS)
    for permissions in (
        (Permission("bedrock-mantle:CreateInference", "*", (negated,)),),
        (Permission("s3:GetObject", f"arn:aws:s3:::{'x' * 7000}"),),
    ):
        with pytest.raises(InputError, match="alone is larger"):
            split(least_privilege(permissions), permissions, 6144)


SCOPES = st.builds(
    Scope,
    account=st.sampled_from([None, "111122223333"]),
    regions=st.lists(st.sampled_from(["us-east-1", "eu-west-1", "us-gov-west-1"]), max_size=2, unique=True).map(tuple),
    projects=st.lists(st.sampled_from(["default", "proj_abc", "proj_d*"]), max_size=2, unique=True).map(tuple),
    models=st.lists(st.sampled_from(MODELS[:6]), max_size=3, unique=True).map(tuple),
    project_tags=st.lists(
        st.sampled_from([("team", "search"), ("team", "${aws:PrincipalTag/team}"), ("cost", "1")]),
        max_size=2,
        unique=True,
    ).map(tuple),
    tiers=st.lists(st.sampled_from(["flex", "default"]), max_size=2, unique=True).map(tuple),
    token_type=st.sampled_from([None, "SHORT_TERM", "LONG_TERM"]),
)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(PURPOSES), min_size=1, max_size=3, unique_by=lambda one: one.name),
    st.sampled_from(AuthMethod),
    SCOPES,
    st.integers(min_value=900, max_value=2500),
    st.randoms(),
)
def test_any_purposes_in_any_scope(purposes, auth, scope, limit, random):
    permissions = tuple(p for purpose in purposes for p in permissions_for(purpose, auth, scope))
    whole = least_privilege(permissions)
    assert whole.proof.holds
    shuffled = list(permissions)
    random.shuffle(shuffled)
    assert least_privilege(tuple(shuffled)).document == whole.document
    parts = split(whole, permissions, limit)
    assert parts.proof.holds
    assert all(policy_size(document) <= limit for document in parts.documents)
    assert compare((whole.document,), parts.documents).relation is Relation.EQUAL
    assert split(whole, tuple(shuffled), limit).documents == parts.documents
