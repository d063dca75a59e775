"""Every capability against the documented routes and permissions, written down by hand; and every route and action against the
capabilities, so that a new one is not forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.audit.capabilities import CAPABILITIES, Wanted, make_sheet
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import AuthMethod, match_operation, operation_named, operations

TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("capability_routes.json").read_text("utf-8"))
ROWS: dict[str, dict[str, Any]] = TABLE["capabilities"]
MODEL = "openai.gpt-oss-120b"


def route(text: str) -> Any:
    method, path = text.split(" ", 1)
    return match_operation(method, path)


def asked(name: str, auth: AuthMethod, model: str | None = None) -> dict[str, Any]:
    """The permissions of a capability's only cell: action and resource's last part, and which of them name the model."""
    sheet = make_sheet((Wanted((name,), auths=(auth,), models=(model,) if model else ()),), "aws")
    (index,) = sheet.parts[0]
    needs = [sheet.needs[need] for need in sheet.cells[index].needs]
    return {
        "permissions": [f"{one.action.removeprefix('bedrock-mantle:')} {one.resource.split(':')[-1]}" for one in needs],
        "model": [one.action.removeprefix("bedrock-mantle:") for one in needs if one.model is not None],
        "points": {one.action.removeprefix("bedrock-mantle:"): len(one.points) for one in needs},
    }


def test_the_table_has_every_capability() -> None:
    assert [*ROWS] == [one.name for one in CAPABILITIES]


@pytest.mark.parametrize("name", ROWS)
def test_routes_and_permissions(name: str) -> None:
    row = ROWS[name]
    (capability,) = (one for one in CAPABILITIES if one.name == name)
    assert [f"{one.method} {one.path}" for one in map(operation_named, capability.operations) if one] == row["routes"]
    assert list(map(str, capability.auths)) == row.get("auths", ["sigv4"])
    assert asked(name, AuthMethod.SIGV4)["permissions"] == row["permissions"]
    assert asked(name, AuthMethod.SIGV4, MODEL)["model"] == row.get("model", [])
    assert capability.models is bool(row.get("model"))
    # What stands for others needs what these need.
    always = {need.action for one in row["routes"] for need in route(one).actions if need.when is None}
    for other in row.get("alike", ()):
        assert {need.action for need in route(other).actions if need.when is None} <= always, other


@pytest.mark.parametrize("auth", [AuthMethod.SHORT_TERM_KEY, AuthMethod.LONG_TERM_KEY])
@pytest.mark.parametrize("name", ROWS)
def test_a_key_needs_its_permission_beside_every_other(name: str, auth: AuthMethod) -> None:
    found = asked(name, auth)
    if not ROWS[name]["routes"]:
        # IAM takes signed calls only.
        assert found["permissions"] == ROWS[name]["permissions"]
        return
    assert found["permissions"] == ["CallWithBearerToken *", *ROWS[name]["permissions"]]
    assert {action: count for action, count in found["points"].items() if count != 2} == {"CallWithBearerToken": 1}


def test_every_route_is_asked_about_or_known_not_to_be() -> None:
    told = {one for row in ROWS.values() for one in (*row["routes"], *row.get("alike", ()))}
    alone: dict[str, str] = TABLE["asked by --action alone"]
    known = {f"{one.method} {one.path}" for one in operations() if not one.preview}
    assert {*told, *alone} == known
    assert {one: route(one).action.partition(":")[2] for one in alone} == alone


def test_every_action_is_asked_about_or_known_not_to_be() -> None:
    told = {permission.split()[0] for row in ROWS.values() for permission in row["permissions"]}
    rest = {*TABLE["asked by --action alone"].values(), *TABLE["no route"], *TABLE["by circumstance"]}
    actions = {one.name.partition(":")[2] for one in catalog.actions() if not one.preview}
    assert {one for one in told if ":" not in one} | rest == actions
