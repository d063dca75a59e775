"""The little that evaluation itself has to know about particular services, as data.

Nothing here names an action's meaning or a resource type; catalogues belong to higher floors.
"""

from __future__ import annotations

RCP_SERVICES: frozenset[str] = frozenset(
    {
        "aoss",
        "appconfig",
        "appstream",
        "autoscaling",
        "autoscaling-plans",
        "budgets",
        "clouddirectory",
        "cloudfront",
        "cloudsearch",
        "cloudtrail-data",
        "codeartifact",
        "codebuild",
        "codecommit",
        "codepipeline",
        "cognito-identity",
        "cognito-idp",
        "comprehend",
        "comprehendmedical",
        "compute-optimizer",
        "cost-optimization-hub",
        "dax",
        "dsql",
        "dynamodb",
        "ecr",
        "ecr-public",
        "events",
        "firehose",
        "fis",
        "fms",
        "gamelift",
        "health",
        "inspector-scan",
        "kendra",
        "kinesisvideo",
        "kms",
        "logs",
        "memorydb",
        "networkmonitor",
        "notifications",
        "opensearch",
        "pca-connector-ad",
        "personalize",
        "polly",
        "pricing",
        "resource-groups",
        "rolesanywhere",
        "s3",
        "secretsmanager",
        "servicediscovery",
        "signin",
        "sqs",
        "sts",
        "support",
        "swf",
        "textract",
        "timestream-influxdb",
        "transcribe",
        "transfer",
        "translate",
        "wafv2",
        "workspaces",
        "xray",
    }
)
"""Prefixes of the services whose actions a resource control policy can restrict, as of September 2026.

Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html#rcp-supported-services
"""

RCP_EXEMPT_ACTIONS: frozenset[str] = frozenset({"kms:retiregrant"})
"""Same page, "Resources and entities not restricted by RCPs"."""

CONTESTED_KEYS: dict[str, dict[str, str]] = {
    # Two field reports say that the key is never populated on these calls, one that it is: it counts as unknown
    # unless the request gives it.
    "bedrock-mantle": {"aws:requestedregion": "aws:RequestedRegion"},
}
"""Context keys, by service prefix, of which it is disputed whether the service sends them: lower case to usual spelling."""
