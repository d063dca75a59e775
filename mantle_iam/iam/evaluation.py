"""AWS's policy evaluation: may this principal do this action on these resources, and what decided?

Reads top to bottom as AWS documents it: an explicit Deny anywhere; resource control policies; service control policies; VPC
endpoint policy; resource-based policies; identity-based policies; permissions boundary; session policies.  Unknown context
keys and unreadable layers are carried along in Kleene's logic, so that a decision is given whenever they cannot change
whether the request is allowed.  Knows no service beyond ``services.py``, no network, no clock.

Sources, all below https://docs.aws.amazon.com/IAM/latest/UserGuide/:
reference_policies_evaluation-logic_policy-eval-denyallow.html, reference_policies_evaluation-logic-cross-account.html,
reference_policies_elements_notprincipal.html; for SCPs and RCPs
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html and
.../orgs_manage_policies_rcps.html; for endpoints https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, TypeVar

from mantle_iam.iam.arn import Arn
from mantle_iam.iam.compiled import Candidate, CompiledStatement, Level, Plan, compile_set
from mantle_iam.iam.context import RequestContext
from mantle_iam.iam.kleene import Truth, all_of, any_of
from mantle_iam.iam.principals import Caller, CallerKind, Grant, excepts, grant_of, is_account, read_caller
from mantle_iam.iam.request import (
    AuthorizationRequest,
    Decision,
    EvaluationResult,
    PolicySet,
    PolicyType,
    StatementRef,
)
from mantle_iam.iam.services import RCP_EXEMPT_ACTIONS, RCP_SERVICES

_ORDER = {kind: index for index, kind in enumerate(PolicyType)}
_Item = TypeVar("_Item")
WITH_PRINCIPAL = (PolicyType.RESOURCE, PolicyType.VPC_ENDPOINT, PolicyType.RCP)
"""Layers whose statements name principals; in the others the element means nothing."""
_NO_ACCOUNT_POLICIES = (CallerKind.ANONYMOUS, CallerKind.SERVICE)


def evaluate(request: AuthorizationRequest, policies: PolicySet) -> EvaluationResult:
    """Decide ``request`` under ``policies``.

    ``allowed``, ``explicitDeny`` and ``implicitDeny`` are certain; ``unknown`` says in ``depends_on`` on what it hangs.
    Filling in what is unknown never turns ``allowed`` or ``explicitDeny`` into anything else, and never lets an
    ``implicitDeny`` become allowed: it can at most turn out to be an explicit deny as well (``undecided`` names the
    statement; an unreadable layer might always hold one).

    Raises:
        InputError: the principal is none, or the action is not ``service:Name``.
    """
    plan = compile_set(policies).plan(request.action)
    caller = read_caller(request.principal, request.issuer)
    results = [
        SingleEvaluation(request, policies, plan, caller, resource).run() for resource in request.resources or ("*",)
    ]
    return results[0] if len(results) == 1 else _every(results)


class Layer(NamedTuple):
    """What one layer says: ``deny`` and ``allow``, and the statements that say it."""

    kind: PolicyType
    deny: Truth = False
    allow: Truth = False
    denied_by: tuple[StatementRef, ...] = ()
    allowed_by: tuple[StatementRef, ...] = ()
    direct: Truth = False
    """Resource-based policies: an Allow for the user or session itself, or for everybody."""
    limited: Truth = False
    """... for the role or user behind the session."""


class SingleEvaluation:
    """One principal, one action, one resource: ``run`` decides; ``near_miss.py`` asks the same predicates one by one."""

    def __init__(
        self, request: AuthorizationRequest, policies: PolicySet, plan: Plan, caller: Caller, resource: str
    ) -> None:
        self.action = request.action
        self.policies = policies
        self.plan = plan
        self.caller = caller
        self.resource = resource
        owner = request.resource_account or account_of(resource) or caller.account
        self.resource_account = owner
        self.same_account = caller.account is None or owner is None or owner == caller.account
        self.context = RequestContext(request.context, request.unknown_context, caller, plan.service, owner)
        management = request.management_account or self.context.given("aws:principalorgmasteraccountid")
        self.management_account = management if isinstance(management, str) else None
        self.management_unknown = management if isinstance(management, frozenset) else None
        self.undecided: list[StatementRef] = []

    def run(self) -> EvaluationResult:
        """Evaluate every layer, then combine them in AWS's order."""
        rcp = self._resource_control()
        scp = self._service_control()
        endpoint = self._restricting(PolicyType.VPC_ENDPOINT, self.plan.vpc_endpoint)
        resource = self._resource_based()
        identity = self._identity()
        boundary = self._restricting(PolicyType.PERMISSIONS_BOUNDARY, self.plan.permissions_boundary)
        session = self._restricting(PolicyType.SESSION, self.plan.session)
        layers = (identity, boundary, session, scp, rcp, endpoint, resource)

        # "If the enforcement code finds even one explicit deny that applies, [it] returns a final decision of Deny."
        deny = any_of([layer.deny for layer in layers])
        account = self._account_side(identity, boundary, session, resource)
        allow = all_of((rcp.allow, scp.allow, endpoint.allow, account))
        if deny is True:
            decision = Decision.EXPLICIT_DENY
        elif allow is False:
            decision = Decision.IMPLICIT_DENY
        elif allow is True and deny is False:
            return self._allowed(layers)
        else:
            depends_on = frozenset().union(*(truth for truth in (allow, deny) if isinstance(truth, frozenset)))
            return self._result(Decision.UNKNOWN, depends_on=tuple(sorted(depends_on)))
        return self._result(decision, self._determining(layers, deny), self._withheld(layers))

    # The layers

    def _resource_control(self) -> Layer:
        """RCPs of the resource owner.  They only deny: RCPFullAWSAccess, which "can't be detached", always allows."""
        exempt = (
            self.plan.service not in RCP_SERVICES
            or self.plan.action in RCP_EXEMPT_ACTIONS
            or self.resource == "*"
            or self.caller.service_linked
            or (self.management_account is not None and self.resource_account == self.management_account)
        )
        if exempt:
            return _OPEN_RCP
        return self._unless_management(self._stack(PolicyType.RCP, self.plan.rcp)._replace(allow=True))

    def _service_control(self) -> Layer:
        """SCPs of the principal's account: every level from root to account has to allow."""
        exempt = (
            self.caller.kind in _NO_ACCOUNT_POLICIES
            or self.caller.service_linked
            or (self.management_account is not None and self.caller.account == self.management_account)
        )
        return _OPEN_SCP if exempt else self._unless_management(self._stack(PolicyType.SCP, self.plan.scp))

    def _unless_management(self, layer: Layer) -> Layer:
        """The layer, or none of it: which of the two, when it is not known what the management account is."""
        unknown = self.management_unknown
        if unknown is None or (layer.deny is False and layer.allow is True):
            return layer
        self.undecided.extend(layer.denied_by)
        deny, allow = any_of((layer.deny, unknown)), all_of((layer.allow, unknown))
        return layer._replace(
            deny=False if layer.deny is False else unknown if deny is True else deny,
            allow=True if layer.allow is True else unknown if allow is False else allow,
            denied_by=(),
        )

    def _stack(self, kind: PolicyType, levels: tuple[Level, ...] | None) -> Layer:
        layer = _OPEN_SCP if kind is PolicyType.SCP else _OPEN_RCP
        if levels is not None:
            judged = [self._judge(kind, level) for level in levels]
            layer = Layer(
                kind,
                any_of([one.deny for one in judged]),
                all_of([one.allow for one in judged]),
                tuple([ref for one in judged for ref in one.denied_by]),
                tuple([ref for one in judged for ref in one.allowed_by]),
            )
        if self._unreadable(kind):
            # A level that could not be read may deny, or fail to allow.
            blurred = _blurred(layer)
            return blurred._replace(allow=all_of((blurred.allow, frozenset({kind.value}))))
        return layer

    def _identity(self) -> Layer:
        """Policies of the user and its groups, or of the role.  "The AWS account root user ... has full access"."""
        kind = PolicyType.IDENTITY
        if self.caller.kind is CallerKind.ROOT:
            return _OPEN_IDENTITY
        layer = self._judge(kind, self.plan.identity)
        if self._unreadable(kind) and self.caller.kind not in _NO_ACCOUNT_POLICIES:
            return _blurred(layer)
        return layer

    def _restricting(self, kind: PolicyType, level: Level | None) -> Layer:
        """Permissions boundary, session policy, VPC endpoint policy: all when it is not in force, else what it names.

        An endpoint's policy has principals, like a resource-based one.
        """
        if level is None and not self.policies.unknown and self.caller.kind is not CallerKind.FEDERATED_USER:
            return _OPEN_BY_KIND[kind]
        if kind is not PolicyType.VPC_ENDPOINT and self.caller.kind in (*_NO_ACCOUNT_POLICIES, CallerKind.ROOT):
            return _OPEN_BY_KIND[kind]  # neither is attached to these principals
        if level is None:
            if self._unreadable(kind):
                return Layer(kind, deny=frozenset({kind.value}), allow=frozenset({kind.value}))
            # Without a session policy a federated user has only what resource-based policies give him directly.
            federated = kind is PolicyType.SESSION and self.caller.kind is CallerKind.FEDERATED_USER
            return Layer(kind, allow=not federated)
        layer = self._judge(kind, level)
        return _blurred(layer) if self._unreadable(kind) else layer

    def _resource_based(self) -> Layer:
        """The resource's own policy; how closely it names the principal matters within one account."""
        kind = PolicyType.RESOURCE
        unknown = self._unreadable(kind)
        if self.plan.resource is None and not unknown:
            return _NO_RESOURCE_POLICY
        level = self.plan.resource or ()
        whole = self._judge(kind, level)
        # "within the same account, resource-based policies impact policy evaluation differently depending on ... the
        # principal that is allowed": the same statements once more, by how closely they name the principal.
        by_grant: dict[Grant, list[Truth]] = {grant: [frozenset({kind.value})] if unknown else [] for grant in Grant}
        for candidate in level:
            if not candidate.statement.deny:
                by_grant[self._grant(candidate.statement)].append(self._applies(candidate, kind))
        layer = _blurred(whole) if unknown else whole
        return layer._replace(
            direct=any_of(by_grant[Grant.DIRECT]),
            limited=any_of(by_grant[Grant.LIMITED]),
        )

    def _unreadable(self, kind: PolicyType) -> bool:
        return bool(self.policies.unknown) and kind in self.policies.unknown

    # Their combination

    def _account_side(self, identity: Layer, boundary: Layer, session: Layer, resource: Layer) -> Truth:
        """Identity-based, boundary, session and resource-based policies together."""
        if self.caller.kind in _NO_ACCOUNT_POLICIES:
            return resource.direct
        if not self.same_account:
            # Both sides have to allow; boundary and session policy bind the principal's side.
            return all_of((identity.allow, boundary.allow, session.allow, resource.allow))
        granted = any_of((identity.allow, resource.limited))
        return any_of((resource.direct, all_of((granted, boundary.allow, session.allow))))

    def _withheld(self, layers: tuple[Layer, ...]) -> tuple[PolicyType, ...]:
        identity, boundary, session, scp, rcp, endpoint, resource = layers
        blocking = [layer.kind for layer in layers if layer.deny is True]
        blocking += [layer.kind for layer in (scp, rcp, endpoint) if layer.allow is False]
        if self._account_side(identity, boundary, session, resource) is False:
            if self.caller.kind in _NO_ACCOUNT_POLICIES:
                blocking.append(PolicyType.RESOURCE)
            else:
                blocking += [layer.kind for layer in (boundary, session) if layer.allow is False]
                if not self.same_account:
                    blocking += [layer.kind for layer in (identity, resource) if layer.allow is False]
                elif any_of((identity.allow, resource.limited)) is False:
                    blocking.append(PolicyType.IDENTITY)
        return tuple(sorted(set(blocking), key=_ORDER.__getitem__))

    def _determining(self, layers: tuple[Layer, ...], deny: Truth) -> tuple[StatementRef, ...]:
        return tuple(ref for layer in layers for ref in layer.denied_by) if deny is True else ()

    def _allowed(self, layers: tuple[Layer, ...]) -> EvaluationResult:
        identity, boundary, session, *others = layers
        resource = layers[-1]
        granted = any_of((identity.allow, resource.limited))
        if self.same_account and all_of((granted, boundary.allow, session.allow)) is not True:
            # The resource-based policy alone let it through.
            return self._result(Decision.ALLOWED, tuple(ref for layer in others for ref in layer.allowed_by))
        if self.same_account and resource.direct is not True and resource.limited is not True:
            others = others[:-1]  # naming the account only delegates: not what allowed it
        chosen = (identity, boundary, session, *others)
        return self._result(Decision.ALLOWED, tuple(ref for layer in chosen for ref in layer.allowed_by))

    def _result(
        self,
        decision: Decision,
        determining: tuple[StatementRef, ...] = (),
        withheld_by: tuple[PolicyType, ...] = (),
        depends_on: tuple[str, ...] = (),
    ) -> EvaluationResult:
        missing = tuple(sorted(self.context.missing.values())) if self.context.missing else ()
        return EvaluationResult(decision, determining, withheld_by, depends_on, missing, tuple(self.undecided))

    # One statement

    def _judge(self, kind: PolicyType, level: Level) -> Layer:
        deny: Truth = False
        allow: Truth = False
        denied_by: list[StatementRef] = []
        allowed_by: list[StatementRef] = []
        with_principal = kind in WITH_PRINCIPAL
        for candidate in level:
            if candidate.statement.unrestricted and not with_principal:
                truth: Truth = True
            else:
                truth = self._applies(candidate, kind)
                if truth is False:
                    continue
            if candidate.statement.deny:
                deny = True if truth is True else any_of((deny, truth))
                if truth is True:
                    denied_by.append(candidate.ref)
            else:
                allow = True if truth is True else any_of((allow, truth))
                if truth is True:
                    allowed_by.append(candidate.ref)
        return Layer(kind, deny, allow, tuple(denied_by), tuple(allowed_by))

    def _applies(self, candidate: Candidate, kind: PolicyType) -> Truth:
        """Whether a statement that names the action applies: its principal, its resource and its conditions match."""
        statement = candidate.statement
        truth: Truth = True
        if kind in WITH_PRINCIPAL:
            truth = self.means_caller(statement)
            if truth is False:
                return False
        covered = self.covers_resource(statement, kind)
        if covered is False:
            return False
        if covered is not True or truth is not True or statement.conditions:
            truth = all_of([truth, covered, *[condition.holds(self.context) for condition in statement.conditions]])
            if isinstance(truth, frozenset):
                self.undecided.append(candidate.ref)
        return truth

    def covers_resource(self, statement: CompiledStatement, kind: PolicyType) -> Truth:
        """``Resource``, or ``NotResource``.  Only policies that sit on a resource (as trust policies do) may have neither."""
        if statement.resources is not None:
            return statement.resources.cover(self.resource, self.context)
        if statement.not_resources is None:
            return kind is PolicyType.RESOURCE
        return statement.covers(self.resource, self.context)

    def means_caller(self, statement: CompiledStatement) -> Truth:
        """``Principal``, or ``NotPrincipal``."""
        source = statement.statement
        if source.principals is not None:
            return grant_of(source.principals, self.caller) is not Grant.NONE
        if source.not_principals is None:
            return False
        listed = excepts(source.not_principals, self.caller)
        if not listed or not statement.deny or self.caller.kind in (*_NO_ACCOUNT_POLICIES, CallerKind.ROOT):
            return not listed
        # "will always deny any IAM principal that has a permissions boundary policy attached, regardless of the values"
        if self.policies.permissions_boundary is not None:
            return True
        kind = PolicyType.PERMISSIONS_BOUNDARY
        return frozenset({kind.value}) if self._unreadable(kind) else False

    def _grant(self, statement: CompiledStatement) -> Grant:
        principals = statement.statement.principals
        return Grant.DIRECT if principals is None else grant_of(principals, self.caller)


