"""A document as the rules look at it: which Mantle actions each statement names, what its conditions ask, what it reaches.

Computes, judges nothing.  What is asked of the catalogue again and again is remembered by pattern; patterns that are longer
than any action's or resource's name are not, so that hostile input fills no memory.

Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from types import MappingProxyType
from typing import Final, NamedTuple

from mantle_iam.iam.conditions import FOR_ALL_VALUES, FOR_ANY_VALUE, OperatorForm, read_operator
from mantle_iam.iam.inventory import UNRESOLVED, NamedPolicy
from mantle_iam.iam.language import meet, plain
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import Condition, Effect, Statement
from mantle_iam.mantle import catalog
from mantle_iam.mantle.catalog import ConditionKey
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.mantle.overlay import BEARER_ACTION, RUNTIME_BEARER_ACTION, SERVICE

_LONGEST: Final = 512
_FIELDS: Final = 6
MODEL_SERVICE: Final = "bedrock"
_TAG_KEYS: Final = ("aws:resourcetag/", "aws:requesttag/")
_WILD: Final = frozenset("*?")


class Pattern(NamedTuple):
    """One entry of ``Action`` or ``NotAction``."""

    text: str
    pointer: str
    names: tuple[str, ...]
    """Actions of Mantle that it covers, in their usual spelling."""
    ours: bool
    """Whether its prefix means Mantle, and not just every service (``names_service``)."""
    exact: bool
    """Whether it has no wildcard."""


@dataclass(frozen=True, slots=True)
class ConditionView:
    """One operator and key of a ``Condition`` block."""

    condition: Condition
    key: str
    """In lower case."""
    form: OperatorForm | None
    pointer: str

    @property
    def operator(self) -> str:
        """The base operator, ``Null`` included; empty for none that IAM knows."""
        if self.form is None:
            return ""
        return "Null" if self.form.operator is None else self.form.operator.name

    @property
    def negated(self) -> bool:
        """Whether it is a `...Not...` operator."""
        return self.form is not None and self.form.operator is not None and self.form.operator.negated

    @property
    def needs_key(self) -> bool:
        """Whether it cannot hold for a request without the key."""
        if self.form is None:
            return True
        if self.form.operator is None:
            return all(value.lower() == "false" for value in self.condition.values)
        return not self.form.if_exists and self._qualified_needs()

    def _qualified_needs(self) -> bool:
        assert self.form is not None  # noqa: S101 - asked by needs_key only
        if self.form.qualifier == FOR_ALL_VALUES:
            return False
        return self.form.qualifier == FOR_ANY_VALUE or not self.negated


class StatementView:
    """One statement."""

    __slots__ = (
        "_names",
        "_reached",
        "conditions",
        "index",
        "patterns",
        "pointer",
        "speaks_of_mantle",
        "statement",
        "unresolved",
    )

    def __init__(self, index: int, statement: Statement, unresolved: tuple[str, ...]) -> None:
        self.index, self.statement = index, statement
        self.pointer = f"/Statement/{index}"
        self.unresolved = any(
            _within(pointer, self.pointer) or _within(self.pointer, pointer) for pointer in unresolved
        )
        """Whether something in it is not known, so that what is missing may be there."""
        element = "Action" if statement.actions else "NotAction"
        self.patterns = tuple(
            Pattern(text, f"{self.pointer}/{element}/{at}", *_of_pattern(text))
            for at, text in enumerate(statement.actions or statement.not_actions)
        )
        self.conditions = tuple(
            ConditionView(
                each,
                each.key.lower(),
                read_operator(each.operator),
                f"{self.pointer}/Condition/{_escape(each.operator)}/{_escape(each.key)}",
            )
            for each in statement.conditions
        )
        self.speaks_of_mantle = bool(statement.actions) and any(pattern.ours for pattern in self.patterns)
        """Whether an entry of ``Action`` names the service itself, and not only a ``*`` for everything."""
        self._names: frozenset[str] | None = None
        self._reached: dict[str, bool] = {}

    @property
    def allow(self) -> bool:
        """Whether its effect is Allow."""
        return self.statement.effect is Effect.ALLOW

    @property
    def names(self) -> frozenset[str]:
        """Every action of Mantle that it applies to, by ``Action`` or ``NotAction``."""
        if self._names is None:
            listed = frozenset(name for pattern in self.patterns for name in pattern.names)
            self._names = listed if self.statement.actions else every_name() - listed
        return self._names

    @property
    def any_resource(self) -> bool:
        """Whether it applies to a request on ``*``, which has no resource."""
        if self.statement.not_resources:
            return not any(_is_star(pattern) for pattern in self.statement.not_resources)
        return not self.statement.resources or any(_is_star(pattern) for pattern in self.statement.resources)

    def covers(self, action: str) -> bool:
        """Whether the action element covers ``action`` of whatever service."""
        folded = action.lower()
        listed = any(glob(pattern.text.lower()).matches(folded) for pattern in self.patterns)
        return listed if self.statement.actions else not listed

    def reaches(self, name: str) -> bool:
        """Whether the resource element can apply to a request for Mantle's action ``name`` at all."""
        kinds = resource_kinds(name)
        if not kinds:
            return self.any_resource
        return any(self.reaches_kind(kind) for kind in kinds)

    def reaches_kind(self, kind: str) -> bool:
        """Whether the resource element can apply to a resource of the type ``kind`` of Mantle."""
        if self.statement.not_resources or not self.statement.resources:
            return True
        reached = self._reached.get(kind)
        if reached is None:
            reached = self._reached[kind] = any(overlaps(pattern, kind) for pattern in self.statement.resources)
        return reached

    def alive(self, name: str) -> bool:
        """Whether it can apply to a request for ``name``: named, on its resource, no condition that never holds."""
        return (
            name in self.names
            and self.reaches(name)
            and not any(each.needs_key and carries(name, each.key) is False for each in self.conditions)
        )


