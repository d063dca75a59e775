"""The shipped policies: what AWS's managed ones allow and must not, each other's part, and whether ours do what they say."""

from __future__ import annotations

import json
import os
from datetime import date
from typing import Any

import pytest

from mantle_iam import bundled
from mantle_iam.generate.artifact import Kind
from mantle_iam.generate.kinds import Wish, assemble
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy, write_policy
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType
from mantle_iam.iam.validation import StoredAs, policy_problems
from mantle_iam.mantle import catalog
from mantle_iam.mantle.scope import Scope

ACCOUNT = "111122223333"
PRINCIPAL = f"arn:aws:iam::{ACCOUNT}:user/someone"
SCOPE = Scope(account=ACCOUNT, regions=("us-east-1",))


def shipped(folder: str) -> dict[str, dict[str, Any]]:
    files = sorted((bundled.policies() / folder).iterdir(), key=lambda file: file.name)
    return {file.name.removesuffix(".json"): json.loads(file.read_text("utf-8")) for file in files}


MANAGED = shipped("managed")
EXAMPLES = shipped("examples")
SCPS = shipped("scp")
FULL, INFERENCE, READ_ONLY, LIMITED, BEDROCK_FULL, LIMITED_V1 = (
    parse_policy(MANAGED[name]["document"])
    for name in (
        "AmazonBedrockMantleFullAccess",
        "AmazonBedrockMantleInferenceAccess",
        "AmazonBedrockMantleReadOnly",
        "AmazonBedrockLimitedAccess",
        "AmazonBedrockFullAccess",
        "AmazonBedrockLimitedAccess-v1",
    )
)

# Beside Mantle's own, everything that one of its calls may need.
OTHERS = (
    "aws-marketplace:Subscribe",
    "aws-marketplace:ViewSubscriptions",
    "bedrock-websearch:InvokeSearch",
    "bedrock-websearch:InvokeFetch",
)


def requests() -> list[tuple[str, str]]:
    """Every action on an instance of each resource type that it takes."""
    names = [*(info.name for info in catalog.actions()), *OTHERS]
    return [
        (name, arn.replace(":*:", ":us-east-1:").replace("/*", "/default"))
        for name in names
        for arn in catalog.resource_arns(name, SCOPE)
    ]


def decide(document: PolicyDocument, action: str, resource: str, context: dict[str, Any] | None = None) -> Decision:
    keys = {"aws:CalledViaLast": "bedrock-mantle.amazonaws.com"} if context is None else context
    request = AuthorizationRequest(PRINCIPAL, action, (resource,), resource_account=ACCOUNT, context=keys)
    return evaluate(request, PolicySet(identity=(document,))).decision


def allowed(document: PolicyDocument) -> set[tuple[str, str]]:
    return {request for request in requests() if decide(document, *request) is Decision.ALLOWED}


def names(requests: set[tuple[str, str]]) -> set[str]:
    return {action.partition(":")[2] for action, _ in requests}


def test_there_is_something_to_compare():
    assert len(requests()) > 45


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [(READ_ONLY, INFERENCE), (INFERENCE, FULL), (INFERENCE, LIMITED), (FULL, BEDROCK_FULL)],
    ids=["ReadOnly in Inference", "Inference in Full", "Inference in Limited", "MantleFull in BedrockFull"],
)
def test_the_stronger_allows_all_that_the_weaker_does(weaker, stronger):
    missing = allowed(weaker) - allowed(stronger)
    if stronger is BEDROCK_FULL:
        # Its Marketplace statement knows bedrock.amazonaws.com only, not the calls that come by way of Mantle.
        assert names(missing) == {"Subscribe", "ViewSubscriptions"}
    else:
        assert missing == set()
        assert allowed(stronger) - allowed(weaker)


# What each must not allow, with the words of facts that people stumble over.  Read it before changing it.
READ_ONLY_NEVER = {
    "CreateInference",
    "CancelInference",
    "DeleteInference",
    "CountTokens",  # neither Get* nor List*
    "CreateFile",
    "DeleteFile",
    "CreateFineTuningJob",
    "CancelFineTuningJob",
    "CreateProject",
    "UpdateProject",
    "ArchiveProject",
    "TagResource",
    "UntagResource",
    "PutAccountDataRetention",
    "GetAccountDataRetention",  # takes `*`, and the statement names projects
    "GetReservation",  # a resource type that the statement does not name
    "ListReservations",
    "GetCustomizedModel",
    "ListCustomizedModels",
    "Subscribe",
    "InvokeSearch",
}
INFERENCE_NEVER = READ_ONLY_NEVER - {"CreateInference", "Subscribe", "InvokeSearch"}
LIMITED_NEVER = {
    "CountTokens",
    "CreateProject",
    "CreateFile",
    "PutAccountDataRetention",
    "TagResource",
    "DeleteInference",
}


@pytest.mark.parametrize(
    ("document", "never"),
    [(READ_ONLY, READ_ONLY_NEVER), (INFERENCE, INFERENCE_NEVER), (LIMITED, LIMITED_NEVER)],
    ids=["ReadOnly", "Inference", "Limited"],
)
def test_the_weaker_must_not_allow(document, never):
    assert never <= names(set(requests())), "an action that does not exist proves nothing"
    assert names(allowed(document)) & never == set()


def test_what_each_is_for_is_allowed():
    assert {"ListModels", "GetModel", "CallWithBearerToken"} <= names(allowed(READ_ONLY))
    assert {"CreateInference", "ListModels", "CallWithBearerToken", "Subscribe"} <= names(allowed(INFERENCE))
    assert {info.name.partition(":")[2] for info in catalog.actions()} <= names(allowed(FULL))
    assert {"CreateInference", "ListModels", "CallWithBearerToken"} <= names(allowed(LIMITED))


