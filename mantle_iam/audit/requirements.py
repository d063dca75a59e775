"""Requirements as code: who must be able to do what, and who must not.

Reads the file's content (already parsed from JSON or YAML) strictly: what it does not know is refused, since a rule with a
misspelt word would guard nothing.  ``schemas/access.schema.json`` says the same for editors.  Judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from mantle_iam.audit.capabilities import CAPABILITIES, Wanted, find_capability
from mantle_iam.errors import InputError
from mantle_iam.iam.grammar import Repeated
from mantle_iam.iam.matching import glob
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import AuthMethod

_MOST_RULES: Final = 1000
_TOP: Final = ("version", "rules", "$schema")
_MEMBERS: Final = (
    "name", "must", "principals", "except", "capabilities", "actions", "projects", "models", "auth", "regions", "reason"
)  # fmt: skip


class Must(StrEnum):
    """What a rule asks for."""

    ALLOW = "allow"
    NOT_ALLOW = "not-allow"


@dataclass(frozen=True, slots=True)
class Rule:
    """One requirement."""

    name: str
    must: Must
    principals: tuple[str, ...]
    """Patterns of ARNs."""
    wanted: Wanted
    exempt: tuple[str, ...] = ()
    reason: str = ""

    def means(self, arn: str) -> bool:
        """Whether it is about the principal with that ARN."""
        return any(glob(one).matches(arn) for one in self.principals) and not any(
            glob(one).matches(arn) for one in self.exempt
        )


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A rule that one principal does not meet, or of which it is not known."""

    principal: str
    what: str
    """Capability or action."""
    auth: str
    project: str
    model: str | None
    region: str
    result: str
    """The decision."""
    told: str
    """JSON text: ``depends_on``, ``decided_by`` and the deciding ``permissions``."""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What became of one rule in one account."""

    matched: int = 0
    failed: int = 0
    undecided: int = 0
    shortfalls: tuple[Shortfall, ...] = ()
    met: tuple[int, ...] = ()
    """Which of the rule's patterns of principals matched somebody, by index."""

    def to_object(self) -> list[Any]:
        """As JSON."""
        listed = [
            [one.principal, one.what, one.auth, one.project, one.model, one.region, one.result, one.told]
            for one in self.shortfalls
        ]
        return [self.matched, self.failed, self.undecided, listed, list(self.met)]

    @classmethod
    def from_object(cls, value: Any) -> RuleResult:
        """What ``to_object`` made."""
        matched, failed, undecided, listed, met = value
        return cls(int(matched), int(failed), int(undecided), tuple(Shortfall(*one) for one in listed), tuple(met))


