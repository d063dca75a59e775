"""No false alarm: what ``generate`` makes is clean, and so is what is common and right (``clean.json``).

Those documents are written after the examples of AWS's documentation, its managed policies and its guidance on data perimeters.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from lint_tables import named_documents

from mantle_iam.audit.lint.engine import Settings, lint_policy
from mantle_iam.generate.artifact import Artifact, Kind
from mantle_iam.generate.kinds import assemble
from mantle_iam.generate.least_privilege import least_privilege
from mantle_iam.generate.presets import PURPOSES, permissions_for
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import NamedPolicy, Purpose
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.mantle.scope import Scope

KINDS = Path(__file__).resolve().parents[2] / "generate" / "kinds"
PURPOSE_OF = {
    Kind.SCP: Purpose.SCP,
    Kind.BOUNDARY: Purpose.BOUNDARY,
    Kind.SESSION: Purpose.SESSION,
    Kind.VPC_ENDPOINT: Purpose.VPC_ENDPOINT,
    Kind.TRUST: Purpose.TRUST,
}
SCOPES = {
    "anywhere": Scope(),
    "narrow": Scope(
        account="111122223333",
        regions=("us-east-1", "us-gov-west-1"),
        projects=("default", "proj_abc"),
        models=("anthropic.claude-sonnet-5", "openai.gpt-oss-120b"),
    ),
    "by tag": Scope(project_tags=(("team", "search"),), tiers=("flex",)),
}


def wishes() -> Any:
    """The tables of the tests of ``generate``, and how they are read."""
    spec = importlib.util.spec_from_file_location("kind_wishes_for_lint", KINDS / "kind_wishes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WISHES = wishes()


def worse_than_info(document: PolicyDocument, purpose: Purpose, auth: AuthMethod | None = None) -> list[str]:
    found = lint_policy(NamedPolicy("p", document, purpose), Settings(auth))
    return [f"{each.rule}: {each.message}" for each in found if each.severity != "info"]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("purpose", PURPOSES, ids=lambda purpose: purpose.name)
def test_policies_for_purposes(purpose: Any, scope: str) -> None:
    for auth in (AuthMethod.SIGV4, AuthMethod.LONG_TERM_KEY):
        document = least_privilege(permissions_for(purpose, auth, SCOPES[scope])).document
        assert worse_than_info(document, Purpose.IDENTITY, auth) == []


@pytest.mark.parametrize("case", WISHES.table("kinds.json"), ids=lambda case: case["name"])
def test_kinds(case: dict[str, Any]) -> None:
    made: Artifact = assemble(WISHES.read_wish(case["wish"])).artifact
    for document in made.documents:
        assert worse_than_info(document, PURPOSE_OF.get(made.kind, Purpose.IDENTITY)) == []
    for document in made.permissions:
        assert worse_than_info(document, Purpose.IDENTITY) == []


@pytest.mark.parametrize("case", [pytest.param(case, id=case.why) for case in named_documents("clean.json")])
def test_what_is_common_and_right(case: Any) -> None:
    assert [f"{each.rule}: {each.message}" for each in case.found() if each.severity != "info"] == []


def test_every_managed_policy_of_aws() -> None:
    """Some 1,600 documents that AWS wrote, for whatever service (moto's copy): no warning in any."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    policies = json.loads(aws_managed_policies_data)
    assert len(policies) > 1_500
    wrong = []
    for name, entry in policies.items():
        arn = f"arn:aws:iam::aws:policy{entry['Path']}{name}"
        found = lint_policy(NamedPolicy(name, parse_policy(entry["Document"]), arn=arn))
        wrong += [(name, each.rule, each.message) for each in found if each.severity != "info"]
    assert wrong == []
