"""The audit as an AWS Lambda function: a batch of dumps in a bucket, each audited by itself, its report put beside.

For the Distributed Map of ``templates/aws-native/audit.yaml``.  The same ``audit`` as on the command line; what comes out is what
``--output jsonl`` prints, and as there findings are told and requirements decide.  An object gives the same report whenever it is
asked again, so that a retry does no harm.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from mantle_iam.audit.capabilities import Wanted
from mantle_iam.audit.matrix import Plan
from mantle_iam.audit.requirements import Rule, known_action
from mantle_iam.audit.results import principal_json
from mantle_iam.errors import InputError, MantleIamError
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.report.audit import json_head, json_tail
from mantle_iam.report.findings.results import sound
from mantle_iam.workflow.audit import EXIT_DONE, EXIT_FAILED, EXIT_UNKNOWN, audit
from mantle_iam.workflow.audit_findings import Findings, finding_objects
from mantle_iam.workflow.audit_inputs import Accounts, read_requirements

LARGEST_OBJECT: Final = 512 * 1024 * 1024
"""Bytes; a function has only so much room."""
_QUESTIONS: Final = ("capabilities", "actions", "auth", "projects", "models", "regions", "principals")
_KNOWN: Final = {"bucket", "results_bucket", "results_prefix", "shared", "requirements", *_QUESTIONS}


class Bucket(Protocol):
    """What is used of a client of Amazon S3."""

    def get_object(self, *, Bucket: str, Key: str) -> Mapping[str, Any]:  # noqa: N803 - the service's names
        """An object; its ``Body`` is read."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> object:  # noqa: N803
        """Write an object."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one invocation is asked."""

    bucket: str
    keys: tuple[str, ...]
    results_bucket: str
    results_prefix: str
    shared: tuple[str, ...]
    """Keys of objects that every dump is read with: organization policies."""
    requirements: str
    questions: Mapping[str, tuple[str, ...]]


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """What Lambda calls; a failure of the service is raised, so that the batch is tried again.

    Raises:
        InputError: the batch is not one.
    """
    import boto3

    batch = read_batch(event)
    return run_batch(batch, boto3.client("s3"))


def read_batch(event: Mapping[str, Any]) -> Batch:
    """The batch of an event.  Raises ``InputError`` where a member is missing, unknown or of the wrong type."""
    shared, items = event.get("BatchInput"), event.get("Items")
    if not isinstance(shared, Mapping) or not isinstance(items, list):
        raise InputError(
            "the event is not a batch", help="it has BatchInput and Items, as a Distributed Map gives them"
        )
    for name in shared:
        if name not in _KNOWN:
            raise InputError(
                f"`{name}` of the batch's input is not known", help=f"there are: {', '.join(sorted(_KNOWN))}"
            )
    keys = tuple(item.get("Key") if isinstance(item, Mapping) else None for item in items)
    if not all(isinstance(key, str) and key for key in keys):
        raise InputError("an item of the batch has no key")
    bucket = _text(shared, "bucket")
    if not bucket:
        raise InputError("the batch's input names no bucket")
    return Batch(
        bucket,
        tuple(str(key) for key in keys),
        _text(shared, "results_bucket") or bucket,
        _text(shared, "results_prefix"),
        _texts(shared, "shared"),
        _text(shared, "requirements"),
        {name: _texts(shared, name) for name in _QUESTIONS},
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"`{name}` of the batch's input is not a text")
    return value


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = values.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InputError(f"`{name}` of the batch's input is not a list of texts")
    return tuple(one for one in value if one)


def run_batch(batch: Batch, bucket: Bucket) -> dict[str, Any]:
    """Audit every object of ``batch``; one that cannot be read is said and does not stop the others.

    Returns what became of each, the exit code that the command line would end with, and what is odd about the requirements.
    """
    # The shared ones and the requirements are needed by all: where they cannot be had, nothing can be said.
    shared = {key: _fetch(bucket, batch.bucket, key) for key in batch.shared}
    notes: list[str] = []
    plan = _plan(batch, bucket, notes)
    results = [_object(batch, key, plan, shared, bucket) for key in batch.keys]
    codes = {one["exit_code"] for one in results}
    code = next((one for one in (EXIT_FAILED, EXIT_UNKNOWN) if one in codes), EXIT_DONE)
    return {"exit_code": code, "results": results, "notes": notes}