def read_rules(value: object) -> tuple[Rule, ...]:
    """The rules of a requirements file.

    Raises:
        InputError: it is not one; the message says where.
    """
    if not isinstance(value, Mapping):
        raise _wrong("", "is not an object", "a requirements file has version and rules")
    _known(value, "", _TOP)
    if value.get("version") not in (1, "1"):
        raise _wrong("/version", "is not 1", "write version: 1")
    rules = value.get("rules")
    if not isinstance(rules, list) or not rules:
        raise _wrong("/rules", "is not a list of rules", None)
    if len(rules) > _MOST_RULES:
        raise _wrong("/rules", f"has more than {_MOST_RULES} rules", "split the file")
    found = tuple(_rule(rule, f"/rules/{index}", index) for index, rule in enumerate(rules))
    names = [rule.name for rule in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two rules of the requirements are called `{twice}`", help="give each rule a name of its own")
    _no_contradiction(found)
    return found


def _no_contradiction(rules: tuple[Rule, ...]) -> None:
    """Refuse two rules of which nobody can meet both: one asks for what the other forbids in all its forms."""
    for one in (rule for rule in rules if rule.must is Must.ALLOW):
        for other in (rule for rule in rules if rule.must is Must.NOT_ALLOW):
            what = [*one.wanted.capabilities, *one.wanted.actions]
            both = set(what) & {*other.wanted.capabilities, *other.wanted.actions}
            narrower = (
                (one.wanted.auths, other.wanted.auths),
                (one.wanted.projects, other.wanted.projects),
                (one.wanted.models, other.wanted.models),
                (one.wanted.regions, other.wanted.regions),
                (one.principals, () if "*" in other.principals else other.principals),
            )
            inside = all(not theirs or (ours and set(ours) <= set(theirs)) for ours, theirs in narrower)
            if both and inside and set(other.exempt) <= set(one.exempt):
                raise InputError(
                    f"the rules `{one.name}` and `{other.name}` contradict each other on {min(both)}",
                    help="name in `except` of the second whom the first is about",
                )


def _rule(value: object, at: str, index: int) -> Rule:
    if not isinstance(value, Mapping):
        raise _wrong(at, "is not an object", None)
    _known(value, at, _MEMBERS)
    try:
        must = Must(str(value.get("must")))
    except ValueError:
        help_ = "must: allow, of who has to be able to; must: not-allow, of who has not"
        raise _wrong(f"{at}/must", "is neither allow nor not-allow", help_) from None
    principals = _texts(value, "principals", at)
    if not principals:
        raise _wrong(f"{at}/principals", "names nobody", 'a pattern of ARNs, such as "arn:aws:iam::*:role/app-*"')
    exempt = _texts(value, "except", at)
    for member, patterns in (("principals", principals), ("except", exempt)):
        for pattern in patterns:
            if not may_match(pattern):
                raise _wrong(
                    f"{at}/{member}", f"has `{pattern}`, which matches no ARN", f'write "*/{pattern}" or a whole ARN'
                )
    capabilities = _texts(value, "capabilities", at)
    actions = tuple(name for text in _texts(value, "actions", at) for name in _actions(text, f"{at}/actions"))
    if not capabilities and not actions:
        raise _wrong(at, "names neither capabilities nor actions", None)
    wanted = Wanted(
        tuple(_capability(name, f"{at}/capabilities") for name in capabilities),
        tuple(dict.fromkeys(actions)),
        tuple(_auth(text, f"{at}/auth") for text in _texts(value, "auth", at)),
        tuple(text.removeprefix("project/") for text in _texts(value, "projects", at)),
        _texts(value, "models", at),
        _texts(value, "regions", at),
        any_of=must is Must.NOT_ALLOW,
    )
    name = value.get("name", f"rule {index + 1}")
    reason = value.get("reason", "")
    if not isinstance(name, str) or not name.strip() or not isinstance(reason, str):
        raise _wrong(f"{at}/name", "and reason are texts", None)
    _no_patterns(wanted, must, at)
    return Rule(name, must, principals, wanted, exempt, reason)


def _known(value: Mapping[str, Any], at: str, members: tuple[str, ...]) -> None:
    """Refuse members that are not known, and an object of which only the last of two equal members would count."""
    if isinstance(value, Repeated):
        raise _wrong(f"{at}/{value.keys_twice[0]}", "is there twice", "leave one of them")
    for name in value:
        if name not in members:
            raise _wrong(f"{at}/{name}", "is not known", _did_you_mean(str(name), members))


def _did_you_mean(text: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches

    names = tuple(names)
    near = get_close_matches(text.lower()[:100], names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"


def _capability(text: str, at: str) -> str:
    try:
        return find_capability(text).name
    except InputError:
        raise _wrong(
            at, f"has `{text}`, which is no capability", _did_you_mean(text, (one.name for one in CAPABILITIES))
        ) from None


def may_match(pattern: str) -> bool:
    """Whether an ARN can begin as ``pattern`` does."""
    return all(one in ("?", wanted) for one, wanted in zip(pattern.partition("*")[0], "arn:", strict=False))


def _no_patterns(wanted: Wanted, must: Must, at: str) -> None:
    """Refuse wildcards where they would be asked about as if they were a name, and miss what they seem to cover.

    That every project is allowed can be asked; that none is cannot.
    """
    named = [("models", wanted.models), ("regions", wanted.regions)]
    named += [("projects", wanted.projects)] if must is Must.NOT_ALLOW else []
    for member, texts in named:
        for text in texts:
            if "*" in text or "?" in text:
                raise _wrong(f"{at}/{member}", f"has the pattern `{text}`", "name each; without any, all are meant")


def known_action(text: str) -> str:
    """The action in its usual spelling.

    Raises:
        InputError: the catalogue has no such action.
    """
    known = catalog.known_action(text)
    if known is None:
        near = catalog.nearest_action(text)
        help_ = f"did you mean {near}?" if near else "an action reads service:Name, as in bedrock-mantle:ListModels"
        raise InputError(f"`{text}` is not an action in the data of {catalog.catalog_date()}", help=help_)
    return known.name


def _actions(text: str, at: str) -> tuple[str, ...]:
    """The actions that ``text`` names; a pattern stands for every action that it covers."""
    if "*" in text or "?" in text:
        found = catalog.expand(text)
        if not found:
            raise _wrong(at, f"has `{text}`, which covers no action", None)
        return found
    try:
        return (known_action(text),)
    except InputError as error:
        raise _wrong(at, error.message, error.help) from None


def _auth(text: str, at: str) -> AuthMethod:
    try:
        return AuthMethod(text)
    except ValueError:
        raise _wrong(at, f"has `{text}`", _did_you_mean(text, map(str, AuthMethod))) from None


def _texts(value: Mapping[str, Any], name: str, at: str) -> tuple[str, ...]:
    found = value.get(name, [])
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise _wrong(f"{at}/{name}", "is neither a text nor a list of texts", None)
    return tuple(dict.fromkeys(text.strip() for text in texts))


def _wrong(at: str, what: str, help_: str | None) -> InputError:
    return InputError(f"the requirements at `{at or '/'}`: {what}", help=help_)
