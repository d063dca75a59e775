"""``probe`` end to end: what the key says by itself, live calls in rounds, the policies, the diagnosis, the fix.

Rounds keep the whole within a few times the latency of one answer: first the controls and the main calls, all together; then
what the differential table asks for, together with the other read-only operations; at most ``MAX_ROUNDS`` in all.  Prints
nothing, reads no argument of the command line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from mantle_iam.collect.live import Collected
from mantle_iam.diagnose.case import Answer, Case, PolicyName, Report
from mantle_iam.diagnose.codes import Family, code_info
from mantle_iam.diagnose.differential import diagnose
from mantle_iam.diagnose.rules.offline import flawed
from mantle_iam.mantle.endpoint import Endpoint, EndpointKind
from mantle_iam.mantle.exchange import Auth, Exchange, Probe
from mantle_iam.mantle.models import known_model
from mantle_iam.mantle.operations import Operation
from mantle_iam.probe.auth import junk_key, mint_short_term_key
from mantle_iam.probe.client import Keyring, Sender, is_proxied, resolve
from mantle_iam.probe.discover import chain_note
from mantle_iam.probe.plan import (
    CONTROL_PATH,
    ProbeRequest,
    Target,
    other_region,
    plan,
    plan_operation,
    plan_reads,
    without_credential,
)
from mantle_iam.report.result import EXIT_UNDETERMINED, Part, Result, exit_code
from mantle_iam.workflow.fix import propose_fix_for
from mantle_iam.workflow.probe_policies import Chain, PolicyReading, known_principal
from mantle_iam.workflow.probe_setup import ProbeOptions, Setup, prepare

MAX_ROUNDS = 4
MAX_PARALLEL_REGIONS = 4

FIRST_ROUND = (Probe.LIST, Probe.BARE, Probe.GET, Probe.INFER_FREE, Probe.JUNK)
"""The list first: its exchange is the one that a report quotes."""

FOLLOW_UPS = (
    Probe.OTHER_PATH,
    Probe.NO_PROJECT,
    Probe.INFER_FREE_2,
    Probe.SIGV4,
    Probe.BEARER,
    Probe.OTHER_REGION,
    Probe.RUNTIME,
    Probe.AGAIN,
)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe has to show, and how the command ends."""

    result: Result
    exit_code: int
    sent: int
    """Requests that were sent to the service."""


def run_probe(
    options: ProbeOptions,
    environ: Mapping[str, str],
    now: datetime,
    *,
    progress: Progress = lambda _: None,
    version: str = "",
) -> ProbeResult:
    """Probe every region asked for.

    Args:
        environ: the environment variables that count.
        now: our time, with a time zone.
        progress: told in a few words what is under way.
        version: of the program, for the user agent.

    Raises:
        InputError: an option cannot be used, or would send the credential to a host that is not trusted.
        UndeterminedError: the role could not be assumed.
    """
    setup = prepare(options, environ)
    background = ThreadPoolExecutor(4, thread_name_prefix="background")
    try:
        chain = Chain(setup, background)
        agent = f"mantle-iam/{version}" if version else "mantle-iam"
        runs = [
            _RegionRun(setup, PolicyReading(setup, chain, background, region), region, endpoint, now, progress, agent)
            for region, endpoint in zip(setup.regions, setup.endpoints, strict=True)
        ]
        probed = _run_all(runs)
    finally:
        background.shutdown(wait=False, cancel_futures=True)
    return _conclude(setup, probed)


def plan_probe(options: ProbeOptions, environ: Mapping[str, str]) -> tuple[ProbeRequest, ...]:
    """What a probe would send first, and every read-only operation after it; nothing is sent.

    Follow-ups depend on the answers; they are chosen from ``FOLLOW_UPS`` and are safe in the same way.
    """
    setup = prepare(options, environ)
    planned: list[ProbeRequest] = []
    for region, endpoint in zip(setup.regions, setup.endpoints, strict=True):
        target = _target(setup, region, endpoint)
        planned += _first_round(target)
        planned += [request for _, request in _second_round(setup, target)]
    return tuple(planned)


def _run_all(runs: Sequence[_RegionRun]) -> list[_Probed]:
    with ThreadPoolExecutor(MAX_PARALLEL_REGIONS, thread_name_prefix="region") as pool:
        try:
            return list(pool.map(_RegionRun.run, runs))
        except BaseException:
            # An interruption, or a failure in one region: the others must not be waited for.
            pool.shutdown(wait=False, cancel_futures=True)
            for run in runs:
                run.abort()
            raise