def test_the_first_limited_access_knows_nothing_of_mantle():
    assert names({r for r in allowed(LIMITED_V1) if r[0].startswith("bedrock-mantle:")}) == set()
    assert decide(LIMITED_V1, "bedrock:CallWithBearerToken", "*") is Decision.ALLOWED


@pytest.mark.parametrize("entry", MANAGED.values(), ids=MANAGED)
def test_a_managed_policy_says_where_it_comes_from(entry):
    assert set(entry) == {"name", "arn", "version", "date", "source", "document"}
    assert entry["arn"] == f"arn:aws:iam::aws:policy/{entry['name']}"
    assert entry["version"].removeprefix("v").isdigit()
    assert date.fromisoformat(entry["date"]).year >= 2025
    assert "https://docs.aws.amazon.com/" in entry["source"]
    assert parse_policy(entry["document"]).problems == ()


def test_managed_policies_have_not_drifted():
    """moto carries copies of all managed policies; a newer one there says that ours should be renewed."""
    data = json.loads(pytest.importorskip("moto.iam.aws_managed_policies").aws_managed_policies_data)
    for file_name, entry in MANAGED.items():
        theirs = data[entry["name"]]
        if file_name != entry["name"]:  # an old version, kept on purpose
            assert entry["version"] != theirs["DefaultVersionId"]
            continue
        advice = f"copy {entry['name']} {theirs['DefaultVersionId']} into policies/managed and look at what it changes"
        assert (entry["version"], entry["date"]) == (theirs["DefaultVersionId"], theirs["UpdateDate"][:10]), advice
        assert parse_policy(entry["document"]) == parse_policy(theirs["Document"]), advice


CASES = [(entry, case) for entry in EXAMPLES.values() for case in entry["cases"]]


@pytest.mark.parametrize(
    ("entry", "case"), CASES, ids=[f"{e['name']}: {c['action'].partition(':')[2]} {c['decision']}" for e, c in CASES]
)
def test_an_example_does_what_it_says(entry, case):
    document = parse_policy(entry["document"])
    request = AuthorizationRequest(
        PRINCIPAL, case["action"], (case["resource"],), resource_account=ACCOUNT, context=case.get("context", {})
    )
    if entry["policy_type"] == "vpc-endpoint":
        everything = parse_policy(
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        )
        policies = PolicySet(identity=(everything,), vpc_endpoint=(document,))
    else:
        policies = PolicySet(identity=(document,))
    assert evaluate(request, policies).decision == case["decision"]


@pytest.mark.parametrize("entry", EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_is_complete_and_names_real_actions(entry):
    assert set(entry) == {"name", "intent", "policy_type", "source", "document", "cases"}
    assert entry["intent"].endswith(".")
    document = parse_policy(entry["document"])
    assert document.problems == ()
    actions = {action for statement in document.statements for action in statement.actions}
    assert all(catalog.known_action(action) for action in actions)
    assert {case["decision"] for case in entry["cases"]} > {"implicitDeny"}
    decided = {case["action"] for case in entry["cases"]}
    assert decided & actions


# Service control policies: made by `mantle_iam.generate.kinds`, from what stands in the file as `wish`.

EVERYTHING = parse_policy({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
SCP_CASES = [(entry, case) for entry in SCPS.values() for case in entry["cases"]]


def scp_of(entry: dict[str, Any]) -> dict[str, Any]:
    wish = {name: tuple(value) if isinstance(value, list) else value for name, value in entry["wish"].items()}
    scope = Scope(**{name: tuple(values) for name, values in wish.pop("scope", {}).items()})
    return write_policy(assemble(Wish(kind=Kind.SCP, scope=scope, **wish)).artifact.document)


@pytest.mark.parametrize("name", SCPS)
def test_a_shipped_scp_is_what_is_generated(name):
    entry = SCPS[name]
    made = scp_of(entry)
    if os.environ.get("MANTLE_IAM_RENEW_GOLDENS"):
        text = json.dumps({**entry, "document": made}, indent=2, ensure_ascii=False)
        (bundled.policies() / "scp" / f"{name}.json").write_text(f"{text}\n", "utf-8")
        entry = {**entry, "document": made}
    assert entry["document"] == made, "run `make goldens` and read the diff"


@pytest.mark.parametrize("name", SCPS)
def test_a_shipped_scp_is_complete(name):
    entry = SCPS[name]
    assert set(entry) == {"name", "intent", "policy_type", "source", "wish", "document", "cases"}
    assert (entry["name"], entry["policy_type"]) == (name, "scp")
    assert entry["intent"].endswith(".")
    assert "https://" in entry["source"]
    assert policy_problems(parse_policy(entry["document"]), PolicyType.SCP, StoredAs.SCP) == ()
    # With the white space of a console or of `json`, in the size that older tools check.
    assert len(json.dumps(entry["document"], indent=2)) <= 5120
    assert {case["decision"] for case in entry["cases"]} == {"explicitDeny", "allowed"}


@pytest.mark.parametrize(
    ("entry", "case"),
    SCP_CASES,
    ids=[f"{e['name']}: {c['action'].partition(':')[2]} {c['decision']}" for e, c in SCP_CASES],
)
def test_a_shipped_scp_does_what_it_says(entry, case):
    request = AuthorizationRequest(
        PRINCIPAL, case["action"], (case["resource"],), resource_account=ACCOUNT, context=case.get("context", {})
    )
    policies = PolicySet(identity=(EVERYTHING,), scp=((EVERYTHING, parse_policy(entry["document"])),))
    assert evaluate(request, policies).decision == case["decision"]
