"""The policies behind a probe: who the principal is, and what binds it, read while the calls are on their way.

Decides whose AWS credentials may speak about the principal; what a policy means is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from mantle_iam.collect.live import Collected, Session, collect_policies
from mantle_iam.errors import MantleIamError
from mantle_iam.mantle.denial import find_denials
from mantle_iam.mantle.endpoint import partition_of
from mantle_iam.mantle.exchange import Exchange
from mantle_iam.probe.aws import ChainResult
from mantle_iam.workflow.probe_setup import Setup

READ_SECONDS = 30.0
"""For all reads together."""


class Chain:
    """The AWS credentials beside a key: asked for in the background, since a key does not need them."""

    def __init__(self, setup: Setup, background: ThreadPoolExecutor) -> None:
        self._setup = setup
        self._future: Future[ChainResult] | None = None
        if setup.chain is None and setup.reads_policies and not setup.unsent:
            self._future = background.submit(setup.aws.credentials)

    def now(self) -> ChainResult | None:
        """What is known without waiting."""
        if self._setup.chain is not None:
            return self._setup.chain
        return self.wait() if self._future is not None and self._future.done() else None

    def wait(self) -> ChainResult | None:
        """What the chain gives; ``None`` when it is not asked."""
        if self._future is None:
            return self._setup.chain
        try:
            return self._future.result()
        except MantleIamError as error:
            # Nobody named a profile here: a key is used, and a broken configuration is beside the point.
            return ChainResult(problem=error.message)

    def of_same_principal(self) -> ChainResult | None:
        """What is known without waiting, when it is the very access key that the short-term key was made from."""
        chain = self.now()
        return chain if chain is not None and self.is_same_principal(chain) else None

    def is_same_principal(self, chain: ChainResult) -> bool:
        """Whether ``chain`` holds the credentials of the request, or those that its key was made from."""
        if self._setup.key is None:
            return True
        key_id = self._setup.credential.access_key_id
        return key_id is not None and chain.credentials is not None and chain.credentials.access_key_id == key_id


class PolicyReading:
    """One reading of the policies of one principal, in the background."""

    def __init__(self, setup: Setup, chain: Chain, background: ThreadPoolExecutor, region: str) -> None:
        self.chain = chain
        self._setup = setup
        self._background = background
        self._region = region
        self._future: Future[Collected | str] | None = None

    def start(self, exchanges: Iterable[Exchange]) -> None:
        """Begin, unless it has begun already, or the answers received so far do not tell who the principal is.

        Call it without answers first: a long-term key names its user, and STS names the caller.
        """
        answers = tuple(exchanges)
        if self._future is not None or not self._setup.reads_policies:
            return
        principal = known_principal(self._setup, self._region, answers)
        if principal is None and self._setup.key is not None and not answers:
            return
        self._future = self._background.submit(self._collect, principal)

    def result(self) -> Collected | str | None:
        """The policies, or why they were not read; ``None`` when they were not to be read."""
        if self._future is None:
            return None
        try:
            return self._future.result(timeout=READ_SECONDS)
        except TimeoutError:
            return "IAM did not answer in time"

    def _collect(self, principal: str | None) -> Collected | str:
        chain = self.chain.wait()
        if chain is None or chain.credentials is None:
            return (chain.problem if chain else None) or "no AWS credentials were found"
        try:
            if principal is None and self.chain.is_same_principal(chain):
                principal = chain.principal or self._setup.aws.caller()
        except MantleIamError as error:
            return error.message
        if principal is None:
            return "the principal is not known"
        # Only of the session that was made here is it known that it has no session policy.
        ours = self._setup.options.role_arn is not None and self._setup.key is None
        aws = self._setup.aws
        try:
            return collect_policies(
                aws.client("iam"),
                principal,
                organizations=aws.client("organizations") if self._setup.reads_organization else None,
                session=None if ours else Session.UNKNOWN,
            )
        except MantleIamError as error:
            return error.message


def known_principal(setup: Setup, region: str, exchanges: Iterable[Exchange]) -> str | None:
    """ARN of the principal, as far as the credential itself or a refusal names it."""
    credential = setup.credential
    if credential.account and credential.user_name:
        return f"arn:{partition_of(region)}:iam::{credential.account}:user/{credential.user_name}"
    if setup.chain is not None and setup.chain.principal is not None:
        return setup.chain.principal
    denials = (denial for one in exchanges if one.auth is setup.auth for denial in find_denials(one.body))
    return next((denial.principal for denial in denials if denial.principal), None)
