"""Roles: who may take one on, and with that what it may do.

One function per kind of principal, each with the page that it follows.  Every trust policy is tried with ``evaluate()``: the
principal gets in, and nobody does whose account, repository, cluster or service account is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.generate.artifact import Artifact, Kind, Trust, TrustedBy
from mantle_iam.generate.kinds import oidc
from mantle_iam.generate.kinds.limits import LIMITS, checked_account, checked_name, fitted
from mantle_iam.generate.kinds.wish import Made, Wish
from mantle_iam.generate.patterns import example
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Principals, Statement
from mantle_iam.iam.request import AuthorizationRequest, ContextValue, Decision, PolicySet

ROLE: Final = "arn:aws:iam::111122223333:role/example"
_OTHER: Final = "x7q4"
_EVERYBODY: Final = Principals((("AWS", ("*",)),))


@dataclass(frozen=True, slots=True)
class Trusting:
    """A trust policy's statement and what goes with it."""

    statement: Statement
    trust: Trust
    notes: tuple[str, ...] = ()


def make_trust(wish: Wish) -> Made:
    """The role that ``wish.trusted_by`` may take on, with ``wish.documents`` as its permissions.

    Raises:
        InputError: nobody is named, or a name is missing or impossible.
        UndeterminedError: the trust policy could not be proven.
    """
    if wish.trusted_by is None:
        raise InputError(
            "it is not said who may take on the role",
            help=f"--trusted-by {', '.join(kind.value for kind in TrustedBy)}",
        )
    made = _MAKERS[wish.trusted_by](wish)
    document = PolicyDocument((made.statement,))
    tried = prove_trust(made.statement)
    fitted(document, LIMITS[Kind.TRUST])
    artifact = Artifact(
        (document,),
        kind=Kind.TRUST,
        name=checked_name(Kind.TRUST, wish.name),
        description=wish.description,
        partition=wish.own_partition,
        trust=made.trust,
        permissions=wish.documents,
    )
    return Made(artifact, made.notes, f"proven with {tried} requests: the one that is trusted, and those that are not")


def _federated(wish: Wish, provider: str, audience: str, subjects: oidc.Subjects, sid: str) -> Statement:
    account = checked_account(wish.own_account, "the ARN of the identity provider")
    arn = f"arn:{wish.own_partition}:iam::{account}:oidc-provider/{provider}"
    audience_condition = Condition("StringEquals", f"{provider}:aud", (audience,))
    subject_condition = Condition(subjects.operator, f"{provider}:sub", tuple(sorted(subjects.values)))
    return Statement(
        Effect.ALLOW,
        actions=("sts:AssumeRoleWithWebIdentity",),
        principals=Principals((("Federated", (arn,)),)),
        conditions=(audience_condition, subject_condition),
        sid=sid,
    )


def _github(wish: Wish) -> Trusting:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html#idp_oidc_Create_GitHub."""
    partition = wish.own_partition
    provider = oidc.checked_provider(wish.oidc_provider or oidc.GITHUB_PROVIDER, partition)
    subjects = oidc.github_subjects(wish)
    notes = [
        *subjects.notes,
        f"the account needs the identity provider https://{provider} once, before the role is used",
    ]
    if subjects.operator == "StringLike":
        notes.append(f"every workflow whose subject fits {', '.join(sorted(subjects.values))} may take on the role")
    if partition == "aws-cn":
        notes.append(
            "in China aws-actions/configure-aws-credentials has to ask for the audience sts.amazonaws.com.cn, which this trusts"
        )
    statement = _federated(wish, provider, oidc.github_audience(partition), subjects, "GitHubActions")
    return Trusting(statement, Trust(TrustedBy.GITHUB, provider=provider), tuple(notes))


def _irsa(wish: Wish) -> Trusting:
    """https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html."""
    if not wish.oidc_provider:
        raise InputError(
            "the cluster's identity provider is missing",
            help="aws eks describe-cluster --name CLUSTER --query cluster.identity.oidc.issuer prints it, for --oidc-provider",
        )
    provider = oidc.checked_provider(wish.oidc_provider, wish.own_partition)
    subject = oidc.eks_subject(wish)
    notes = [
        f"the service account needs the annotation eks.amazonaws.com/role-arn with the role's ARN (namespace {wish.namespace})"
    ]
    if not oidc.is_eks_provider(provider):
        notes.append(
            f"{provider} is not an EKS cluster's provider by its name; the trust is the same for any other cluster's"
        )
    statement = _federated(wish, provider, oidc.STS_AUDIENCE, oidc.Subjects((subject,)), "ServiceAccount")
    cluster = _cluster_name(wish.cluster) if wish.cluster else ""
    return Trusting(
        statement,
        Trust(TrustedBy.IRSA, provider, cluster, wish.namespace, wish.service_account),
        tuple(notes),
    )


