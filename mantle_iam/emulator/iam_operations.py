"""IAM operations that moto has not, or not whole: long-term keys, users' boundaries, session policies by ARN.

``teach_moto`` puts them where moto keeps its own operations, so that requests are parsed and answers written by botocore's
models as for all others.  Importing this imports moto: only ``iam_api.py`` does, when a server starts.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html
"""

from __future__ import annotations

from typing import Any

from moto.core.errors import COMMON_ERROR_CODES
from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import DeleteConflictException, IAMException, LimitExceededException, NoSuchEntity
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse
from moto.sts.responses import TokenResponse

from mantle_iam.emulator.service_credentials import BEDROCK, MAX_AGE_DAYS, PER_USER, STORE, Stored
from mantle_iam.errors import MantleIamError
from mantle_iam.iam.arn import Arn


class _NotSupportedServiceError(IAMException):
    code = "NotSupportedService"


class _InvalidInputError(IAMException):
    code = "InvalidInput"


class _AccessDeniedError(IAMException):
    code = "AccessDenied"


def _find(response: Any) -> Stored:
    name = response._get_param("UserName")
    wanted = response._get_param("ServiceSpecificCredentialId")
    for stored in STORE.of(response.current_account, name):
        if stored.id == wanted:
            return stored
    raise NoSuchEntity(f"The service specific credential {wanted} cannot be found.")


def create_service_specific_credential(response: Any) -> ActionResult:
    """A new long-term key, shown this once."""
    service = response._get_param("ServiceName")
    if service != BEDROCK:
        raise _NotSupportedServiceError(f"No such service {service} is supported.")
    user = response.backend.get_user(response._get_param("UserName"))
    age = response._get_param("CredentialAgeDays")
    days = None if age is None else int(age)
    if days is not None and not 1 <= days <= MAX_AGE_DAYS:
        raise _InvalidInputError(f"CredentialAgeDays must be between 1 and {MAX_AGE_DAYS}.")
    if len(STORE.of(response.current_account, user.name)) >= PER_USER:
        raise LimitExceededException(f"Cannot exceed quota for ServiceSpecificCredentialsPerUser: {PER_USER}")
    stored = STORE.create(response.current_account, user.name, days)
    return ActionResult({"ServiceSpecificCredential": stored.shown(secret=True)})


def list_service_specific_credentials(response: Any) -> ActionResult:
    """The keys of one user, or of all."""
    name = response._get_param("UserName")
    if name:
        response.backend.get_user(name)
    found = STORE.of(response.current_account, name)
    if response._get_param("ServiceName") not in (None, BEDROCK):
        found = []
    return ActionResult({"ServiceSpecificCredentials": [s.shown(secret=False) for s in found], "IsTruncated": False})


def update_service_specific_credential(response: Any) -> Any:
    """Activate or deactivate."""
    _find(response).status = response._get_param("Status")
    return EmptyResult()


def delete_service_specific_credential(response: Any) -> Any:
    """Delete."""
    STORE.remove(_find(response))
    return EmptyResult()


def reset_service_specific_credential(response: Any) -> ActionResult:
    """A new secret for the same id; the old one ends."""
    stored = _find(response)
    stored.renew()
    return ActionResult({"ServiceSpecificCredential": stored.shown(secret=True)})


def put_user_permissions_boundary(response: Any) -> Any:
    """Set a user's boundary."""
    arn = response._get_param("PermissionsBoundary")
    response.backend.get_policy(arn)
    user = response.backend.get_user(response._get_param("UserName"))
    user.permissions_boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    return EmptyResult()


def delete_user_permissions_boundary(response: Any) -> Any:
    """Take a user's boundary away."""
    user = response.backend.get_user(response._get_param("UserName"))
    if not hasattr(user, "permissions_boundary"):
        raise NoSuchEntity(f"The user with name {user.name} has no permissions boundary.")
    del user.permissions_boundary
    return EmptyResult()


_delete_user = IamResponse.delete_user
_create_user = IamResponse.create_user
_assume_role = TokenResponse.assume_role


def delete_user(response: Any) -> Any:
    """As moto does, but not while the user has keys."""
    if STORE.of(response.current_account, response._get_param("UserName")):
        raise DeleteConflictException("Cannot delete entity, must delete service specific credentials first.")
    return _delete_user(response)


def create_user(response: Any) -> Any:
    """As moto does, and with the boundary asked for."""
    result = _create_user(response)
    if response._get_param("PermissionsBoundary"):
        put_user_permissions_boundary(response)
    return result


def assume_role(response: Any) -> Any:
    """As moto does, for roles that exist, and keeping the managed session policies."""
    arn = response._get_param("RoleArn")
    if not _role_exists(arn):
        # AWS does not tell a missing role from a trust policy that does not allow the caller.
        raise _AccessDeniedError(f"User is not authorized to perform: sts:AssumeRole on resource: {arn}")
    result: Any = _assume_role(response)
    session = result.result["Credentials"]
    session.managed_session_policies = [item["arn"] for item in response._get_param("PolicyArns", [])]
    return result


def _role_exists(text: str) -> bool:
    try:
        arn = Arn.parse(text)
        iam_backends[arn.account][arn.partition].get_role_by_arn(text)
    except (MantleIamError, IAMException, KeyError):
        return False
    return True


_IAM = (
    create_service_specific_credential,
    list_service_specific_credentials,
    update_service_specific_credential,
    delete_service_specific_credential,
    reset_service_specific_credential,
    put_user_permissions_boundary,
    delete_user_permissions_boundary,
    delete_user,
    create_user,
)
_STS = (assume_role,)


def teach_moto() -> None:
    """Give moto the operations; doing it again changes nothing."""
    if _AccessDeniedError.code not in COMMON_ERROR_CODES:
        # It is in no service's model, and moto warns about what is neither there nor here.
        COMMON_ERROR_CODES.append(_AccessDeniedError.code)
    for operation in _IAM:
        setattr(IamResponse, operation.__name__, operation)
    for operation in _STS:
        setattr(TokenResponse, operation.__name__, operation)
