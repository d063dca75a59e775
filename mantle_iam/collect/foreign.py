"""Files of other tools, as they lie beside policies: told by their content, so that a folder of them is no error.

Only what cannot be a policy, a template or anything else that is read here, by keys that its own format demands, and only where
no policy stands in it: manifests of AWS Controllers for Kubernetes and of Crossplane declare some, and are not read.
Sources: https://aws-controllers-k8s.github.io/community/reference/ (``iam.services.k8s.aws``);
https://marketplace.upbound.io/providers/upbound/provider-aws-iam (``iam.aws.upbound.io``; before, ``iam.aws.crossplane.io``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mantle_iam.collect.fields import holds_policy, text
from mantle_iam.collect.places import TextError

_MARKS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("a Kubernetes manifest", frozenset({"apiVersion", "kind"})),
    ("a GitHub workflow", frozenset({"on", "jobs"})),
    ("a GitHub action", frozenset({"runs", "description"})),
    ("a Compose file", frozenset({"services"})),
    ("an npm package", frozenset({"name", "version", "dependencies"})),
    ("an OpenAPI document", frozenset({"openapi", "paths"})),
    ("a JSON schema", frozenset({"$schema", "type"})),
    ("parameters of a template (`--parameter` gives them)", frozenset({"ParameterKey", "ParameterValue"})),
)
_OURS = frozenset({"Statement", "PolicyDocument", "Resources", "Document", "Content"})


def foreign(value: object) -> str:
    """What else a value is; empty where that is not known.

    Raises:
        TextError: it is known, and a policy stands in it, or it is an IAM resource.
    """
    if not isinstance(value, Mapping) or _OURS & set(value):
        return ""
    name = next((name for name, keys in _MARKS if keys <= set(value)), "")
    version = text(value, "apiVersion") if name else ""
    # Other clouds have an `iam.` of their own.
    if name and (("iam." in version and "aws" in version) or holds_policy(value)):
        what = "an IAM resource of a Kubernetes controller" if "iam." in version else f"{name} that holds a policy"
        raise TextError(f"{what}, which is not read: give the policy document in a file of its own, or a dump")
    return name