def _pod_identity(wish: Wish) -> Trusting:
    """https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html; the tags are listed in .../pod-id-abac.html."""
    conditions: list[Condition] = []
    notes: list[str] = []
    namespace = oidc.kubernetes_name(wish.namespace, "namespace", 63, dots=False) if wish.namespace else ""
    pods = oidc.kubernetes_name(wish.service_account, "service account", 253, dots=True) if wish.service_account else ""
    cluster = Arn.try_parse(wish.cluster)
    if cluster is not None:
        conditions.append(Condition("StringEquals", "aws:RequestTag/eks-cluster-arn", (_cluster_arn(cluster, wish),)))
    elif wish.cluster:
        conditions.append(Condition("StringEquals", "aws:RequestTag/eks-cluster-name", (_cluster_name(wish.cluster),)))
    for key, value in (("kubernetes-namespace", namespace), ("kubernetes-service-account", pods)):
        if value:
            conditions.append(Condition("StringEquals", f"aws:RequestTag/{key}", (value,)))
    if cluster is None and wish.own_account:
        account = checked_account(wish.own_account, "aws:SourceAccount")
        conditions.append(Condition("StringEquals", "aws:SourceAccount", (account,)))
        notes.append(
            "that EKS sends aws:SourceAccount is seen in AWS's samples, not in its guide: with the cluster's ARN as --cluster it "
            "is not asked for"
        )
    if any(condition.key.startswith("aws:RequestTag/") for condition in conditions):
        notes.append("associations with disabled session tags send no tags and are refused by this trust policy")
    if not (namespace and pods):
        notes.append(
            "every pod identity association that may pass the role can use it: --namespace and --service-account"
        )
    statement = _service("pods.eks.amazonaws.com", ("sts:AssumeRole", "sts:TagSession"), conditions, "PodIdentity")
    name = cluster.resource.partition("/")[2] if cluster else wish.cluster
    return Trusting(statement, Trust(TrustedBy.POD_IDENTITY, "", name, namespace, pods), tuple(notes))


def _lambda(_: Wish) -> Trusting:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html."""
    return Trusting(
        _service("lambda.amazonaws.com", ("sts:AssumeRole",), [], "LambdaFunctions"),
        Trust(TrustedBy.LAMBDA),
        (
            "AWS documents no source condition for execution roles; who may give the role to a function is iam:PassRole's",
        ),
    )


def _ecs(wish: Wish) -> Trusting:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html."""
    conditions: list[Condition] = []
    if wish.own_account:
        account = checked_account(wish.own_account, "aws:SourceAccount")
        # Of every region: tasks need not run where the models are.  A single cluster cannot be named, says the page.
        source = f"arn:{wish.own_partition}:ecs:*:{account}:*"
        conditions = [
            Condition("ArnLike", "aws:SourceArn", (source,)),
            Condition("StringEquals", "aws:SourceAccount", (account,)),
        ]
        notes = ["aws:SourceArn names the account's ECS as a whole: ECS does not support naming one cluster there"]
    else:
        notes = [
            "without --account the trust policy lacks the conditions that AWS recommends against a confused deputy"
        ]
    notes.append("it is the task role (taskRoleArn); pulling images and writing logs is the task execution role's")
    return Trusting(
        _service("ecs-tasks.amazonaws.com", ("sts:AssumeRole",), conditions, "EcsTasks"),
        Trust(TrustedBy.ECS),
        tuple(notes),
    )