@dataclass(frozen=True, slots=True)
class _Probed:
    """One region, done.  ``main`` leaves out the operations that nobody asked for."""

    whole: Part
    main: Part
    sent: int
    notes: tuple[str, ...]
    undecided: tuple[str, ...] = ()


@dataclass(slots=True)
class _RegionRun:
    """The rounds of one region."""

    setup: Setup
    policies: PolicyReading
    region: str
    endpoint: Endpoint
    now: datetime
    progress: Progress
    agent: str
    main: list[Exchange] = field(default_factory=list)
    extra: list[Exchange] = field(default_factory=list)
    asked: list[ProbeRequest] = field(default_factory=list)
    done: set[Probe] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    collected: Collected | None = None
    sender: Sender | None = None
    sent: int = 0

    def run(self) -> _Probed:
        if self.setup.unsent is not None:
            if self.setup.key is not None:
                self.notes.append(f"{self.setup.key.where}: {self.setup.unsent}")
            return self._finish()
        if self.endpoint.kind is not EndpointKind.LOOPBACK and not is_proxied(self.endpoint.origin):
            self.progress(f"resolving {self.endpoint.host}")
            dns = resolve(self.endpoint.origin, min(5.0, self.setup.options.timeout))
            self.main.append(dns)
            if dns.failure is not None:
                return self._finish()
        with Sender(
            self._keyring(), trusted=self.setup.trusted, timeout=self.setup.options.timeout, user_agent=self.agent
        ) as sender:
            self.sender = sender
            self._rounds(sender)
        return self._finish()

    def abort(self) -> None:
        """End the calls that are under way."""
        if self.sender is not None:
            self.sender.abort()

    def _keyring(self) -> Keyring:
        """What may be sent.  With AWS credentials, a short-term key made from them is the other way of authenticating."""
        junk = junk_key(self.setup.credential.kind, self.region, self.now)
        if self.setup.key is not None:
            same = self.policies.chain.of_same_principal()
            return Keyring(self.setup.key.secret, same.credentials if same else None, junk)
        credentials = self.setup.chain.credentials if self.setup.chain else None
        return Keyring(mint_short_term_key(credentials, self.region) if credentials else None, credentials, junk)

    def _rounds(self, sender: Sender) -> None:
        self.policies.start(())
        target = _target(self.setup, self.region, self.endpoint)
        first = _first_round(target)
        self._send(sender, first)
        self.done.update(request.probe for request in first)
        if all(exchange.failure is not None for exchange in self.main[-len(first) :]):
            # Nothing answers: one failure says as much as five, and nothing more is to be learned.
            self.main[:] = [self.main[0], *(one for one in self.main[1:] if one.probe is Probe.LIST)]
            return
        self.policies.start(self.main)
        target, again = self._sample(target)
        follow_ups = self._follow_ups(target, self._report(target).next_probes)
        second = [(False, request) for request in (*again, *self._controls(), *follow_ups)] + list(
            _second_round(self.setup, target)
        )
        self._send(sender, [request for _, request in second], extra=[flag for flag, _ in second])
        self._read_policies()
        for _ in range(2, MAX_ROUNDS):
            follow_ups = self._follow_ups(target, self._report(target).next_probes)
            if not follow_ups:
                return
            self._send(sender, follow_ups)

    def _send(self, sender: Sender, requests: Sequence[ProbeRequest], extra: Sequence[bool] = ()) -> None:
        if any(request.probe is Probe.AGAIN for request in requests):
            self.progress("waiting before the same call is sent again")
            time.sleep(self.setup.options.pause)
        self.progress(f"{self.region}: {len(requests)} calls")
        sender.use(self._keyring())
        flags = extra or [False] * len(requests)
        for request, exchange, unasked in zip(requests, sender.send(requests), flags, strict=True):
            (self.extra if unasked else self.main).append(exchange)
            if not unasked:
                self.asked.append(request)
        self.sent += len(requests)

    def _sample(self, target: Target) -> tuple[Target, tuple[ProbeRequest, ...]]:
        """Another sample model where the one that we chose is not served, and the calls that name it."""
        if self.setup.options.model is not None:
            return target, ()
        listed = next((_listed(one) for one in self.main if one.probe is Probe.LIST), ())
        missing = [one for one in self.main if one.model == target.model and one.status == 404 and _names_a_thing(one)]
        if not missing or target.model in listed:
            return target, ()
        # A model that nobody asked for says nothing by being absent.
        self.main[:] = [one for one in self.main if one not in missing]
        model = next((name for name in listed if known_model(name) is not None), None)
        if model is None:
            return target, ()
        self.notes.append(f"no model was named; {model}, one of those listed in {self.region}, was asked for")
        target = replace(target, model=model)
        probes = {one.probe for one in missing}
        return target, tuple(request for probe in FIRST_ROUND if probe in probes for request in plan(probe, target))

    def _controls(self) -> tuple[ProbeRequest, ...]:
        """The same without a credential, for every call that found no route: only that tells a refusal from a wrong path."""
        lost = {(one.method, one.url) for one in self.main if one.status == 404 and not _names_a_thing(one)}
        lost -= {(one.method, one.url) for one in self.main if one.auth is Auth.NONE}
        controls = {
            (one.method, one.url): without_credential(one) for one in self.asked if (one.method, one.url) in lost
        }
        return tuple(controls.values())

    def _follow_ups(self, target: Target, wanted: Iterable[Probe]) -> tuple[ProbeRequest, ...]:
        requests: list[ProbeRequest] = []
        for probe in wanted:
            if probe not in self.done:
                self.done.add(probe)
                requests += self._plan(probe, target)
        return tuple(requests)

    def _available(self, target: Target) -> frozenset[Probe]:
        return frozenset(probe for probe in FOLLOW_UPS if probe not in self.done and self._plan(probe, target))

    def _plan(self, probe: Probe, target: Target) -> tuple[ProbeRequest, ...]:
        if probe is Probe.SIGV4 and (self.setup.auth is Auth.SIGV4 or not self.policies.chain.of_same_principal()):
            return ()
        if probe is Probe.BEARER and self.setup.auth is Auth.BEARER:
            return ()
        if probe is Probe.RUNTIME and not self.setup.options.runtime:
            return ()
        if probe is Probe.AGAIN and not self._may_pass():
            return ()
        region = self.setup.credential.region
        if probe is Probe.OTHER_REGION and target.kind is EndpointKind.MANTLE and region and region != target.region:
            return (other_region(target, region),)
        return plan(probe, target)

    def _may_pass(self) -> bool:
        """Whether the trouble may be over in seconds: overload, or a policy (they were read) that is not in force yet."""
        return self.collected is not None or any(one.status == 429 or (one.status or 0) >= 500 for one in self.main)

    def _read_policies(self) -> None:
        self.progress("reading policies")
        answer = self.policies.result()
        if isinstance(answer, Collected):
            self.collected = answer
            self.notes += answer.notes
        elif answer is not None:
            self.notes.append(f"the principal's policies were not read: {answer}")

    # -- the case

    def _case(self, exchanges: Sequence[Exchange]) -> Case:
        return Case(
            exchanges=tuple(exchanges),
            credential=self.setup.credential,
            found=self.setup.found(self.policies.chain.now()),
            endpoint=self.endpoint,
            auth=self.setup.method,
            region=self.region,
            model=self.setup.options.model,
            project=self.setup.options.project,
            principal=self.collected.principal
            if self.collected
            else known_principal(self.setup, self.region, self.main),
            policies=self.collected.policies if self.collected else None,
            policy_names=_policy_names(self.collected) if self.collected else (),
            now=self.now,
        )

    def _report(self, target: Target) -> Report:
        return diagnose(self._case(self.main), self._available(target))

    def _finish(self) -> _Probed:
        main = self._case(self.main)
        report = _with_flaw(self.setup, diagnose(main))
        whole, outcomes = main, report.outcomes
        if self.extra:
            whole = self._case((*self.main, *self.extra))
            outcomes = diagnose(whole).outcomes
        chain = self.policies.chain.now()
        hidden = chain_note(self.setup.keys, chain.where) if chain and chain.credentials else None
        if hidden:
            self.notes.append(hidden)
        refused = [one.operation for one in outcomes if one.exchange >= len(self.main) and one.answer == Answer.DENIED]
        # A credential that is not taken at all is refused everywhere: that is no news of those operations.
        if refused and code_info(report.diagnoses[0].code).family is not Family.CREDENTIAL:
            self.notes.append(
                f"also refused, and not part of the diagnosis since nobody asked for them: {', '.join(map(str, refused))} "
                "(name one with --operation)"
            )
        unasked = tuple(one.name for one in self.setup.asked if self._skipped(one))
        return _Probed(
            Part(whole, replace(report, outcomes=outcomes)), Part(main, report), self.sent, tuple(self.notes), unasked
        )

    def _skipped(self, operation: Operation) -> bool:
        target = _target(self.setup, self.region, self.endpoint)
        return self.setup.unsent is None and not plan_operation(operation, target)


