"""Policies in the form that evaluation walks: per layer and action, the statements that name the action.

Documents are compiled once and kept by identity, with a strong reference beside the key so that an identity is never that
of a later object; the tables are emptied when full.  Statements about other services cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from mantle_iam.iam.action import Action
from mantle_iam.iam.conditions import CompiledCondition, Context
from mantle_iam.iam.kleene import Truth, any_of, negate
from mantle_iam.iam.matching import AnyOf, Glob, Part, Variable, expand, glob, parse_variables
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.iam.request import Documents, PolicySet, PolicyType, StatementRef

VARIABLES_SINCE = "2012-10-17"
_MAX_DOCUMENTS, _MAX_SETS, _MAX_ACTIONS = 8192, 2048, 2048


class ResourcePatterns:
    """The patterns of a ``Resource`` or ``NotResource`` element; variables are put in when asked."""

    __slots__ = ("_templates", "fixed")

    def __init__(self, patterns: tuple[str, ...], variables: bool) -> None:
        fixed: list[str] = []
        templates: list[tuple[Part, ...]] = []
        for pattern in patterns:
            if variables and "${" in pattern:
                templates.append(parse_variables(pattern))
            else:
                fixed.append(pattern)
        self.fixed = AnyOf(fixed)
        self._templates = tuple(templates)

    def cover(self, resource: str, context: Context) -> Truth:
        """Whether one of the patterns covers ``resource``."""
        if self.fixed.matches(resource):
            return True
        return (
            any_of(self._expanded(parts, resource, context) for parts in self._templates) if self._templates else False
        )

    @staticmethod
    def _expanded(parts: tuple[Part, ...], resource: str, context: Context) -> Truth:
        def lookup(key: str) -> str | frozenset[str] | None:
            value = context.get(key.lower(), key)
            return None if isinstance(value, tuple) else value

        tokens = expand(parts, lookup)
        if tokens is None:
            return False  # "a policy variable with no value will not match any resource"
        if isinstance(tokens, frozenset):
            # What is fixed before the first variable may rule it out already.
            wild = Glob([part if not isinstance(part, Variable) else (True, "*") for part in parts])
            return tokens if wild.matches(resource) else False
        return Glob(tokens).matches(resource)


class CompiledStatement:
    """A statement whose patterns are compiled."""

    __slots__ = ("conditions", "deny", "index", "not_resources", "resources", "statement", "unrestricted")

    def __init__(self, statement: Statement, index: int, variables: bool) -> None:
        self.statement = statement
        self.index = index
        self.deny = statement.effect is Effect.DENY
        self.resources = ResourcePatterns(statement.resources, variables) if statement.resources else None
        self.not_resources = ResourcePatterns(statement.not_resources, variables) if statement.not_resources else None
        self.conditions = tuple([CompiledCondition(condition, variables) for condition in statement.conditions])
        self.unrestricted = not self.conditions and self.resources is not None and self.resources.fixed.everything
        """Whether it applies to every request that it names the action of (and the principal, where it has one)."""

    def names(self, action: str) -> bool:
        """Whether ``Action`` or ``NotAction`` covers the lower-case ``action``."""
        return _names(self.statement, action)

    def covers(self, resource: str, context: Context) -> Truth:
        """Whether ``Resource`` or ``NotResource`` covers ``resource``.  ``False`` when the statement has neither."""
        if self.resources is not None:
            return self.resources.cover(resource, context)
        if self.not_resources is not None:
            return negate(self.not_resources.cover(resource, context))
        return False


def _names(statement: Statement, action: str) -> bool:
    if statement.actions:
        return any(_covers_action(pattern, action) for pattern in statement.actions)
    return not any(_covers_action(pattern, action) for pattern in statement.not_actions)


def _covers_action(pattern: str, action: str) -> bool:
    pattern = pattern.lower()
    return pattern == action or (("*" in pattern or "?" in pattern) and glob(pattern).matches(action))


class CompiledDocument:
    """A document's statements, indexed by the service prefix that they name; compiled when first a candidate."""

    __slots__ = ("_any_service", "_by_action", "_by_service", "_compiled", "_document")

    def __init__(self, document: PolicyDocument) -> None:
        self._document = document
        self._compiled: dict[int, CompiledStatement] = {}
        self._by_action: dict[str, tuple[CompiledStatement, ...]] = {}
        self._any_service: list[int] = []
        self._by_service: dict[str, list[int]] = {}
        for index, statement in enumerate(document.statements):
            services = {_service_of(pattern) for pattern in statement.actions} or {None}
            if None in services:
                self._any_service.append(index)
            else:
                for service in services:
                    self._by_service.setdefault(service or "", []).append(index)

    def statements(self) -> tuple[CompiledStatement, ...]:
        """All of them, in their order."""
        return tuple(self._compile(index) for index in range(len(self._document.statements)))

    def naming(self, action: str) -> tuple[CompiledStatement, ...]:
        """The statements that name the lower-case ``action``, in their order."""
        found = self._by_action.get(action)
        if found is None:
            candidates = sorted([*self._by_service.get(action.partition(":")[0], ()), *self._any_service])
            found = tuple(
                [self._compile(index) for index in candidates if _names(self._document.statements[index], action)]
            )
            if len(self._by_action) >= _MAX_ACTIONS:
                self._by_action.clear()
            self._by_action[action] = found
        return found

    def _compile(self, index: int) -> CompiledStatement:
        compiled = self._compiled.get(index)
        if compiled is None:
            variables = self._document.version == VARIABLES_SINCE
            compiled = CompiledStatement(self._document.statements[index], index, variables)
            self._compiled[index] = compiled
        return compiled


