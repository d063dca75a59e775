"""What Terraform code says alone, and what the plan of the same code says: they agree, or one of them says that it does not know.

Each folder of ``terraform_modules`` is a module and the plan that Terraform made of it with the AWS provider
(``tests/iac/terraform/module_plans.py`` makes them again).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mantle_iam.collect.dump_reader import Gathered
from mantle_iam.collect.files import read_inputs
from mantle_iam.collect.own_account import UNKNOWN_ACCOUNT
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.inventory import UNRESOLVED_KEY, InputStatus, NamedPolicy, Principal
from mantle_iam.iam.policy import PolicyDocument, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType
from mantle_iam.workflow.audit_inputs import managed_documents

MODULES = Path(__file__).parent / "terraform_modules"
NAMES = sorted(folder.name for folder in MODULES.iterdir())
KNOWN = {"documents", "idioms", "json", "layers", "loops", "modules"}
"""Modules of which the code and the plan know everything."""
PARTIAL = {"doubtful": (True, True), "pointing": (True, True), "unknowns": (False, True)}
"""Modules of which something stays unknown: whether to the code, and whether to the plan."""
ACTIONS = ("CreateInference", "ListModels", "GetModel", "DeleteProject", "CallWithBearerToken")
ALLOW = '{ Statement = [{ Effect = "Allow", Action = "bedrock-mantle:*", Resource = "*" }] }'
PROJECTS = ("default", "prod", "one", "n1", "y")


def both(name: str, folder: Path) -> tuple[Gathered, Gathered]:
    copy = folder / name
    shutil.copytree(MODULES / name, copy, ignore=shutil.ignore_patterns("plan.json"))
    managed = managed_documents()
    return read_inputs([str(copy)], managed=managed), read_inputs([str(MODULES / name / "plan.json")], managed=managed)


def principals(found: Gathered) -> dict[str, Principal]:
    """By ARN, in whichever account: a plan need not know the document that names it."""
    return {
        principal.arn.replace(account.id, UNKNOWN_ACCOUNT): principal
        for account in found.accounts
        for principal in account.principals
    }


def decision(principal: Principal, action: str, project: str) -> Decision:
    resource = f"arn:aws:bedrock-mantle:us-east-1:111122223333:project/{project}"
    request = AuthorizationRequest(
        "arn:aws:iam::111122223333:role/any",
        f"bedrock-mantle:{action}",
        (resource,),
        unknown_context=frozenset({UNRESOLVED_KEY}),
        context={"bedrock-mantle:Model": ("openai.gpt-oss-20b",)},
    )
    identity = tuple(policy.document for policy in principal.identity)
    return evaluate(request, PolicySet(identity=identity, unknown=principal.unknown)).decision


def meaning(document: PolicyDocument) -> list[tuple[object, ...]]:
    """A document without the order of its lists, which the provider sorts."""
    return [_meaning(statement) for statement in document.statements]


def _meaning(statement: Statement) -> tuple[object, ...]:
    lists = (statement.actions, statement.not_actions, statement.resources, statement.not_resources)
    conditions = sorted((str(c.operator), c.key, sorted(c.values)) for c in statement.conditions)
    return (statement.sid, statement.effect, *(sorted(each) for each in lists), str(statement.principals), conditions)


def bound(principal: Principal) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for policy in principal.identity:
        found.setdefault(policy.name, []).append(meaning(policy.document))
    return found


def unresolved(principal: Principal) -> bool:
    return bool(principal.unknown) or any(policy.unresolved for policy in principal.identity)


@pytest.mark.parametrize("name", NAMES)
def test_code_and_plan_agree(name: str, tmp_path: Path) -> None:
    code, plan = (principals(found) for found in both(name, tmp_path))
    assert set(code) == set(plan)
    settled = 0
    for arn, planned in plan.items():
        read = code[arn]
        for action in ACTIONS:
            for project in PROJECTS:
                one, other = decision(read, action, project), decision(planned, action, project)
                settled += Decision.UNKNOWN not in (one, other)
                assert one is other or Decision.UNKNOWN in (one, other), (arn, action, project)
        if not unresolved(read) and not unresolved(planned):
            assert bound(read) == bound(planned)
        assert (read.trust is None) == (planned.trust is None)
        if read.trust is not None and planned.trust is not None:
            assert meaning(read.trust.document) == meaning(planned.trust.document)
        assert (read.boundary and read.boundary.name) == (planned.boundary and planned.boundary.name)
        assert [key.expiry_known for key in read.keys or ()] == [key.expiry_known for key in planned.keys or ()]
    assert settled > 0 or not plan


@pytest.mark.parametrize("name", [name for name in NAMES if name != "pointing"])
def test_what_the_account_and_the_organization_get_is_the_same(name: str, tmp_path: Path) -> None:
    def layers(found: Gathered) -> list[str]:
        endpoints = [policy for account in found.accounts for policy in account.endpoints]
        return sorted(str((p.name, p.purpose, meaning(p.document))) for p in (*endpoints, *_of_code(found)))

    code, plan = both(name, tmp_path)
    assert layers(code) == layers(plan)


def _of_code(found: Gathered) -> list[NamedPolicy]:
    """Documents that bind nobody; without those of plain files, which the code takes up."""
    return [policy for policy in found.policies if policy.place.address]


def test_policies_of_endpoints_for_other_services_bind_nobody(tmp_path: Path) -> None:
    for found in both("layers", tmp_path):
        names = [policy.name for account in found.accounts for policy in account.endpoints]
        assert names == ["aws_vpc_endpoint.e", "aws_vpc_endpoint_policy.p"]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_nothing_is_unknown_that_the_code_says(name: str, tmp_path: Path) -> None:
    for found in both(name, tmp_path):
        assert {one.status for one in found.inputs} == {InputStatus.READ}, found.inputs
        assert not any(map(unresolved, principals(found).values()))


@pytest.mark.parametrize(("name", "expected"), sorted(PARTIAL.items()))
def test_what_stays_unknown_is_said(name: str, expected: tuple[bool, bool], tmp_path: Path) -> None:
    partial = tuple(any(one.status is InputStatus.PARTIAL for one in found.inputs) for found in both(name, tmp_path))
    assert partial == expected


def test_what_is_given_to_nobody_knows_whom_is_missing_from_those_it_may_be(tmp_path: Path) -> None:
    expected = {"each-a": (), "each-b": (), "one": (1,), "other": (1,), "third": (), "numbers": (1,)}
    code, plan = both("pointing", tmp_path)
    for found, changed in ((code, {}), (plan, {"third": (1,)})):
        unknown = {arn.rpartition("/")[2]: bool(one.unknown) for arn, one in principals(found).items()}
        assert unknown == {name: bool(value) for name, value in {**expected, **changed}.items()}
    for role in ("each-a", "each-b"):
        arn = f"arn:aws:iam::000000000000:role/{role}"
        assert all(
            decision(principals(found)[arn], "CreateInference", "one") is Decision.ALLOWED for found in (code, plan)
        )


def test_what_is_marked_as_sensitive_is_nowhere(tmp_path: Path) -> None:
    for found in both("pointing", tmp_path):
        assert "never-shown" not in repr(found)
    assert "never-shown" in (MODULES / "pointing" / "plan.json").read_text("utf-8")


def test_a_plan_beside_its_code_is_completed_by_it(tmp_path: Path) -> None:
    """``jsonencode`` of a new key's ARN is nothing at all in the plan, and one unknown resource in the code."""
    alone = read_inputs([str(MODULES / "unknowns" / "plan.json")])
    role = "arn:aws:iam::000000000000:role/j"
    assert PolicyType.IDENTITY in principals(alone)[role].unknown
    shutil.copytree(MODULES / "unknowns", tmp_path / "unknowns")
    found = read_inputs([str(tmp_path / "unknowns")])
    assert {one.status for one in found.inputs} == {InputStatus.READ}, found.inputs
    assert sum(len(account.principals) for account in found.accounts) == 2  # not those of the code as well
    (policy,) = principals(found)[role].identity
    assert decision(principals(found)[role], "CreateInference", "default") is Decision.ALLOWED
    assert policy.place.path.endswith("main.tf")


