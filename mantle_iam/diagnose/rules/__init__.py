"""Rules: one exchange -> the diagnoses that its own words carry.  One module per family, registered here by an explicit tuple.

A rule takes an ``Observation`` and the ``Case`` around it and answers the diagnoses that it is sure enough of, or none; the
first rule that answers, wins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.diagnosis import Diagnosis
from mantle_iam.diagnose.observation import Observation
from mantle_iam.diagnose.rules import authorization, credential, model, routing, service, transport

Rule = Callable[[Observation, Case], tuple[Diagnosis, ...]]

# Order = precedence, from what cannot be mistaken to what is left over.
RULES: Final[tuple[Rule, ...]] = (
    # Nothing was answered, or by something else: no word of it may count as the service's.
    transport.no_answer,
    transport.other_service,
    # AWS's own sentence names principal, action, resource and layer; whatever envelope or status it comes in, it wins.
    authorization.denials,
    authorization.by_words,
    # bedrock-runtime says this with HTTP status 200.
    routing.unknown_operation,
    # Credentials.  The scope and the times stand before the general words, which they contain ("invalid", "expired").
    credential.scope,
    credential.signature_time,
    credential.by_words,
    credential.key_format,
    # Accounts before routes: both speak of "not enabled" and "not available", and the accounts' wordings are the longer ones.
    model.account,
    model.retention_status,
    routing.misleading_route,
    # "does not exist" is said of projects, responses and models; only the models' rule takes the words alone.
    model.resources,
    model.missing_model,
    # An invalid key last among credentials: its code `invalid_api_key` also comes with more precise messages.
    credential.invalid_key,
    # Words of faults stand behind everything that names a cause, since gateways put them around other messages.
    service.request,
    service.capacity,
    service.by_status,
)


def read(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """What the exchange says by itself: the answer of the first rule that has one."""
    for rule in RULES:
        found = rule(observation, case)
        if found:
            return found
    return ()