def _target(setup: Setup, region: str, endpoint: Endpoint) -> Target:
    return Target(
        endpoint.origin,
        endpoint.base_path,
        region,
        setup.auth,
        setup.model,
        setup.options.project,
        endpoint.kind,
        setup.options.model,
    )


def _first_round(target: Target) -> tuple[ProbeRequest, ...]:
    """The same in every run, and the right place of the model list beside the application's own, where they differ."""
    right = f"{target.origin}{CONTROL_PATH}/models"
    others = tuple(request for request in plan(Probe.OTHER_PATH, target) if request.url == right)
    return (*(request for probe in FIRST_ROUND for request in plan(probe, target)), *others)


def _second_round(setup: Setup, target: Target) -> Iterable[tuple[bool, ProbeRequest]]:
    """What does not depend on the first round, each with whether nobody asked for it."""
    asked = tuple(request for operation in setup.asked for request in plan_operation(operation, target))
    first = {(one.method, one.url, one.body) for one in _first_round(target)}
    asked = tuple(one for one in asked if (one.method, one.url, one.body) not in first)
    yield from ((False, request) for request in asked)
    if not setup.asked:
        yield from ((True, request) for request in plan_reads(target))
    if setup.options.spend:
        yield from ((False, request) for request in plan(Probe.INFER, target, spend=True))