def _ec2(wish: Wish) -> Trusting:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html."""
    principal = "ec2.amazonaws.com.cn" if wish.own_partition == "aws-cn" else "ec2.amazonaws.com"
    return Trusting(
        _service(principal, ("sts:AssumeRole",), [], "Ec2Instances"),
        Trust(TrustedBy.EC2),
        (
            "an instance takes the role in an instance profile; everything on the instance can use it",
            "AWS documents no source condition for it; who may give the role to an instance is iam:PassRole's",
        ),
    )


_MAKERS: Final[Mapping[TrustedBy, Callable[[Wish], Trusting]]] = MappingProxyType(
    {
        TrustedBy.GITHUB: _github,
        TrustedBy.IRSA: _irsa,
        TrustedBy.POD_IDENTITY: _pod_identity,
        TrustedBy.LAMBDA: _lambda,
        TrustedBy.ECS: _ecs,
        TrustedBy.EC2: _ec2,
    }
)


def _service(principal: str, actions: tuple[str, ...], conditions: list[Condition], sid: str) -> Statement:
    return Statement(
        Effect.ALLOW,
        actions=actions,
        principals=Principals((("Service", (principal,)),)),
        conditions=tuple(sorted(conditions, key=lambda one: (one.operator, one.key))),
        sid=sid,
    )


def _cluster_name(text: str) -> str:
    """https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html."""
    arn = Arn.try_parse(text)
    name = arn.resource.removeprefix("cluster/") if arn else text
    if (
        not 1 <= len(name) <= 100
        or not name[0].isalnum()
        or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
    ):
        raise InputError(f"`{text[:80]}` is not the name of an EKS cluster", help="give its name or its ARN")
    return name


def _cluster_arn(arn: Arn, wish: Wish) -> str:
    name = _cluster_name(str(arn))
    if (
        arn.service != "eks"
        or not arn.region
        or not all(c.isascii() and (c.isalnum() or c == "-") for c in arn.region)
        or arn.resource != f"cluster/{name}"
        or not arn.partition.startswith("aws")
    ):
        raise InputError(f"`{arn}` is not the ARN of an EKS cluster", help="arn:aws:eks:REGION:ACCOUNT:cluster/NAME")
    account = checked_account(arn.account, "the cluster's ARN")
    if wish.own_account and wish.own_account != account:
        raise InputError(
            f"the cluster is in the account {account}, not in {wish.own_account}",
            help="a role of another account is taken on by way of a role in the cluster's account (targetRoleArn)",
        )
    return str(arn)


# Proof


def prove_trust(statement: Statement) -> int:
    """Try the statement: with all that it asks for it lets in, and with any one thing amiss it does not.

    Answers how many requests were tried.

    Raises:
        UndeterminedError: one of them was decided otherwise.
    """
    right: dict[str, ContextValue] = {one.key: example(one.values[0], _OTHER) for one in statement.conditions}
    rights = [
        right,
        *({**right, one.key: example(value, _OTHER)} for one in statement.conditions for value in one.values[1:]),
    ]
    wrong: list[dict[str, ContextValue]] = []
    for condition in statement.conditions:
        value = str(right[condition.key])
        rest = {key: other for key, other in right.items() if key != condition.key}
        # Gone, another one, one that only begins or ends like it, one in another case.
        wrong += [rest, *({**rest, condition.key: text} for text in (_OTHER, f"{value}-{_OTHER}", f"{_OTHER}{value}"))]
        if value.swapcase() != value:
            wrong.append({**rest, condition.key: value.swapcase()})
    wrong = [context for context in wrong if not _fits_a_pattern(statement, context)]
    tried = 0
    for action in statement.actions:
        for context, wanted in (*((one, True) for one in rights), *((one, False) for one in wrong)):
            tried += 1
            if _lets_in(statement, action, context) is not wanted:
                raise UndeterminedError("the trust policy could not be proven", help="give names without wildcards")
    return tried


def _fits_a_pattern(statement: Statement, context: Mapping[str, ContextValue]) -> bool:
    """Whether ``context`` differs only in what a trailing ``*`` leaves open."""
    return all(
        any(
            str(context.get(one.key, "")).startswith(value.partition("*")[0])
            if "*" in value
            else context.get(one.key) == value
            for value in one.values
        )
        for one in statement.conditions
    )


def _lets_in(statement: Statement, action: str, context: Mapping[str, ContextValue]) -> bool:
    """Whether ``evaluate`` lets the principal in.

    It knows no federated principal, whom STS has already matched with the provider; anybody stands in, so that the conditions
    alone decide.
    """
    ((kind, (identifier,)),) = statement.principals.by_type if statement.principals else (("AWS", ("*",)),)
    caller = identifier
    if kind == "Federated":
        statement, caller = replace(statement, principals=_EVERYBODY), "*"
    request = AuthorizationRequest(caller, action, (ROLE,), context=context)
    return evaluate(request, PolicySet(resource=(PolicyDocument((statement,)),))).decision is Decision.ALLOWED
