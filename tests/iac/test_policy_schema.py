"""Every JSON output is a policy by ``schemas/policy.schema.json``."""

from __future__ import annotations

import copy
import json
from importlib.metadata import version

import jsonschema
import pytest
from corpus import CASES, Case, template
from harness import Tools

from mantle_iam import bundled
from mantle_iam.generate.artifact import Artifact
from mantle_iam.generate.render import render
from mantle_iam.iam.policy import PolicyDocument

DOCUMENTS = [
    pytest.param(document, id=f"{case.id}-{index}")
    for case in CASES
    for index, document in enumerate((*case.artifact.documents, *case.artifact.permissions))
]
VALIDATOR = jsonschema.Draft202012Validator(bundled.schema("policy"))


@pytest.mark.parametrize("name", ["json", "json-min"])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_json_is_a_policy_by_the_schema(name: str, document: PolicyDocument, tools: Tools) -> None:
    VALIDATOR.validate(json.loads(render(Artifact((document,)), name, template)))
    tools.checked("jsonschema", version("jsonschema"))


@pytest.mark.parametrize("path", ["Effect", "Action", "Resource"])
def test_the_schema_finds_a_planted_error(path: str) -> None:
    case: Case = CASES[0]
    good = json.loads(render(case.artifact, "json", template))
    bad = copy.deepcopy(good)
    bad["Statement"][0][path] = {"x": 1}
    assert VALIDATOR.is_valid(good)
    assert not VALIDATOR.is_valid(bad)
