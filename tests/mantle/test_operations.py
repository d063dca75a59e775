"""Routes and the permissions that they need."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.iam.policy import Condition
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import (
    AuthMethod,
    Operation,
    Scope,
    Source,
    When,
    conditional_permissions,
    match_operation,
    needs_marketplace,
    operation_named,
    operations,
    operations_needing,
    permissions_for_action,
    required_permissions,
)

CASES = json.loads((Path(__file__).parent / "cases" / "routes.json").read_text("utf-8"))
SCOPE = Scope(account="111122223333", regions=("us-east-1",), projects=("proj_a",))
RESOURCES = {
    "project": "arn:aws:bedrock-mantle:us-east-1:111122223333:project/proj_a",
    "any-project": "arn:aws:bedrock-mantle:us-east-1:111122223333:project/*",
    "*": "*",
}


def _operation(name: str) -> Operation:
    found = operation_named(name)
    assert found is not None, name
    return found


@pytest.mark.parametrize(("method", "path", "actions", "resource"), CASES["routes"])
def test_route(method: str, path: str, actions: list[str], resource: str) -> None:
    operation = match_operation(method, path)
    assert operation is not None
    signed = required_permissions(operation, AuthMethod.SIGV4, SCOPE)
    assert [(permission.action, permission.resource) for permission in signed] == [
        (f"bedrock-mantle:{action}", RESOURCES[resource]) for action in actions
    ]
    for key in (AuthMethod.SHORT_TERM_KEY, AuthMethod.LONG_TERM_KEY):
        bearer, *rest = required_permissions(operation, key, SCOPE)
        assert (bearer.action, bearer.resource) == ("bedrock-mantle:CallWithBearerToken", "*")
        assert tuple(rest) == signed


def test_the_table_of_routes_covers_every_operation() -> None:
    covered = {match_operation(method, path) for method, path, *_ in CASES["routes"]}
    # Documented under /v1 only; their twins under /openai/v1 are an inference and say so.
    left = [operation.name for operation in operations() if operation not in covered]
    assert left == ["get-response-openai", "cancel-response-openai", "delete-response-openai"]
    assert all(_operation(name).source is Source.INF for name in left)


@pytest.mark.parametrize(("method", "path"), CASES["absent"])
def test_no_such_route(method: str, path: str) -> None:
    assert match_operation(method, path) is None


def test_names_and_routes_are_unique() -> None:
    names = [operation.name for operation in operations()]
    routes = [(operation.method, operation.path) for operation in operations()]
    assert len(set(names)) == len(names)
    assert len(set(routes)) == len(routes)


def test_every_action_of_every_operation_is_known() -> None:
    for operation in operations():
        for need in operation.actions:
            assert catalog.known_action(need.action) is not None, (operation.name, need.action)


def test_every_documented_action_with_a_route_has_an_operation() -> None:
    """The rest has no public route: the explicit list keeps anybody from forgetting a new one."""
    used = {need.action for operation in operations() for need in operation.actions}
    without = sorted(info.name.partition(":")[2] for info in catalog.actions() if info.name not in used)
    assert without == [
        "AssociateCustomizedModel",
        "CallWithBearerToken",
        "ConnectEnvironment",
        "CreateCustomizedModel",
        "CreateReservation",
        "DeleteCustomizedModel",
        "DeleteReservation",
        "DisassociateCustomizedModel",
        "GetCustomizedModel",
        "GetReservation",
        "ListCustomizedModelAssociations",
        "ListCustomizedModels",
        "ListReservations",
        "RegisterEnvironment",
        "UpdateReservation",
    ]


def test_only_reading_operations_are_safe() -> None:
    for operation in operations():
        if operation.safe:
            assert operation.method == "GET" or operation.name == "count-tokens", operation.name
            levels = {catalog.known_action(need.action).access_level for need in operation.actions}  # type: ignore[union-attr]
            assert levels <= {"Read", "List"}, (operation.name, levels)
            assert not operation.billable


def test_every_need_says_how_it_is_known() -> None:
    for operation in operations():
        for need in operation.actions:
            assert need.reference.startswith("https://"), (operation.name, need.action)


@pytest.mark.parametrize(
    ("name", "carries"),
    [("create-response", True), ("count-tokens", True), ("get-model", False), ("list-models", False)],
)
def test_model_condition_only_where_the_action_carries_the_key(name: str, carries: bool) -> None:
    scope = Scope(models=("qwen.qwen3-32b", "openai.gpt-oss-20b", "qwen.qwen3-32b"))
    _, own = required_permissions(_operation(name), AuthMethod.LONG_TERM_KEY, scope)
    wanted = Condition("StringEquals", "bedrock-mantle:Model", ("openai.gpt-oss-20b", "qwen.qwen3-32b"))
    assert own.conditions == ((wanted,) if carries else ())


def _under(name: str, scope: Scope = SCOPE) -> dict[When, list[tuple[str, str]]]:
    found: dict[When, list[tuple[str, str]]] = {}
    for each in conditional_permissions(_operation(name), scope):
        found.setdefault(each.when, []).append((each.permission.action, each.permission.resource))
    return found


def test_tags_need_more() -> None:
    assert _under("create-project") == {When.TAGS: [("bedrock-mantle:TagResource", RESOURCES["any-project"])]}
    assert _under("update-project") == {
        When.ADD_TAGS: [("bedrock-mantle:TagResource", RESOURCES["project"])],
        When.REMOVE_TAGS: [("bedrock-mantle:UntagResource", RESOURCES["project"])],
        When.CHANGED_TAGS: [("bedrock-mantle:ListTagsForResource", RESOURCES["project"])],
    }


def test_web_search_needs_more_on_the_responses_api_only() -> None:
    tool = "arn:aws:bedrock-websearch:us-east-1:aws:tool/*"
    under = _under("create-response")
    assert under[When.WEB_SEARCH] == [
        ("bedrock-websearch:InvokeSearch", tool),
        ("bedrock-websearch:InvokeFetch", tool),
    ]
    assert under[When.EXTERNAL_WEB] == [("bedrock-websearch:ExternalWebAccess", "*")]
    assert When.WEB_SEARCH not in _under("create-message")


@pytest.mark.parametrize(
    ("models", "needed"),
    [
        ((), None),
        (("openai.gpt-oss-20b", "qwen.qwen3-32b"), False),
        (("anthropic.claude-sonnet-5", "openai.gpt-oss-20b"), True),
        (("zai.glm-5", "openai.gpt-oss-20b"), None),
        (("new.vendor",), None),
    ],
)
def test_marketplace(models: tuple[str, ...], needed: bool | None) -> None:
    assert needs_marketplace(models) is needed
    permissions = [
        each.permission
        for each in conditional_permissions(_operation("create-response"), Scope(models=models))
        if each.when is When.MARKETPLACE
    ]
    if needed is False:
        assert permissions == []
        return
    assert [permission.action for permission in permissions] == [
        "aws-marketplace:Subscribe",
        "aws-marketplace:ViewSubscriptions",
    ]
    via = Condition("StringEquals", "aws:CalledViaLast", ("bedrock-mantle.amazonaws.com",))
    assert all(permission.conditions == (via,) and permission.resource == "*" for permission in permissions)


def test_agent_session_passes_a_role_to_the_service_only() -> None:
    (each,) = conditional_permissions(_operation("create-agent-session"), SCOPE)
    assert each.permission.action == "iam:PassRole"
    assert each.permission.resource == "arn:aws:iam::111122223333:role/*"
    assert each.permission.conditions == (
        Condition("StringEquals", "iam:PassedToService", ("bedrock-mantle.amazonaws.com",)),
    )


def test_operations_needing() -> None:
    assert [operation.name for operation in operations_needing("bedrock-mantle:listtagsforresource")] == [
        "list-projects"
    ]
    assert len(operations_needing("bedrock-mantle:CreateInference")) == 7
    assert operations_needing("s3:GetObject") == ()


def test_an_unknown_action_is_kept_and_marked() -> None:
    (permission,) = permissions_for_action("bedrock-mantle:NewThing", SCOPE)
    assert (permission.action, permission.resource, permission.source) == ("bedrock-mantle:NewThing", "*", Source.INF)
    (known,) = permissions_for_action("bedrock-mantle:createinference", SCOPE)
    assert known.action == "bedrock-mantle:CreateInference"


@given(st.sampled_from(["GET", "POST", "PUT", "", "gét"]), st.text(max_size=60))
def test_no_path_breaks_the_match(method: str, path: str) -> None:
    found = match_operation(method, "/" + path)
    assert found is None or found.method == method.upper()


@given(
    st.sampled_from(operations()),
    st.sampled_from(AuthMethod),
    st.builds(
        Scope,
        account=st.sampled_from([None, "111122223333"]),
        regions=st.lists(st.sampled_from(["us-east-1", "us-gov-west-1", "cn-north-1"]), max_size=2).map(tuple),
        projects=st.lists(st.sampled_from(["default", "proj_a"]), max_size=2).map(tuple),
        models=st.lists(st.sampled_from(["openai.gpt-oss-20b", "zai.glm-5"]), max_size=2).map(tuple),
    ),
)
def test_permissions_are_distinct_and_within_the_scope(operation: Operation, auth: AuthMethod, scope: Scope) -> None:
    permissions = required_permissions(operation, auth, scope)
    assert len(set(permissions)) == len(permissions)
    assert ("bedrock-mantle:CallWithBearerToken" in {each.action for each in permissions}) is (
        auth is not AuthMethod.SIGV4
    )
    for each in permissions:
        if each.resource != "*":
            _, partition, service, region, account, _ = each.resource.split(":", 5)
            assert service == "bedrock-mantle"
            assert region in (scope.regions or ("*",))
            assert account == (scope.account or "*")
            assert (partition == "aws-us-gov") is region.startswith("us-gov-")
