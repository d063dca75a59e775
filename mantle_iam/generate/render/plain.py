"""The document alone, as JSON."""

from __future__ import annotations

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact
from mantle_iam.generate.render.engine import Format, TemplateSource
from mantle_iam.iam.grammar import policy_json


def _json(artifact: Artifact, _: TemplateSource) -> str:
    return _text(artifact, 2)


def _json_min(artifact: Artifact, _: TemplateSource) -> str:
    return _text(artifact, None)


def _text(artifact: Artifact, indent: int | None) -> str:
    if len(artifact.documents) != 1:
        raise InputError(
            f"the policy needs {len(artifact.documents)} documents, and JSON holds one",
            help=f"print one at a time with --part 1 … --part {len(artifact.documents)}, or use --format terraform",
        )
    return policy_json(artifact.document, indent=indent) + "\n"


JSON = Format(_json)
JSON_MIN = Format(_json_min)
