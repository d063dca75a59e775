"""The undo file: what an attachment is about to change, so that it can be taken back.  Reader and writer.

Schema: ``schemas/attach-undo.schema.json``; files of version 1 (one change, without what was put in its place) are read too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mantle_iam.attach.plan import Bound, PolicyVersion
from mantle_iam.attach.target import Target, TargetKind
from mantle_iam.attach.undo_records import Back, DetachBack, InlineBack, PolicyBack, Undo, undo_calls
from mantle_iam.errors import InputError, PolicyError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.grammar import load_json, parse_policy, write_policy
from mantle_iam.iam.policy import PolicyDocument

SCHEMA_VERSION = "2"
MAX_BYTES = 4 * 1024 * 1024
_NAMES = 1000


# Writing


def undo_text(undo: Undo) -> str:
    """The undo file as text."""
    # Escaped, since half of a surrogate pair, which JSON can name, cannot be written.
    return json.dumps(undo_document(undo), indent=2) + "\n"


def undo_document(undo: Undo) -> dict[str, Any]:
    """The undo file as the schema has it."""
    target = undo.target
    return {
        "schema_version": SCHEMA_VERSION,
        "written_at": undo.written_at,
        "target": {
            "kind": target.kind.value,
            "name": target.name,
            "arn": target.arn,
            "instance_arn": target.instance_arn,
        },
        "before": [{"name": bound.name, "arn": bound.arn} for bound in undo.before],
        "changes": [_change_document(back) for back in undo.changes],
        "commands": [call.command for call in undo_calls(undo)],
    }


def _change_document(back: Back) -> dict[str, Any]:
    if isinstance(back, DetachBack):
        return {"change": "attached", "name": back.name, "arn": back.arn}
    if isinstance(back, InlineBack):
        return {
            "change": "put-inline",
            "name": back.name,
            "before": None if back.before is None else write_policy(back.before),
            "after": None if back.after is None else write_policy(back.after),
        }
    if back.default is None:
        return {"change": "created", "name": back.name, "arn": back.arn, "after": write_policy(back.after)}
    return {
        "change": "new-version",
        "name": back.name,
        "arn": back.arn,
        "after": write_policy(back.after),
        "before": {"version": back.default.id, "document": write_policy(back.default.document)},
        "versions": list(back.versions),
        "deleted": None
        if back.deleted is None
        else {"version": back.deleted.id, "document": write_policy(back.deleted.document)},
    }


def undo_file_name(target: Target) -> str:
    """A name for the undo file, without number and ending."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in target.name)
    return f"mantle-iam-{target.kind.value}-{safe}"


def write_new(text: str, wanted: str | None, stem: str) -> Path:
    """Write ``text`` to a file that is not there yet, only for its owner, and see to it that it is on the disk.

    ``wanted`` is the file; without one it is a new one in this folder whose name begins with ``stem``.

    Raises:
        InputError: it is there already, or cannot be written; then nothing else has happened.
    """
    numbers = ("", *(f"-{n}" for n in range(2, _NAMES)))
    candidates = [Path(wanted)] if wanted else [Path(f"{stem}{number}.undo.json") for number in numbers]
    for path in candidates:
        try:
            _write(path, text)
        except FileExistsError:
            continue
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise InputError(
                f"cannot write the undo file `{path}`: {reason}", help="nothing was changed; give --undo-file FILE"
            ) from None
        return path
    raise InputError(
        f"the undo file `{candidates[0]}` is there already", help="nothing was changed; give another --undo-file"
    )


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


# Reading


def read_undo(text: str, where: str) -> Undo:
    """An undo file.  ``where`` names it in messages.

    Raises:
        InputError: it is none, or of a version that is not known.
    """
    try:
        value = load_json(text)
    except (ValueError, RecursionError):
        raise InputError(f"{where}: it is not JSON", help="give a file that `mantle-iam attach` wrote") from None
    try:
        return _read(value)
    except _WrongError as error:
        raise InputError(
            f"{where}: it is not an undo file: {error}", help="give a file that `mantle-iam attach` wrote"
        ) from None