class View:
    """One document, what it is for, and how its principal authenticates if that was said."""

    __slots__ = ("_allowing", "auth", "granting", "policy", "purpose", "resolved", "statements")

    def __init__(self, policy: NamedPolicy, auth: AuthMethod | None = None) -> None:
        self.policy, self.purpose, self.auth = policy, policy.purpose, auth
        harmful = _harmful(policy)
        self.resolved = not harmful
        """Whether everything that counts in the document is known, so that what is not there is really missing."""
        self.statements = tuple(
            StatementView(index, statement, harmful) for index, statement in enumerate(policy.document.statements)
        )
        self.granting = tuple(each for each in self.statements if each.allow and each.names)
        """The statements that allow something of Mantle."""
        self._allowing: dict[str, tuple[tuple[StatementView, ...], ...]] = {}

    @property
    def known(self) -> Iterator[StatementView]:
        """The statements of which everything is known."""
        return (statement for statement in self.statements if not statement.unresolved)

    @property
    def names_mantle(self) -> bool:
        """Whether some statement names the service."""
        return any(each.speaks_of_mantle for each in self.statements)

    def allows(self, name: str, *, but: StatementView | None = None) -> bool:
        """Whether statements other than ``but`` can allow Mantle's action ``name``, under whatever further conditions.

        An action on two types of resource has to be allowed on both.
        """
        found = self._allowing.get(name)
        if found is None:
            alive = [each for each in self.granting if each.alive(name)]
            kinds = required_kinds(name)
            # Of whichever statement is left out, two tell whether there is another.
            found = self._allowing[name] = (
                tuple(alive[:2]),
                *(tuple(islice((each for each in alive if each.reaches_kind(kind)), 2)) for kind in kinds),
            )
        return all(any(each is not but for each in two) for two in found)


def listed(pointer: str) -> str:
    """A pointer into a document with ``Statement`` as a list, which it need not be in the text."""
    head = "/Statement/"
    if not pointer.startswith(head) or pointer[len(head) : len(head) + 1].isdigit():
        return pointer
    return f"{head}0/{pointer[len(head) :]}"


def _harmful(policy: NamedPolicy) -> tuple[str, ...]:
    """The pointers to what is not known, but for parts of ARNs: a region or account that is not known stands for any."""
    found = []
    for pointer in map(listed, policy.unresolved):
        _, _, index, element, *_ = [*pointer.split("/"), "", "", ""]
        if element in ("Resource", "NotResource") and index.isascii() and index.isdigit() and len(index) < 9:
            statements = policy.document.statements[int(index) : int(index) + 1]
            patterns = [
                each for one in statements for each in (*one.resources, *one.not_resources) if UNRESOLVED in each
            ]
            if patterns and all(each.startswith("arn:") for each in patterns):
                continue
        found.append(pointer)
    return tuple(found)


def _within(pointer: str, owner: str) -> bool:
    return pointer == owner or pointer.startswith(owner + "/") or owner == ""


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _is_star(pattern: str) -> bool:
    return bool(pattern) and not pattern.strip("*")


@cache
def every_name() -> frozenset[str]:
    """Every action of Mantle."""
    return frozenset(info.name for info in catalog.actions())


def names_service(pattern: str) -> bool:
    """Whether the prefix of an action pattern means Mantle (``bedrock-mantle:…``, ``bedrock*:…``), and not just every service."""
    service, colon, _ = pattern.strip().lower().partition(":")
    if service == SERVICE or not colon or _is_star(service) or len(service) > _LONGEST:
        return service == SERVICE and bool(colon)
    return not _WILD.isdisjoint(service) and glob(service).matches(SERVICE)


def spells_service(pattern: str) -> bool:
    """Whether an action pattern spells out Mantle's service prefix."""
    return pattern.strip().lower().startswith(SERVICE + ":")


def _of_pattern(text: str) -> tuple[tuple[str, ...], bool, bool]:
    """The actions of Mantle that an action pattern covers, sorted; whether it names the service; whether it is exact."""
    return _told_of.__wrapped__(text) if len(text) > _LONGEST else _told_of(text)