# A layer that is not in force, or that does not bind this principal or resource.
_OPEN_BY_KIND = {kind: Layer(kind, allow=True) for kind in PolicyType}
_OPEN_IDENTITY = _OPEN_BY_KIND[PolicyType.IDENTITY]
_OPEN_SCP = _OPEN_BY_KIND[PolicyType.SCP]
_OPEN_RCP = _OPEN_BY_KIND[PolicyType.RCP]
_NO_RESOURCE_POLICY = Layer(PolicyType.RESOURCE)


def _blurred(layer: Layer) -> Layer:
    """A layer of which something could not be read may deny; what it does not allow it may yet allow."""
    name = frozenset({layer.kind.value})
    return layer._replace(deny=any_of((layer.deny, name)), allow=any_of((layer.allow, name)))


def _every(results: list[EvaluationResult]) -> EvaluationResult:
    """An action on several resources "needs an Allow on every ARN"."""
    for decision in (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY, Decision.UNKNOWN, Decision.ALLOWED):
        deciding = [result for result in results if result.decision is decision]
        if deciding:
            break
    withheld = {kind for result in deciding for kind in result.withheld_by}
    return EvaluationResult(
        decision,
        _unique(ref for result in deciding for ref in result.determining),
        tuple(sorted(withheld, key=_ORDER.__getitem__)),
        tuple(sorted({name for result in deciding for name in result.depends_on})),
        _unique(name for result in results for name in result.missing_context),
        _unique(ref for result in results for ref in result.undecided),
    )


def _unique(items: Iterable[_Item]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys(items))


@lru_cache(maxsize=4096)
def account_of(resource: str) -> str | None:
    """The account in a resource ARN, where it holds one; neither the ``aws`` of AWS's own policies nor a wildcard is."""
    arn = Arn.try_parse(resource)
    return arn.account if arn is not None and is_account(arn.account) else None