def _names_a_thing(exchange: Exchange) -> bool:
    """Whether a 404 is the service's about a thing, and not a route's that does not exist."""
    return '"error"' in exchange.body


def _listed(exchange: Exchange) -> tuple[str, ...]:
    """Model ids of a model list, in its order; empty for any other answer."""
    if exchange.status != 200 or exchange.truncated:
        return ()
    try:
        entries = json.loads(exchange.body)["data"]
        return tuple(entry["id"] for entry in entries if isinstance(entry["id"], str))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def _with_flaw(setup: Setup, report: Report) -> Report:
    """The report, and that the key is damaged although it was sent mended: the application sends it as it stands."""
    found = flawed(setup.key.credential) if setup.key is not None and _is_mended(setup) else None
    if found is None or any(one.code == found.code for one in report.diagnoses):
        return report
    return replace(report, diagnoses=(found, *report.diagnoses))


def _policy_names(collected: Collected) -> tuple[PolicyName, ...]:
    return tuple(
        PolicyName(source.policy_type, source.level, source.document, str(source), source.arn)
        for source in collected.sources
    )


def _is_mended(setup: Setup) -> bool:
    # What stands around a key in a file or on standard input is the file's form; no application reads it there.
    key = setup.key
    return key is not None and setup.unsent is None and bool(key.credential.flaws) and not key.where.startswith("--")


def _conclude(setup: Setup, probed: Sequence[_Probed]) -> ProbeResult:
    notes = list(setup.notes)
    fix = propose_fix_for([one.main for one in probed]) if setup.options.policy else None
    code = exit_code((found for one in probed for found in one.main.report.diagnoses), live=True)
    if setup.key is not None and _is_mended(setup):
        flaws = ", ".join(flaw.value for flaw in setup.key.credential.flaws)
        notes.append(f"{setup.key.where} was sent mended ({flaws}); as it stands, it would be refused")
    for one in probed:
        notes += one.notes
        if one.undecided:
            notes.append(
                f"not called, since it would create, change, delete or bill something: {', '.join(one.undecided)}; "
                "`mantle-iam can-i` evaluates its actions on policy files"
            )
            code = code or EXIT_UNDETERMINED
    result = Result(tuple(one.whole for one in probed), fix, tuple(dict.fromkeys(notes)))
    return ProbeResult(result, code, sum(one.sent for one in probed))
