"""IAM Identity Center for tests: moto's, and what it lacks.  ``python moto_sso.py PORT`` serves it.

Added: permission sets' ARNs as AWS has them, boundaries, accounts that have a set and whether theirs is the latest, and
provisioning that takes its time.  The description of a permission set says how its provisioning goes: ``slow``, ``broken``,
``never``; else it has ended at the second question.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from moto.moto_api._internal import mock_random
from moto.ssoadmin.exceptions import ResourceNotFoundException
from moto.ssoadmin.models import PermissionSet, SSOAdminBackend
from moto.ssoadmin.responses import SSOAdminResponse

QUESTIONS = {"slow": 4, "never": 10_000}


def _arn(instance_arn: str) -> str:
    before, _, instance = instance_arn.partition(":instance/")
    return f"{before}:permissionSet/{instance}/ps-{mock_random.get_random_string(length=16).lower()}"


def _content(found: PermissionSet) -> tuple[Any, ...]:
    return (found.inline_policy, tuple(p.arn for p in found.managed_policies), len(found.customer_managed_policies))


def _set_of(response: SSOAdminResponse) -> PermissionSet:
    arns = (response._get_param("InstanceArn"), response._get_param("PermissionSetArn"))
    return response.ssoadmin_backend._find_permission_set(*arns)


def _create_account_assignment(self: SSOAdminBackend, *given: Any, **named: Any) -> dict[str, Any]:
    answer = _ASSIGN(self, *given, **named)
    found = self._find_permission_set(answer_instance(given, named), answer["PermissionSetArn"])
    # A set is written into the role of an account when it is first assigned there.
    found.__dict__.setdefault("written", {})[answer["TargetId"]] = _content(found)
    return answer


def answer_instance(given: tuple[Any, ...], named: dict[str, Any]) -> str:
    return str(named.get("instance_arn") or given[0])


def _accounts(self: SSOAdminResponse) -> str:
    found = _set_of(self)
    written: dict[str, Any] = found.__dict__.get("written", {})
    wanted = self._get_param("ProvisioningStatus")
    latest = {account: content == _content(found) for account, content in written.items()}
    accounts = [a for a, is_latest in sorted(latest.items()) if not wanted or is_latest == ("_NOT_" not in wanted)]
    return json.dumps({"AccountIds": accounts})


def _provision(self: SSOAdminResponse) -> str:
    found = _set_of(self)
    if not found.__dict__.get("written"):
        raise ResourceNotFoundException("the permission set is assigned to no account")
    request = str(mock_random.uuid4())
    _RUNNING[request] = [QUESTIONS.get(found.description, 1), found]
    return json.dumps({"PermissionSetProvisioningStatus": {"RequestId": request, "Status": "IN_PROGRESS"}})


def _status(self: SSOAdminResponse) -> str:
    request = self._get_param("ProvisionPermissionSetRequestId")
    if request not in _RUNNING:
        raise ResourceNotFoundException(f"no such request {request}")
    left, found = _RUNNING[request]
    _RUNNING[request][0] = left - 1
    answer: dict[str, Any] = {"RequestId": request, "Status": "IN_PROGRESS"}
    if left <= 0 and found.description == "broken":
        answer |= {"Status": "FAILED", "FailureReason": "Received a 404 status error: policy x does not exist."}
    elif left <= 0:
        found.__dict__["written"] = dict.fromkeys(found.__dict__["written"], _content(found))
        answer["Status"] = "SUCCEEDED"
    return json.dumps({"PermissionSetProvisioningStatus": answer})


def _boundary(self: SSOAdminResponse) -> str:
    boundary = _set_of(self).__dict__.get("boundary")
    if boundary is None:
        raise ResourceNotFoundException("no permissions boundary")
    return json.dumps({"PermissionsBoundary": boundary})


def _put_boundary(self: SSOAdminResponse) -> str:
    _set_of(self).__dict__["boundary"] = self._get_param("PermissionsBoundary")
    return "{}"


_RUNNING: dict[str, list[Any]] = {}
_ASSIGN = SSOAdminBackend.create_account_assignment
_ADDED = {
    "list_accounts_for_provisioned_permission_set": _accounts,
    "provision_permission_set": _provision,
    "describe_permission_set_provisioning_status": _status,
    "get_permissions_boundary_for_permission_set": _boundary,
    "put_permissions_boundary_to_permission_set": _put_boundary,
}


def teach_moto() -> None:
    """Put the operations where moto keeps its own."""
    PermissionSet.generate_id = staticmethod(_arn)  # type: ignore[method-assign]
    SSOAdminBackend.create_account_assignment = _create_account_assignment  # type: ignore[method-assign]
    for name, operation in _ADDED.items():
        setattr(SSOAdminResponse, name, operation)


if __name__ == "__main__":
    from moto_iam import serve

    teach_moto()
    serve(int(sys.argv[1]))
