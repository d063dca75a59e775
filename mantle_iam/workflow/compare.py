"""What a comparison of policies takes from outside of the policy language: shipped managed policies, actions that exist.

Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html
"""

from __future__ import annotations

from collections.abc import Iterable

from mantle_iam import bundled
from mantle_iam.iam.compare import Comparison, compare
from mantle_iam.iam.grammar import parse_printed_policy
from mantle_iam.iam.policy import PolicyDocument

_MOST_SERVICES = 12
"""Reading the catalogue of a service takes time; a witness needs few."""
_OF_OTHER_SERVICES = ("iam:PassRole", "s3:GetObject", "sts:AssumeRole", "ec2:DescribeInstances", "kms:Decrypt")
"""Actions that exist, for witnesses beyond the services that the documents name."""
_ARN_PREFIX = ":policy/"


def managed_document(name: str) -> PolicyDocument | None:
    """The shipped document of an AWS managed policy, by name or ARN; ``None`` when it is not shipped."""
    folder = bundled.policies() / "managed"
    _, prefix, rest = name.rpartition(_ARN_PREFIX)
    wanted = rest.rpartition("/")[2] if prefix else name
    found = next((path for path in sorted(folder.glob("*.json")) if path.stem == wanted), None)
    if found is None:
        return None
    import json

    document: object = json.loads(found.read_text("utf-8"))["document"]
    return parse_printed_policy(json.dumps(document))


def managed_names() -> tuple[str, ...]:
    """The names that ``managed_document`` knows."""
    return tuple(sorted(path.stem for path in (bundled.policies() / "managed").glob("*.json")))


def compare_documents(old: tuple[PolicyDocument, ...], new: tuple[PolicyDocument, ...]) -> Comparison:
    """``compare`` with what the catalogue says of the services that the documents name."""
    from mantle_iam.mantle import catalog

    services = _services((*old, *new))
    actions = tuple(info.name for service in services for info in catalog.actions(service))
    single = frozenset(
        key.name for service in services for key in catalog.service_condition_keys(service) if not key.multivalued
    )
    return compare(old, new, actions=(*actions, *_OF_OTHER_SERVICES), single_valued=single)


def _services(documents: Iterable[PolicyDocument]) -> tuple[str, ...]:
    """Service prefixes that are spelled out in the documents; the service of Mantle where a wildcard stands for any."""
    from mantle_iam.mantle.catalog import SERVICE, has_service

    found: dict[str, None] = {}
    for document in documents:
        for statement in document.statements:
            for pattern in (*statement.actions, *statement.not_actions):
                service = pattern.partition(":")[0].lower()
                found.setdefault(SERVICE if "*" in service or "?" in service else service)
                if len(found) > _MOST_SERVICES:
                    break
    ordered = sorted(found, key=lambda service: service != SERVICE)
    return tuple(service for service in ordered[:_MOST_SERVICES] if has_service(service))