@lru_cache(maxsize=4096)
def _told_of(pattern: str) -> tuple[tuple[str, ...], bool, bool]:
    return _mantle_names(pattern), names_service(pattern), _WILD.isdisjoint(pattern)


def _mantle_names(pattern: str) -> tuple[str, ...]:
    service, colon, _ = pattern.lower().partition(":")
    if not colon:
        return tuple(sorted(every_name())) if _is_star(service) else ()
    if service != SERVICE and (_WILD.isdisjoint(service) or not glob(service).matches(SERVICE)):
        return ()
    return catalog.expand(pattern)


@lru_cache(maxsize=256)
def resource_kinds(name: str) -> tuple[str, ...]:
    """The types of resource that Mantle's action ``name`` works on; none for one that takes only ``*``."""
    info = catalog.known_action(name)
    return () if info is None else tuple(use.name for use in info.resource_types)


@lru_cache(maxsize=256)
def required_kinds(name: str) -> tuple[str, ...]:
    """Those without which it is refused."""
    info = catalog.known_action(name)
    return () if info is None else tuple(use.name for use in info.resource_types if use.required)


@lru_cache(maxsize=256)
def is_preview(name: str) -> bool:
    """Whether the reference does not have the action yet: of its keys and resources little is known."""
    info = catalog.known_action(name)
    return info is None or info.preview


def carries(name: str, key: str) -> bool | None:
    """Whether a request for ``name`` carries the condition key ``key`` (lower case); ``None`` where that is not known.

    Known are the keys of the service, those of its neighbour (which never come along) and the keys of tags.
    """
    folded = name.lower()
    if folded not in (BEARER_ACTION.lower(), RUNTIME_BEARER_ACTION.lower()) and not folded.startswith(SERVICE + ":"):
        return None
    if is_preview(name) or len(key) > _LONGEST:
        return None
    if not key.startswith((f"{SERVICE}:", f"{MODEL_SERVICE}:", *_TAG_KEYS)) and key != "aws:tagkeys":
        return None
    if folded == RUNTIME_BEARER_ACTION.lower() and not key.startswith((f"{SERVICE}:", f"{MODEL_SERVICE}:")):
        return None
    if key.startswith(SERVICE + ":") and key not in service_keys():
        return None  # another rule's: no such key
    for prefix in _TAG_KEYS:
        if key.startswith(prefix):
            key = prefix + "${tagkey}"
    return key in _keys(name)


@cache
def service_keys() -> Mapping[str, ConditionKey]:
    """The condition keys that Mantle has or uses, by their name in lower case."""
    return MappingProxyType({key.name.lower(): key for key in catalog.service_condition_keys()})


@lru_cache(maxsize=256)
def _keys(name: str) -> frozenset[str]:
    return frozenset(key.lower() for key in catalog.condition_keys(name))


def overlaps(pattern: str, kind: str) -> bool:
    """Whether a resource pattern can cover a resource of the type ``kind`` of Mantle; true where that is too much to decide."""
    if _is_star(pattern) or len(pattern) > _LONGEST:
        return True
    # Most are ARNs of another service, each its own, which would only displace what is remembered.
    head, partition, service, *_ = [*pattern.split(":", 3), "", ""]
    if head == "arn" and _literal(partition) and _literal(service) and service != SERVICE:
        return False
    return _overlaps(pattern, kind)


def _literal(field: str) -> bool:
    return field.replace("-", "").isalnum()


@lru_cache(maxsize=4096)
def _overlaps(pattern: str, kind: str) -> bool:
    text = without_variables(pattern)
    fields = text.split(":")
    if len(fields) > _FIELDS:
        return False  # an ARN of the service has no more colons, and a wildcard takes none away
    if len(fields) < _FIELDS:
        # A wildcard runs over colons, so that the fields do not correspond.
        return _meets(text, f"arn:?*:{SERVICE}:?*:?*:{kind}/?*")
    wanted = ("arn", "?*", SERVICE, "?*", "?*", f"{kind}/?*")
    return all(_meets(field, other) for field, other in zip(fields, wanted, strict=True))


def _meets(one: str, other: str) -> bool:
    found, exact = meet(plain(one), plain(other))
    return bool(found) or not exact


def without_variables(pattern: str) -> str:
    """Every ``${…}`` as ``*``: a variable may stand for anything."""
    head, *rest = pattern.split("${")
    pieces = [head]
    for piece in rest:
        inside, end, after = piece.partition("}")
        pieces.append("*" + after if end else "${" + inside)
    return "".join(pieces)


def service_of(pattern: str) -> str:
    """The service field of a resource pattern; empty where it has none."""
    text = pattern[:_LONGEST]
    fields = (without_variables(text) if "${" in text else text).split(":", 3)
    return fields[2].lower() if len(fields) > 3 and fields[0] == "arn" else ""