def _service_of(pattern: str) -> str | None:
    """The one service that an action pattern names, or ``None`` when a wildcard may name several."""
    service = pattern.partition(":")[0].lower()
    return None if "*" in service or "?" in service else service


_documents: dict[int, tuple[PolicyDocument, CompiledDocument]] = {}


def compile_document(document: PolicyDocument) -> CompiledDocument:
    """The compiled form of ``document``; the same object is compiled once."""
    entry = _documents.get(id(document))
    if entry is not None and entry[0] is document:
        return entry[1]
    compiled = CompiledDocument(document)
    if len(_documents) >= _MAX_DOCUMENTS:
        _documents.clear()
    _documents[id(document)] = (document, compiled)
    return compiled


@dataclass(frozen=True, slots=True)
class Candidate:
    """A statement that names the action, and where it stands."""

    statement: CompiledStatement
    ref: StatementRef


Level = tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one action has to pass: per layer the candidate statements; ``None`` where the layer is not in force."""

    action: str
    """Lower case."""
    service: str
    identity: Level
    permissions_boundary: Level | None
    session: Level | None
    scp: tuple[Level, ...] | None
    rcp: tuple[Level, ...] | None
    vpc_endpoint: Level | None
    resource: Level | None


class CompiledSet:
    """The plans of one ``PolicySet``, made when an action is first asked for."""

    __slots__ = ("_plans", "_policies")

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies
        self._plans: dict[str, Plan] = {}

    def plan(self, action: str) -> Plan:
        """The plan for ``action`` in any spelling.  Raises ``InputError`` when it is not an action."""
        plan = self._plans.get(action)
        if plan is None:
            parsed = Action.parse(action)
            plan = self._make(parsed.folded, parsed.service.lower())
            if len(self._plans) >= _MAX_ACTIONS:
                self._plans.clear()
            self._plans[action] = plan
        return plan

    def _make(self, action: str, service: str) -> Plan:
        policies = self._policies

        def level(documents: Documents, kind: PolicyType, at: int | None = None) -> Level:
            return tuple(
                Candidate(statement, StatementRef(kind, index, statement.index, statement.statement.sid, at))
                for index, document in enumerate(documents)
                for statement in compile_document(document).naming(action)
            )

        def layer(documents: Documents | None, kind: PolicyType) -> Level | None:
            return None if documents is None else level(documents, kind)

        def levels(stack: tuple[Documents, ...] | None, kind: PolicyType) -> tuple[Level, ...] | None:
            return None if stack is None else tuple(level(documents, kind, at) for at, documents in enumerate(stack))

        return Plan(
            action,
            service,
            level(policies.identity, PolicyType.IDENTITY),
            layer(policies.permissions_boundary, PolicyType.PERMISSIONS_BOUNDARY),
            layer(policies.session, PolicyType.SESSION),
            levels(policies.scp, PolicyType.SCP),
            levels(policies.rcp, PolicyType.RCP),
            layer(policies.vpc_endpoint, PolicyType.VPC_ENDPOINT),
            layer(policies.resource, PolicyType.RESOURCE),
        )


_sets: dict[int, tuple[PolicySet, CompiledSet]] = {}


def compile_set(policies: PolicySet) -> CompiledSet:
    """The compiled form of ``policies``; the same object is compiled once."""
    entry = _sets.get(id(policies))
    if entry is not None and entry[0] is policies:
        return entry[1]
    compiled = CompiledSet(policies)
    if len(_sets) >= _MAX_SETS:
        _sets.clear()
    _sets[id(policies)] = (policies, compiled)
    return compiled