def _plan(batch: Batch, bucket: Bucket, notes: list[str]) -> Plan:
    rules: tuple[Rule, ...] = ()
    if batch.requirements:
        try:
            text = _read(bucket, batch.bucket, batch.requirements).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{batch.requirements}: byte {error.start} is no UTF-8") from None
        rules = read_requirements(text, batch.requirements, notes)
    asked = batch.questions
    try:
        auths = tuple(AuthMethod(name) for name in asked["auth"])
    except ValueError as error:
        raise InputError(f"auth: {error}", help=f"there are: {', '.join(AuthMethod)}") from None
    wanted = Wanted(
        asked["capabilities"],
        tuple(known_action(name) for name in asked["actions"]),
        auths,
        asked["projects"],
        asked["models"],
        asked["regions"],
    )
    return Plan(wanted, rules, (), asked["principals"])


def _object(batch: Batch, key: str, plan: Plan, shared: Mapping[str, bytes], bucket: Bucket) -> dict[str, Any]:
    try:
        held = {key: shared[key] if key in shared else _fetch(bucket, batch.bucket, key), **shared}
        lines, told = _report(plan, held)
    except MantleIamError as error:
        return {"key": key, "status": "failed", "exit_code": EXIT_UNKNOWN, "problems": [error.message]}
    report = f"{batch.results_prefix}{key}.jsonl"
    body = sound("".join(f"{line}\n" for line in lines)).encode()
    bucket.put_object(Bucket=batch.results_bucket, Key=report, Body=body, ContentType="application/jsonl")
    return {"key": key, "report": report, **told}


def _report(plan: Plan, held: Mapping[str, bytes]) -> tuple[list[str], dict[str, Any]]:
    """The lines of a report: a principal each, and a last one with all the rest."""
    watcher = Findings()
    accounts = Accounts(tuple(held), held=held, findings=watcher)
    made = audit(plan, accounts)
    lines = [principal_json(row.arn, row.account, row.shape) for row in made.rows]
    requirements, found = made.requirements(), watcher.result()
    failed = [{"account": account, "error": error} for account, error in made.failures]
    counts = {"audited": made.accounts - len(failed), "failed": failed, "retried": made.retried, "reused": made.reused}
    notes = [f"account {account} could not be audited: {error}" for account, error in made.failures]
    notes += [*made.problems, *made.told_again(), *([] if made.accounts else ["no account was found in it"])]
    if found.left_out:
        notes.append(f"{found.left_out} more findings are not listed")
    last = json.loads(
        json_head() + json_tail(requirements, accounts.inputs, counts, notes, finding_objects(found.findings))
    )
    problems = [
        f"{one.path}: {problem}"
        for one in accounts.inputs
        if one.status is not InputStatus.READ
        for problem in one.problems or ("not read",)
    ]
    return [*lines, json.dumps(last, ensure_ascii=False)], {
        "status": "read" if made.accounts and not accounts.incomplete else "partial",
        "exit_code": made.exit_code(requirements, accounts.incomplete or not made.accounts),
        "principals": made.principals,
        "problems": [*problems, *notes],
    }


def _fetch(bucket: Bucket, name: str, key: str) -> bytes:
    """The object ``key``, which must not be taken for a file of this machine."""
    if key.startswith("/") or "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
        raise InputError(f"the key `{key}` cannot be the name of a file")
    return _read(bucket, name, key)


def _read(bucket: Bucket, name: str, key: str) -> bytes:
    found = bucket.get_object(Bucket=name, Key=key)
    data: bytes = found["Body"].read(LARGEST_OBJECT + 1)
    if len(data) > LARGEST_OBJECT:
        raise InputError(f"`{key}` is larger than {LARGEST_OBJECT // 1024 // 1024} MiB")
    return data
