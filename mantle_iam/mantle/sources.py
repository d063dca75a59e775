"""How a fact about the service is known, and the pages that the tables of this floor cite again and again."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Source(StrEnum):
    """How a fact is known: AWS documentation, somebody's real log, a released package's source, an inference."""

    DOC = "DOC"
    OBS = "OBS"
    PKG = "PKG"
    INF = "INF"


USER_GUIDE: Final = "https://docs.aws.amazon.com/bedrock/latest/userguide/"
ENDPOINTS: Final = USER_GUIDE + "endpoints.html"
REGIONS: Final = USER_GUIDE + "endpoints-region-availability.html"
CLOUDTRAIL: Final = USER_GUIDE + "logging-cloudtrail-mantle.html"
MODEL_ACCESS: Final = USER_GUIDE + "model-access.html"
DATA_RETENTION: Final = USER_GUIDE + "data-retention.html"
API_KEY_PERMISSIONS: Final = USER_GUIDE + "api-keys-permissions.html"
TAGGING: Final = USER_GUIDE + "tagging.html"
PROJECT_SECURITY: Final = USER_GUIDE + "security-iam-projects.html"
COUNT_TOKENS: Final = USER_GUIDE + "count-tokens.html"
AGENTS_API: Final = USER_GUIDE + "bedrock-managed-agents-openai-api-reference.html"
AGENTS_SECURITY: Final = USER_GUIDE + "bedrock-managed-agents-openai-security.html"
SERVICE_AUTHORIZATION: Final = (
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html"
)
SAMPLES: Final = "https://github.com/aws-samples/sample-per-model-bedrock"
"""AWS sample notebooks with the service's answers committed."""
PROBE_NOTES: Final = (
    "https://github.com/c2hans/aws-docs/blob/main/.claude/agent-memory/aws-vuln-hunter/reference_bedrock-mantle-bma.md"
)
"""A security researcher's notes of live probes (October 2026): careful, not official, a single observer."""