def _read(value: Any) -> Undo:
    if not isinstance(value, Mapping):
        raise _WrongError("it is not an object")
    version = value.get("schema_version")
    if version == SCHEMA_VERSION:
        return _read_2(value)
    if version == "1":
        return _read_1(value)
    raise _WrongError(f"its schema_version is none of 1, {SCHEMA_VERSION}")


class _WrongError(Exception):
    """Something in the file is not as it must be."""


def _text(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, Mapping) else None
    if type(found) is not str or not found:
        raise _WrongError(f"`{name}` is missing or no text")
    return found


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    if not isinstance(found, list):
        raise _WrongError(f"`{name}` is missing or no list")
    return found


def _policy(value: Any, name: str) -> PolicyDocument:
    if not isinstance(value, Mapping):
        raise _WrongError(f"`{name}` is no policy")
    try:
        return parse_policy(value)
    except PolicyError as error:
        raise _WrongError(f"`{name}`: {error}") from None


def _optional_policy(value: Mapping[str, Any], name: str) -> PolicyDocument | None:
    if name not in value:
        raise _WrongError(f"`{name}` is missing")
    return None if value[name] is None else _policy(value[name], name)


def _version(value: Any, name: str) -> PolicyVersion:
    document = _policy(value.get("document") if isinstance(value, Mapping) else None, f"{name}.document")
    return PolicyVersion(_text(value, "version"), is_default=name == "before", document=document)


def _target(value: Mapping[str, Any]) -> Target:
    found = value.get("target")
    kind = _text(found, "kind")
    if kind not in tuple(TargetKind):
        raise _WrongError("`target.kind` is no kind of target")
    arn = Arn.try_parse(_text(found, "arn"))
    if arn is None:
        raise _WrongError("`target.arn` is no ARN")
    instance = found.get("instance_arn") if isinstance(found, Mapping) else None
    if instance is not None and type(instance) is not str:
        raise _WrongError("`target.instance_arn` is no text")
    return Target(TargetKind(kind), _text(found, "name"), str(arn), arn.account, arn.partition, instance)


def _bound(value: Mapping[str, Any]) -> tuple[Bound, ...]:
    return tuple(
        Bound(_text(entry, "name"), None if entry.get("arn") is None else _text(entry, "arn"))
        for entry in _list(value, "before")
    )


def _read_2(value: Mapping[str, Any]) -> Undo:
    return Undo(
        _target(value),
        _text(value, "written_at"),
        _bound(value),
        tuple(_change(entry) for entry in _list(value, "changes")),
    )


def _change(entry: Any) -> Back:
    what = _text(entry, "change")
    name = _text(entry, "name")
    if what == "attached":
        return DetachBack(name, _text(entry, "arn"))
    if what == "put-inline":
        return InlineBack(name, _optional_policy(entry, "before"), _optional_policy(entry, "after"))
    if what == "created":
        return PolicyBack(name, _text(entry, "arn"), _policy(entry.get("after"), "after"))
    if what == "new-version":
        versions = _list(entry, "versions")
        if any(type(version) is not str for version in versions):
            raise _WrongError("`versions` holds what is no text")
        deleted = entry.get("deleted")
        return PolicyBack(
            name,
            _text(entry, "arn"),
            _policy(entry.get("after"), "after"),
            _version(entry.get("before"), "before"),
            tuple(versions),
            None if deleted is None else _version(deleted, "deleted"),
        )
    raise _WrongError(f"`{what[:40]}` is no change")


def _read_1(value: Mapping[str, Any]) -> Undo:
    """One change, told by the call that takes it back."""
    target = _target(value)
    undo = value.get("undo")
    operation = _text(undo, "operation")
    back: Back
    if operation == f"Detach{target.kind.in_api}Policy":
        arn = _text(undo, "policy_arn")
        back = DetachBack(arn.rpartition("/")[2], arn)
    elif operation == f"Delete{target.kind.in_api}Policy":
        back = InlineBack(_text(undo, "policy_name"), None, None)
    elif operation == f"Put{target.kind.in_api}Policy":
        document = undo.get("policy_document") if isinstance(undo, Mapping) else None
        back = InlineBack(_text(undo, "policy_name"), _policy(document, "policy_document"), None)
    else:
        raise _WrongError("`undo.operation` is none that takes back an attachment")
    return Undo(target, _text(value, "written_at"), _bound(value), (back,))
