"""Whether the refusal is gone: a safe call with the target's own key, again and again with growing pauses, up to a bound.

IAM is eventually consistent: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html.  Which call is chosen from
what the policies allow; none of them creates, changes, deletes or bills anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from mantle_iam.attach.outcome import Verification, Verified
from mantle_iam.attach.plan import Gain, Plan, TargetKind
from mantle_iam.diagnose.case import Answer, Case
from mantle_iam.diagnose.differential import diagnose
from mantle_iam.errors import MantleIamError
from mantle_iam.mantle.endpoint import Endpoint, EndpointKind
from mantle_iam.mantle.exchange import Exchange, Probe
from mantle_iam.probe.client import Keyring, Sender
from mantle_iam.probe.discover import FoundKey
from mantle_iam.probe.plan import ProbeRequest, Target, plan, without_credential
from mantle_iam.probe.trust import TrustedHost
from mantle_iam.workflow.probe_setup import ProbeOptions, Setup, prepare

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 8.0

_IAM_ADDRESSES = ("AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL")

# What is asked for which action, the plainest first.
_PROBES = (
    ("bedrock-mantle:ListModels", Probe.LIST),
    ("bedrock-mantle:GetModel", Probe.GET),
    ("bedrock-mantle:CreateInference", Probe.INFER_FREE),
)


@dataclass(frozen=True, slots=True)
class Verify:
    """How to find out."""

    options: ProbeOptions
    """Where to call and whom to trust; its key is the one that was named, if any."""
    environ: Mapping[str, str]
    seconds: float = 60.0
    """How long to go on."""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The clock and the pauses, which tests replace."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    progress: Callable[[str], None] = lambda _: None


def verify(done: Plan, how: Verify, waiting: Waiting) -> Verification:
    """Ask until the service lets the target in.  Never raises for what the world does."""
    try:
        setup = prepare(how.options, how.environ)
    except MantleIamError as error:
        return Verification(Verified.NOT_TRIED, error.message)
    reason = _hindrance(done, setup, how)
    if reason is not None:
        return Verification(Verified.NOT_TRIED, reason)
    found = _request(done, setup)
    if found is None:
        return Verification(Verified.NOT_TRIED, "nothing that the policies allow can be tried by a safe call")
    probe, request = found
    key = setup.key
    agent = f"mantle-iam/{how.version}" if how.version else "mantle-iam"
    keyring = Keyring(key.secret if key else None)
    with Sender(keyring, trusted=setup.trusted, timeout=how.options.timeout, user_agent=agent) as sender:
        return _until(sender, (request, without_credential(request)), setup, probe, how.seconds, waiting)


def _hindrance(done: Plan, setup: Setup, how: Verify) -> str | None:
    """Why it cannot be found out, if it cannot."""
    if setup.key is None:
        return "no key of the target is at hand: try it with mantle-iam probe"
    if not _is_of(setup.key, done):
        return f"{setup.key.where} is no key of this {done.target.kind}: try it with mantle-iam probe"
    if setup.unsent is not None:
        return f"{setup.key.where}: {setup.unsent}"
    elsewhere = how.options.iam_endpoint_url or any(how.environ.get(name) for name in _IAM_ADDRESSES)
    if elsewhere and setup.endpoints[0].kind is EndpointKind.MANTLE:
        # Who stands in for IAM has no say in the service itself.
        return (
            "IAM is at an address of its own, and the service would be asked at AWS: name its address with --base-url"
        )
    return None


def _is_of(key: FoundKey, done: Plan) -> bool:
    credential, target = key.credential, done.target
    return (
        target.kind is TargetKind.USER
        and credential.user_name is not None
        and credential.user_name.lower() == target.name.lower()
        and credential.account in (None, target.account)
    )


def _request(done: Plan, setup: Setup) -> tuple[str, ProbeRequest] | None:
    """The action that is tried, and the request that tries it."""
    allowed = {gain.action for gain in done.gains if gain.gain is not Gain.WITHHELD} | set(done.already)
    endpoint: Endpoint = setup.endpoints[0]
    target = Target(
        endpoint.origin,
        endpoint.base_path,
        setup.regions[0],
        setup.auth,
        setup.model,
        setup.options.project,
        endpoint.kind,
        setup.options.model,
    )
    for action, probe in _PROBES:
        requests = plan(probe, target) if action in allowed else ()
        if requests:
            return action, requests[0]
    return None


def _until(
    sender: Sender,
    requests: tuple[ProbeRequest, ...],
    setup: Setup,
    action: str,
    seconds: float,
    waiting: Waiting,
) -> Verification:
    started = waiting.monotonic()
    pause, attempts = FIRST_PAUSE, 0
    while True:
        exchanges = sender.send(requests)
        attempts += 1
        answer = _answer(exchanges, setup, waiting.now())
        took = waiting.monotonic() - started
        if answer == Answer.ALLOWED:
            return Verification(Verified.GONE, f"{action} is allowed", attempts, took)
        if took + pause > seconds:
            result = Verified.STILL_REFUSED if answer == Answer.DENIED else Verified.UNDECIDED
            return Verification(result, f"{action}: the last answer was {_words(exchanges[0])}", attempts, took)
        waiting.progress(f"not in force yet: asking again in {pause:g} s ({took:.0f} of {seconds:g} s)")
        waiting.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _answer(exchanges: tuple[Exchange, ...], setup: Setup, now: datetime) -> str:
    case = Case(
        exchanges=exchanges,
        credential=setup.credential,
        endpoint=setup.endpoints[0],
        auth=setup.method,
        region=setup.regions[0],
        model=setup.options.model,
        now=now,
    )
    return diagnose(case).outcomes[0].answer


def _words(exchange: Exchange) -> str:
    if exchange.failure is not None:
        return f"none ({exchange.failure.detail})"
    said = " ".join(exchange.body.split())[:200]
    return f"{exchange.status} {said}".rstrip()


def options(
    key: FoundKey | None,
    *,
    region: str | None = None,
    base_url: str | None = None,
    trust_hosts: tuple[str, ...] = (),
    iam_endpoint_url: str | None = None,
) -> ProbeOptions:
    """What ``verify`` needs of the options of a probe.

    Raises:
        InputError: a host to trust is no host.
    """
    for host in trust_hosts:
        TrustedHost.parse(host)
    return ProbeOptions(
        regions=(region,) if region else (),
        base_url=base_url,
        trust_hosts=trust_hosts,
        key=key,
        read_policies=False,
        iam_endpoint_url=iam_endpoint_url,
    )
