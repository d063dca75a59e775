"""Permission sets in a running ``moto_sso.py``."""

from __future__ import annotations

import json
from typing import Any

ACCOUNTS = ("111122223333", "444455556666")
KEYS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "example"}


def client(url: str, service: str = "sso-admin") -> Any:
    """A client that asks once."""
    import boto3
    from botocore.config import Config

    config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", config=config, **KEYS)


def emptied(admin: Any) -> str:
    """The ARN of the instance, which has no permission set any more."""
    arn: str = admin.list_instances()["Instances"][0]["InstanceArn"]
    for found in admin.list_permission_sets(InstanceArn=arn)["PermissionSets"]:
        admin.delete_permission_set(InstanceArn=arn, PermissionSetArn=found)
    return arn


class PermissionSet:
    """A permission set in the server."""

    def __init__(
        self, admin: Any, instance: str, name: str, *, description: str = "", accounts: tuple[str, ...] = ()
    ) -> None:
        self.admin = admin
        more = {"Description": description} if description else {}
        made = admin.create_permission_set(Name=name, InstanceArn=instance, **more)
        self.arn = made["PermissionSet"]["PermissionSetArn"]
        self.owner = {"InstanceArn": instance, "PermissionSetArn": self.arn}
        for account in accounts:
            admin.create_account_assignment(
                **self.owner, TargetId=account, TargetType="AWS_ACCOUNT", PrincipalType="GROUP", PrincipalId="a" * 36
            )

    def put(self, text: str) -> None:
        """Somebody puts an inline policy."""
        self.admin.put_inline_policy_to_permission_set(**self.owner, InlinePolicy=text)

    @property
    def inline(self) -> Any:
        """The inline policy that it has."""
        text = self.admin.get_inline_policy_for_permission_set(**self.owner)["InlinePolicy"]
        return json.loads(text) if text else None

    @property
    def managed(self) -> list[str]:
        """ARNs of its managed policies."""
        found = self.admin.list_managed_policies_in_permission_set(**self.owner)["AttachedManagedPolicies"]
        return [policy["Arn"] for policy in found]

    def describe(self, description: str) -> None:
        """How its provisioning goes (``moto_sso``)."""
        self.admin.update_permission_set(**self.owner, Description=description)

    def mend(self) -> None:
        """Its provisioning goes well from now on."""
        self.describe("mended")

    @property
    def outdated(self) -> list[str]:
        """The accounts whose role is not what the set says."""
        status = "LATEST_PERMISSION_SET_NOT_PROVISIONED"
        found = self.admin.list_accounts_for_provisioned_permission_set(**self.owner, ProvisioningStatus=status)
        return list(found["AccountIds"])