def test_a_plan_is_completed_wherever_its_code_is_named(tmp_path: Path) -> None:
    shutil.copytree(MODULES / "unknowns", tmp_path / "m")
    plan, module = tmp_path / "m" / "plan.json", tmp_path / "m"
    found = read_inputs([str(plan), str(module)])
    assert [one.path for one in found.inputs][:2] == [str(plan), str(module)]
    assert {one.status for one in found.inputs} == {InputStatus.READ}, found.inputs


def test_a_module_that_is_read_before_its_caller_is_not_partial(tmp_path: Path) -> None:
    inner, outer = str(tmp_path / "modules" / "app"), str(tmp_path / "root")
    for folder, text in (
        (inner, 'variable "p" {}\nresource "aws_iam_policy" "p" {\n  name   = "p"\n  policy = var.p\n}\n'),
        (outer, f'module "m" {{\n  source = "../modules/app"\n  p      = jsonencode({ALLOW})\n}}\n'),
    ):
        Path(folder).mkdir(parents=True)
        Path(folder, "main.tf").write_text(text, "utf-8")
    (alone,) = read_inputs([inner]).inputs
    assert alone.status is InputStatus.PARTIAL
    for order in ([inner, outer], [outer, inner]):
        found = read_inputs(order)
        assert {one.status for one in found.inputs} == {InputStatus.READ}, found.inputs
        assert any("another module or template calls it" in problem for one in found.inputs for problem in one.problems)


def test_the_arn_of_a_new_resource_of_another_service_matters_to_nobody(tmp_path: Path) -> None:
    """``Deny`` of everything, on what is below a bucket that is not there yet."""
    for found in both("unknowns", tmp_path):
        (role,) = [each for each in principals(found).values() if "app-" in each.arn]
        assert decision(role, "CreateInference", "default") is Decision.ALLOWED


def test_a_name_that_aws_chooses_begins_with_its_prefix(tmp_path: Path) -> None:
    for found in both("unknowns", tmp_path):
        assert "arn:aws:iam::000000000000:role/app-aws_iam_role.r" in principals(found)


def test_a_plan_with_other_variables_is_not_completed(tmp_path: Path) -> None:
    shutil.copytree(MODULES / "unknowns", tmp_path / "unknowns")
    (tmp_path / "unknowns" / "variables.tf").write_text('variable "a" {\n  default = "x"\n}\n', "utf-8")
    plan = tmp_path / "unknowns" / "plan.json"
    for value, completed in (("x", True), ("y", False)):
        text = (MODULES / "unknowns" / "plan.json").read_text("utf-8")
        plan.write_text(text.replace("{", f'{{"variables": {{"a": {{"value": "{value}"}}}},', 1), "utf-8")
        found = read_inputs([str(tmp_path / "unknowns")])
        assert (sum(len(account.principals) for account in found.accounts) == 2) is completed
