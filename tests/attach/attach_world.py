"""What the tests of this folder share beside fixtures."""

from __future__ import annotations

import json
from typing import Any

ACCOUNT = "123456789012"
INFERENCE = "arn:aws:iam::aws:policy/AmazonBedrockMantleInferenceAccess"


def document(*actions: str, resource: str = "*", effect: str = "Allow", **more: Any) -> str:
    """A policy of one statement as JSON text."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
