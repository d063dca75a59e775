"""Permission sets over real HTTP: found, read, merged, changed and written into the accounts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from attach_world import INFERENCE, document
from faulty import DROP, Faulty, faulty
from hypothesis import given
from hypothesis import strategies as st
from sso_world import ACCOUNTS, PermissionSet, client, emptied

from mantle_iam.attach import calls
from mantle_iam.attach.merge import merge
from mantle_iam.attach.permission_set import (
    INLINE_CHARACTERS,
    MANAGED_POLICIES,
    Provisioned,
    merge_into,
    merged,
    provision,
    provisioned,
    read_permission_set,
    read_permission_set_policies,
    usage,
)
from mantle_iam.attach.plan import PERMISSION_SET_INLINE, Bound, ManagedChange, State, Target, TargetKind
from mantle_iam.errors import InputError, RefusedError, UndeterminedError
from mantle_iam.iam.grammar import parse_policy, policy_json, write_policy
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.iam.request import PolicyType

THEIRS = json.dumps(
    {
        "Version": "2012-10-17",
        "Id": "theirs",
        "Statement": [
            {
                "Sid": "Buckets",
                "Effect": "Allow",
                "Action": "s3:List*",
                "Resource": "arn:aws:s3:::a",
                "Comment": {"kept": 1},
            },
            {
                "Sid": "NoKeys",
                "Effect": "Deny",
                "NotAction": "s3:*",
                "NotResource": "x",
                "Condition": {"Bool": {"a:b": "true"}},
            },
        ],
    }
)


@pytest.fixture(scope="module")
def proxy(sso_url: str) -> Iterator[Faulty]:
    with faulty(sso_url) as running:
        yield running


@pytest.fixture(scope="module")
def admin(sso_url: str) -> Any:
    return client(sso_url)


@pytest.fixture(scope="module")
def proxied(proxy: Faulty) -> Any:
    return client(proxy.url)


@pytest.fixture
def sso(proxy: Faulty, proxied: Any) -> Any:
    """A client whose calls go through the proxy, which is in order."""
    proxy.clear()
    return proxied


@pytest.fixture
def instance(admin: Any) -> str:
    return emptied(admin)


@pytest.fixture
def developers(admin: Any, instance: str) -> PermissionSet:
    PermissionSet(admin, instance, "Other")
    return PermissionSet(admin, instance, "Developers", accounts=ACCOUNTS)


def _send(sso: Any, call: calls.Call) -> None:
    from botocore import xform_name

    getattr(sso, xform_name(call.operation))(**dict(call.parameters))


# -- finding and reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    [
        "Developers",
        "AWSReservedSSO_Developers_0123456789abcdef",
        "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Developers_0123456789abcdef",
        "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Developers_0123456789abcdef/alice",
    ],
)
def test_it_is_found_by_its_name_and_by_its_role(sso, developers, instance, word):
    state = read_permission_set(sso, word)
    assert state == State(Target(TargetKind.PERMISSION_SET, "Developers", developers.arn, "", "aws", instance), ())


def test_it_is_found_by_its_arn_without_a_list(sso, developers, proxy):
    assert read_permission_set(sso, developers.arn).target.name == "Developers"
    assert not {"ListInstances", "ListPermissionSets"} & set(proxy.calls)


def test_a_name_that_is_not_there_names_the_nearest(sso, developers):
    with pytest.raises(InputError, match="there is no permission set `Developer`") as caught:
        read_permission_set(sso, "Developer")
    assert caught.value.help == "did you mean Developers?"


def test_an_arn_that_is_not_there(sso, developers):
    with pytest.raises(InputError):
        read_permission_set(sso, developers.arn[:-4] + "zzzz")


def test_two_instances_disagree(sso, developers):
    with pytest.raises(InputError, match="is of the instance"):
        read_permission_set(sso, developers.arn, instance="arn:aws:sso:::instance/ssoins-0123456789abcdef")


@pytest.mark.parametrize(("instances", "words"), [([], "see no instance"), (["a", "b"], "more than one instance")])
def test_not_exactly_one_instance(instances, words):
    class Pages:
        def paginate(self, **_: object) -> Any:
            return [{"Instances": [{"InstanceArn": f"arn:aws:sso:::instance/ssoins-{n * 16}"} for n in instances]}]

    class Sso:
        meta = SimpleNamespace(region_name="eu-central-1")

        def get_paginator(self, _: str) -> Any:
            return Pages()

    with pytest.raises(InputError, match=words) as caught:
        read_permission_set(Sso(), "AWSReservedSSO_Developers_0123456789abcdef")
    assert caught.value.help


def test_everything_on_it_is_read(sso, admin, developers):
    developers.put(THEIRS)
    admin.attach_managed_policy_to_permission_set(**developers.owner, ManagedPolicyArn=INFERENCE)
    reference = {"Name": "shared", "Path": "/team/"}
    admin.attach_customer_managed_policy_reference_to_permission_set(
        **developers.owner, CustomerManagedPolicyReference=reference
    )
    state = read_permission_set(sso, "Developers")
    assert state.policies == (
        Bound("AmazonBedrockMantleInferenceAccess", INFERENCE),
        Bound("shared", "arn:aws:iam::*:policy/team/shared"),
        Bound(PERMISSION_SET_INLINE),
    )
    assert state.inline_named(PERMISSION_SET_INLINE) == parse_policy(THEIRS)
    policies, notes = read_permission_set_policies(sso, None, state)
    assert policies.identity == (parse_policy(THEIRS),)
    assert policies.unknown == {PolicyType.IDENTITY, PolicyType.SCP}
    assert any("shared" in note for note in notes)
    assert any("AmazonBedrockMantleInferenceAccess" in note for note in notes)


def test_the_text_of_a_managed_policy_and_of_the_boundary_is_read_through_iam(sso, admin, developers, iam):
    admin.attach_managed_policy_to_permission_set(**developers.owner, ManagedPolicyArn=INFERENCE)
    boundary = {"ManagedPolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    admin.put_permissions_boundary_to_permission_set(**developers.owner, PermissionsBoundary=boundary)
    policies, _ = read_permission_set_policies(sso, iam, read_permission_set(sso, "Developers"))
    assert policies.unknown == {PolicyType.SCP}
    assert any("bedrock-mantle:CreateInference" in s.actions for s in policies.identity[0].statements)
    assert policies.permissions_boundary


def test_a_boundary_of_each_account_is_unknown(sso, admin, developers):
    boundary = {"CustomerManagedPolicyReference": {"Name": "edge", "Path": "/"}}
    admin.put_permissions_boundary_to_permission_set(**developers.owner, PermissionsBoundary=boundary)
    policies, notes = read_permission_set_policies(sso, None, read_permission_set(sso, "Developers"))
    assert PolicyType.PERMISSIONS_BOUNDARY in policies.unknown
    assert any("boundary" in note for note in notes)


@pytest.mark.parametrize(
    "operation",
    [
        "ListInstances",
        "ListPermissionSets",
        "DescribePermissionSet",
        "ListManagedPoliciesInPermissionSet",
        "ListCustomerManagedPolicyReferencesInPermissionSet",
        "GetInlinePolicyForPermissionSet",
    ],
)
def test_what_may_not_be_read_is_named(sso, developers, proxy, operation):
    proxy.fail(operation, "AccessDeniedException", times=-1)
    with pytest.raises(UndeterminedError, match=f"sso:{operation}"):
        read_permission_set(sso, "Developers")


def test_a_boundary_that_may_not_be_read_is_unknown(sso, developers, proxy):
    state = read_permission_set(sso, "Developers")
    proxy.fail("GetPermissionsBoundaryForPermissionSet", "AccessDeniedException")
    policies, notes = read_permission_set_policies(sso, None, state)
    assert PolicyType.PERMISSIONS_BOUNDARY in policies.unknown
    assert any("sso:GetPermissionsBoundaryForPermissionSet" in note for note in notes)


# -- the one inline policy ----------------------------------------------------------------------------------------------

OURS = parse_policy(document("bedrock-mantle:ListModels", Sid="BedrockMantleListModels"))


def test_statements_are_added_and_nothing_of_others_is_lost(sso, developers):
    developers.put(THEIRS)
    state = read_permission_set(sso, "Developers")
    change = merged(state, OURS)
    _send(sso, calls.put_inline(state.target, change.name, change.document))
    stored = developers.inline
    assert stored["Id"] == "theirs"
    assert stored["Statement"][:2] == json.loads(THEIRS)["Statement"]
    assert stored["Statement"][2:] == write_policy(OURS)["Statement"]
    again = read_permission_set(sso, "Developers")
    assert merged(again, OURS).document == again.inline_named(PERMISSION_SET_INLINE)
    assert not merge_into(again, OURS).changed


def test_a_newer_version_of_our_statement_takes_its_place():
    newer = parse_policy(
        document("bedrock-mantle:ListModels", "bedrock-mantle:GetModel", Sid="BedrockMantleListModels")
    )
    result = merge(merge(parse_policy(THEIRS), OURS).document, newer)
    assert [s.sid for s in result.document.statements] == ["Buckets", "NoKeys", "BedrockMantleListModels"]
    assert result.document.statements[2] == newer.statements[0]
    assert [s.sid for s in result.replaced] == ["BedrockMantleListModels"]


@pytest.mark.parametrize(
    "other",
    [
        document("s3:*", Sid="BedrockMantleListModels"),
        document("bedrock-mantle:ListModels", "s3:*", Sid="BedrockMantleListModels"),
        document("bedrock-mantle:GetModel", Sid="BedrockMantleListModels", effect="Deny"),
        '{"Statement":{"Sid":"BedrockMantleListModels","Effect":"Allow","NotAction":"bedrock-mantle:*","Resource":"*"}}',
    ],
)
def test_a_sid_that_somebody_else_has_is_not_taken(other):
    with pytest.raises(InputError, match="another statement `BedrockMantleListModels`"):
        merge(parse_policy(other), OURS)


def test_the_same_under_another_name_is_not_added_again():
    there = parse_policy(document("Bedrock-Mantle:listmodels", Sid="Theirs"))
    assert merge(there, OURS).document == there


@pytest.mark.parametrize(("theirs", "ours"), [(None, "2012-10-17"), ("2008-10-17", "2012-10-17"), ("2012-10-17", None)])
def test_variables_do_not_change_their_meaning(theirs, ours):
    home = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/${aws:username}/*"}

    def written(version: str | None) -> PolicyDocument:
        return parse_policy({**({"Version": version} if version else {}), "Statement": [home]})

    with pytest.raises(InputError, match="2012-10-17"):
        merge(written(theirs), OURS) if theirs != "2012-10-17" else merge(written(theirs), written(ours))
    plain = parse_policy('{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}')
    assert merge(plain, OURS).document.version == "2012-10-17"


def test_an_unknown_element_goes_where_its_statement_goes():
    odd = parse_policy(document("bedrock-mantle:GetModel", Sid="Odd", Comment="mine"))
    result = write_policy(merge(parse_policy(THEIRS), odd).document)
    assert result["Statement"][0]["Comment"] == {"kept": 1}
    assert result["Statement"][2]["Comment"] == "mine"
    replaced = merge(
        merge(parse_policy(THEIRS), odd).document, parse_policy(document("bedrock-mantle:ListModels", Sid="Odd"))
    )
    assert "Comment" not in write_policy(replaced.document)["Statement"][2]


_ACTIONS = st.lists(
    st.sampled_from(["s3:Get", "bedrock-mantle:A", "bedrock-mantle:B"]), min_size=1, max_size=2, unique=True
)
_STATEMENTS = st.builds(
    lambda effect, actions, sid: Statement(effect, tuple(actions), resources=("*",), sid=sid),
    st.sampled_from(list(Effect)),
    _ACTIONS,
    st.none() | st.sampled_from(["A", "B", "C"]),
)
_DOCUMENTS = st.lists(_STATEMENTS, max_size=4, unique_by=lambda s: s.sid or id(s)).map(
    lambda s: PolicyDocument(tuple(s))
)


@given(there=_DOCUMENTS, ours=_DOCUMENTS)
def test_laws_of_merging(there: PolicyDocument, ours: PolicyDocument) -> None:
    try:
        result = merge(there, ours)
    except InputError:
        return
    kept = [statement for statement in there.statements if statement not in result.replaced]
    assert all(statement in result.document.statements for statement in kept)
    assert all(any(_grants(o) == _grants(s) for s in result.document.statements) for o in ours.statements)
    sids = [statement.sid for statement in result.document.statements if statement.sid]
    assert len(sids) == len(set(sids))
    assert not merge(result.document, ours).changed
    assert parse_policy(policy_json(result.document)).statements == result.document.statements


def _grants(statement: Statement) -> tuple[Effect, frozenset[str]]:
    return statement.effect, frozenset(statement.actions)


# -- quotas -------------------------------------------------------------------------------------------------------------


def test_quotas_are_counted(sso, developers):
    state = read_permission_set(sso, "Developers")
    long = PolicyDocument(tuple(Statement(Effect.ALLOW, (f"s3:A{n}",), resources=("*",)) for n in range(200)))
    found = {u.what: u for u in usage(state, (merged(state, long),))}
    dense = found["characters of the inline policy without white space"]
    assert (dense.limit, dense.over, dense.now) == (INLINE_CHARACTERS, True, 0)
    assert not found["bytes of the inline policy"].over
    assert usage(state, ()) == ()


def test_the_twenty_first_policy_is_over(sso, developers):
    state = read_permission_set(sso, "Developers")
    full = State(state.target, tuple(Bound(f"p{n}", f"arn:aws:iam::aws:policy/p{n}") for n in range(MANAGED_POLICIES)))
    change = ManagedChange("x", INFERENCE, OURS, "v1")
    in_set, in_role = usage(full, (change,))
    assert (in_set.used, in_set.over) == (21, True)
    assert not in_role.over, "an account may have a higher quota"
    assert usage(full, (ManagedChange("p0", "arn:aws:iam::aws:policy/p0", OURS, "v1"),)) == ()


# -- writing it into the accounts ---------------------------------------------------------------------------------------


def test_a_change_waits_for_provisioning(sso, developers):
    state = read_permission_set(sso, "Developers")
    assert provisioned(sso, state.target) == Provisioned(ACCOUNTS)
    _send(sso, calls.put_inline(state.target, "inline", merged(state, OURS).document))
    assert provisioned(sso, state.target) == Provisioned(ACCOUNTS, outdated=ACCOUNTS)
    paused: list[float] = []
    words = provision(sso, state.target, calls.provision(state.target), sleep=paused.append)
    assert "written" in words
    assert paused == [1.0, 2.0]
    assert provisioned(sso, state.target) == Provisioned(ACCOUNTS)


def test_a_set_of_no_account_needs_no_provisioning(sso, admin, instance):
    PermissionSet(admin, instance, "Lonely")
    assert not provisioned(sso, read_permission_set(sso, "Lonely").target).needed


def test_one_that_fails_says_why(sso, admin, instance):
    PermissionSet(admin, instance, "Broken", description="broken", accounts=ACCOUNTS)
    target = read_permission_set(sso, "Broken").target
    with pytest.raises(RefusedError, match="policy x does not exist"):
        provision(sso, target, calls.provision(target), sleep=lambda _: None)


def test_one_that_does_not_end_is_not_waited_for_for_ever(sso, admin, instance):
    PermissionSet(admin, instance, "Slow", description="never", accounts=ACCOUNTS)
    target = read_permission_set(sso, "Slow").target
    paused: list[float] = []
    with pytest.raises(UndeterminedError, match="has not ended after 60 s") as caught:
        provision(sso, target, calls.provision(target), sleep=paused.append, seconds=60)
    assert 50 <= sum(paused) <= 60
    assert "describe-permission-set-provisioning-status" in str(caught.value.help)


def test_while_another_one_goes_on_it_waits(sso, developers, proxy):
    target = read_permission_set(sso, "Developers").target
    proxy.fail("ProvisionPermissionSet", "ConflictException", times=2)
    said: list[str] = []
    provision(sso, target, calls.provision(target), sleep=lambda _: None, progress=said.append)
    assert proxy.calls.count("ProvisionPermissionSet") == 3
    assert any("ConflictException" in line for line in said)


@pytest.mark.parametrize(
    ("operation", "what", "raised"),
    [
        ("ProvisionPermissionSet", "AccessDeniedException", RefusedError),
        ("ProvisionPermissionSet", "ConflictException", UndeterminedError),
        ("ProvisionPermissionSet", DROP, UndeterminedError),
        ("ProvisionPermissionSet", "ExpiredTokenException", UndeterminedError),
        ("DescribePermissionSetProvisioningStatus", "AccessDeniedException", UndeterminedError),
        ("DescribePermissionSetProvisioningStatus", "ThrottlingException", UndeterminedError),
    ],
)
def test_provisioning_that_goes_wrong_ends(sso, developers, proxy, operation, what, raised):
    target = read_permission_set(sso, "Developers").target
    proxy.fail(operation, what, times=-1)
    with pytest.raises(raised) as caught:
        provision(sso, target, calls.provision(target), sleep=lambda _: None, seconds=20)
    if "Denied" in what:
        assert f"sso:{operation}" in caught.value.message
