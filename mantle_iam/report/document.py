"""Records to the JSON document of ``probe`` and ``explain`` (``--output json``).

The writer of ``schemas/diagnosis.schema.json``; the schema's version is in ``SCHEMA_VERSION`` and goes up when a field
changes its meaning or goes away.  Adds nothing to what the records say, and leaves nothing out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mantle_iam.diagnose.case import FoundCredential, Outcome
from mantle_iam.diagnose.codes import code_info, is_code
from mantle_iam.diagnose.diagnosis import Diagnosis, Evidence
from mantle_iam.iam.grammar import write_policy
from mantle_iam.mantle.credential import Credential
from mantle_iam.report.proposal import Blocker, Change, Fix, ManagedAlternative, Proof, Target
from mantle_iam.report.result import Part, Result

SCHEMA_VERSION = "1"


def document(result: Result, *, version: str) -> dict[str, Any]:
    """The document as JSON values.  ``version`` is that of the program.

    Lone surrogates, which no encoding can carry, become U+FFFD.
    """
    case = result.parts[0].case if result.parts else None
    value: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mantle-iam", "version": version},
        "diagnoses": [diagnosis_document(diagnosis, region=part.case.region) for part, diagnosis in result.diagnoses()],
        "outcomes": [outcome_document(outcome, part) for part in result.parts for outcome in part.report.outcomes],
        "credential": credential_document(case.credential) if case and case.credential else None,
        "credentials_found": [found_document(found) for found in (case.found if case else ())],
        "fix": fix_document(result.fix) if result.fix else None,
        "notes": list(result.notes),
    }
    scrubbed: dict[str, Any] = _scrub(value)
    return scrubbed


def _scrub(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_scrub(key): _scrub(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_scrub(item) for item in value]
    return value


def diagnosis_document(diagnosis: Diagnosis, *, region: str | None = None) -> dict[str, Any]:
    """One diagnosis.  ``region`` is the one that was asked."""
    return {
        "code": diagnosis.code,
        "family": code_info(diagnosis.code).family.value if is_code(diagnosis.code) else None,
        "confidence": diagnosis.confidence.value,
        "title": diagnosis.title,
        "explanation": diagnosis.explanation,
        "policy_type": diagnosis.policy_type.value if diagnosis.policy_type else None,
        "effect": diagnosis.effect,
        "actions": list(diagnosis.actions),
        "resource": diagnosis.resource,
        "principal": diagnosis.principal,
        "policy": diagnosis.policy,
        "region": region,
        "evidence": [_evidence(evidence) for evidence in diagnosis.evidence],
        "remedy": diagnosis.remedy,
        "reference": diagnosis.reference,
        "would_decide": list(diagnosis.would_decide),
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "source": evidence.source,
        "says": evidence.says,
        "exchange": evidence.exchange,
        "probe": evidence.probe.value if evidence.probe else None,
    }


def outcome_document(outcome: Outcome, part: Part) -> dict[str, Any]:
    """One row of the table of operations, with the request that it was."""
    exchanges = part.case.exchanges
    exchange = exchanges[outcome.exchange] if 0 <= outcome.exchange < len(exchanges) else None
    return {
        "operation": outcome.operation,
        "actions": list(outcome.actions),
        "answer": outcome.answer,
        "detail": outcome.detail,
        "region": part.case.region,
        "exchange": outcome.exchange,
        "probe": exchange.probe.value if exchange else None,
        "method": exchange.method if exchange else None,
        "url": exchange.url if exchange else None,
        "auth": exchange.auth.value if exchange else None,
        "model": exchange.model if exchange else None,
        "project": exchange.project if exchange else None,
        "status": exchange.status if exchange else None,
    }


def _instant(moment: datetime | None) -> str | None:
    """RFC 3339, in UTC, to the second; a moment without a zone is UTC already."""
    if moment is None:
        return None
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def credential_document(credential: Credential) -> dict[str, Any]:
    """What a credential reveals; never the secret, which the record does not have."""
    return {
        "kind": credential.kind.value,
        "masked": credential.masked,
        "flaws": [flaw.value for flaw in credential.flaws],
        "account": credential.account,
        "user_name": credential.user_name,
        "access_key_id": credential.access_key_id,
        "region": credential.region,
        "issued_at": _instant(credential.issued_at),
        "expires_at": _instant(credential.expires_at),
        "temporary": credential.temporary,
        "notes": list(credential.notes),
    }


def found_document(found: FoundCredential) -> dict[str, Any]:
    """A credential that was found, where, and whether it is the one that was sent."""
    return {"where": found.where, "used": found.used, "credential": credential_document(found.credential)}


def fix_document(fix: Fix) -> dict[str, Any]:
    """The fix.  ``policy`` repeats the first change's document for readers that want just that."""
    return {
        "policy_type": fix.changes[0].policy_type.value if fix.changes else None,
        "policy": write_policy(fix.changes[0].document) if fix.changes else None,
        "confidence": fix.confidence.value,
        "changes": [_change(change) for change in fix.changes],
        "proof": _proof(fix.proof) if fix.proof else None,
        "blocked_by": [_blocker(blocker) for blocker in fix.blocked_by],
        "managed_policy": _managed(fix.managed) if fix.managed else None,
        "notes": list(fix.notes),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "policy_type": change.policy_type.value,
        "policy": write_policy(change.document),
        "target": _target(change.target) if change.target else None,
        "reasons": [
            {
                "statement": reason.statement,
                "action": reason.action,
                "resource": reason.resource,
                "why": reason.why,
                "observed": reason.observed,
                "source": reason.source.value,
                "reference": reason.reference or None,
            }
            for reason in change.reasons
        ],
        "commands": list(change.commands),
    }


def _target(target: Target) -> dict[str, Any]:
    return {"kind": target.kind.value, "name": target.name, "account": target.account}


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "decision": proof.decision.value,
        "depends_on": list(proof.depends_on),
        "requests": proof.requests,
        "policies_read": proof.policies_read,
    }


def _blocker(blocker: Blocker) -> dict[str, Any]:
    return {
        "policy_type": blocker.policy_type.value if blocker.policy_type else None,
        "effect": blocker.effect,
        "actions": list(blocker.actions),
        "policy": blocker.policy,
        "detail": blocker.detail,
    }


def _managed(managed: ManagedAlternative) -> dict[str, Any]:
    return {
        "name": managed.name,
        "arn": managed.arn,
        "version": managed.version,
        "actions": list(managed.gives),
        "resources": list(managed.resources),
        "command": managed.command,
    }
