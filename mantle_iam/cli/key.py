"""``mantle-iam key``: what a Bedrock API key says about itself, without a call."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click

from mantle_iam.cli.common import color_option, output_option, print_json, read_text, use_color
from mantle_iam.cli.show import text_width
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.mantle.credential import Credential, CredentialFlaw, CredentialKind, read_credential
from mantle_iam.report.ansi import Ansi, Style
from mantle_iam.report.layout import Whole, facts

MAX_KEY_BYTES = 64 * 1024

EPILOG = """\b
Examples:
  mantle-iam key inspect
  mantle-iam key inspect --api-key-file key.txt
  security find-generic-password -s bedrock -w | mantle-iam key inspect --api-key-stdin --output json

Nothing is sent anywhere: whether the service accepts the key, `mantle-iam probe` finds out.

Exit codes: 0 usable, 1 flawed, expired or no Bedrock API key, 2 wrong usage, 3 could not find out.
"""

_REFUSED = (
    "the process list and the shell's history would keep it; put it into AWS_BEARER_TOKEN_BEDROCK, into a file "
    "(--api-key-file FILE), or pipe it in (--api-key-stdin), and replace the key that was typed"
)

_VERDICTS = {
    "usable": "nothing is wrong with it as far as can be seen without a call",
    "expired": "it has expired",
    "not-yet-valid": "it is dated in the future: the clock that made it is ahead, or this one is behind",
    "flawed": "the text is not as it was issued",
    "not-a-bedrock-key": "it is no Bedrock API key",
    "missing": "there is no key",
    "unknown": "it is none of the known kinds",
}
_EXIT = {"usable": 0, "unknown": 3}

_REMEDIES = {
    CredentialFlaw.EMPTY: "set the variable, or write the key into the file",
    CredentialFlaw.QUOTED: "take the quotes away: they are part of the value here",
    CredentialFlaw.WHITESPACE: "take spaces, line breaks and invisible characters away; copy the key in one piece",
    CredentialFlaw.TRUNCATED: "copy the whole key again; double-click selects only a part of it",
    CredentialFlaw.UNDECODABLE: "copy the key again, unchanged; or make a new one",
    CredentialFlaw.PREFIXED: "give only the key: the client itself puts `Bearer` or the name in front",
    CredentialFlaw.UNEXPANDED: "let the shell put the value in: double quotes or none, not single quotes",
    CredentialFlaw.DUPLICATED: "paste the key once",
    CredentialFlaw.ESCAPED: "undo the escapes: %2B is +, %2F is /, %3D is =",
}

_KINDS = {
    CredentialKind.LONG_TERM_KEY: "long-term Bedrock API key",
    CredentialKind.SHORT_TERM_KEY: "short-term Bedrock API key",
    CredentialKind.AWS_ACCESS_KEY: "AWS access key",
    CredentialKind.OPENAI_KEY: "OpenAI API key",
    CredentialKind.ANTHROPIC_KEY: "Anthropic API key",
    CredentialKind.CLAUDE_PLATFORM_KEY: "Claude Platform on AWS API key",
    CredentialKind.JWT: "JSON Web Token",
    CredentialKind.PRESIGNED_URL: "presigned URL",
    CredentialKind.PLACEHOLDER: "placeholder",
    CredentialKind.UNKNOWN: "unknown",
    CredentialKind.NONE: "none",
}


@dataclass(frozen=True, slots=True)
class _Found:
    """A credential and where it stood."""

    where: str
    credential: Credential


class _KeylessGroup(click.Group):
    """A group that refuses a key among its arguments before anything could repeat it in a message."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, unless there is a key.  Raises ``InputError``."""
        harmless = (CredentialKind.UNKNOWN, CredentialKind.PLACEHOLDER, CredentialKind.NONE)
        for argument in args:
            values = (argument, argument.partition("=")[2]) if argument.startswith("-") else (argument,)
            if argument.startswith("--api-key=") or any(
                read_credential(value).kind not in harmless for value in values
            ):
                raise InputError("a key was given on the command line", help=_REFUSED)
        return super().parse_args(ctx, args)


@click.group("key", cls=_KeylessGroup)
def command() -> None:
    """Look into a Bedrock API key without a call."""


@command.command("inspect", epilog=EPILOG)
@click.option("--api-key-file", metavar="FILE", help="File that holds the key.")
@click.option("--api-key-stdin", is_flag=True, help="Read the key from standard input.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the key.")
@click.option("--api-key", "refused_key", hidden=True, metavar="KEY")
@output_option("text", "json")
@color_option
def inspect(
    api_key_file: str | None,
    api_key_stdin: bool,
    api_key_env: str | None,
    refused_key: str | None,
    output: str,
    color: str,
) -> int:
    """Say what a key is, whose it is, where and until when it works, and what is wrong with its text.

    Without an option, looks at the environment variables that Bedrock's clients read, and says which one it took.
    """
    if refused_key is not None:
        raise InputError("a key was given on the command line", help=_REFUSED)
    found, notes = _find(api_key_file, api_key_env, stdin=api_key_stdin)
    now = datetime.now(UTC)
    verdict = _verdict(found[0], now)
    if output == "json":
        print_json(_document(found, verdict, notes, now))
    else:
        click.echo(_text(found, verdict, notes, now, Ansi(use_color(color))), color=use_color(color))
    return _EXIT.get(verdict, 1)


# --- where the key is ------------------------------------------------------------------------------------------------------


def _find(file: str | None, variable: str | None, *, stdin: bool) -> tuple[list[_Found], tuple[str, ...]]:
    """The credential to look into, then the others that were seen, and what should be known about them together."""
    if sum((file is not None, variable is not None, stdin)) > 1:
        raise InputError("the key was given in more than one way", help="give one of the options")
    if file is not None or stdin:
        if stdin and sys.stdin.isatty():
            click.echo("type or paste the key, then press Ctrl-D:", err=True)
        text = read_text("-" if stdin else str(file), what="key", limit=MAX_KEY_BYTES)
        # Editors end a file, and programs their output, with one line break; it is no part of the key.
        text = text.removesuffix("\n").removesuffix("\r")
        return [_Found("standard input" if stdin else f"the file {file}", read_credential(text))], ()
    from mantle_iam.probe.discover import discover_keys

    keys = discover_keys(os.environ, variable=variable)
    found = [_Found(key.where, key.credential) for key in sorted(keys.found, key=lambda key: not key.used)]
    pair = _aws_pair()
    found += [pair] if pair else []
    if not found:
        raise UndeterminedError(
            "no key was found in the environment",
            help="set AWS_BEARER_TOKEN_BEDROCK, or give --api-key-file FILE or --api-key-stdin",
        )
    return found, keys.notes


def _aws_pair() -> _Found | None:
    """The AWS credentials of the environment, which sign instead of being sent."""
    key_id, token = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SESSION_TOKEN")
    if not key_id:
        return None
    credential = read_credential(key_id)
    if credential.kind is CredentialKind.AWS_ACCESS_KEY:
        of_token = read_credential(token).account if token else None
        lacks = () if os.environ.get("AWS_SECRET_ACCESS_KEY") else ("AWS_SECRET_ACCESS_KEY is not set.",)
        credential = replace(
            credential,
            account=of_token or credential.account,
            temporary=bool(token) or credential.temporary,
            notes=(*credential.notes[1:], *lacks),
        )
    return _Found("AWS_ACCESS_KEY_ID", credential)


# --- what it says ------------------------------------------------------------------------------------------------------------


def _verdict(found: _Found, now: datetime) -> str:
    credential = found.credential
    if credential.kind is CredentialKind.NONE:
        return "missing"
    if credential.kind is CredentialKind.UNKNOWN:
        return "unknown"
    signs = credential.kind is CredentialKind.AWS_ACCESS_KEY and found.where == "AWS_ACCESS_KEY_ID"
    if not signs and credential.kind not in (CredentialKind.LONG_TERM_KEY, CredentialKind.SHORT_TERM_KEY):
        return "not-a-bedrock-key"
    if credential.flaws:
        return "flawed"
    if credential.expires_at is not None and credential.expires_at <= now:
        return "expired"
    # Clocks differ by some minutes; AWS allows five (the texts of "Signature not yet current" say so).
    if credential.issued_at is not None and (credential.issued_at - now).total_seconds() > 300:
        return "not-yet-valid"
    return "usable"


def _hosts(credential: Credential) -> list[str]:
    """Hosts that take such a key (https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html)."""
    if credential.kind not in (CredentialKind.LONG_TERM_KEY, CredentialKind.SHORT_TERM_KEY):
        return []
    if credential.kind is CredentialKind.SHORT_TERM_KEY and credential.region is None:
        return []  # it works in the Region that made it, which cannot be read
    region = credential.region or "<region>"
    return [
        f"bedrock-mantle.{region}.api.aws",
        f"bedrock-runtime.{region}.amazonaws.com",
        f"bedrock.{region}.amazonaws.com",
    ]


def _document(found: list[_Found], verdict: str, notes: tuple[str, ...], now: datetime) -> dict[str, Any]:
    first, *others = found
    credential = first.credential
    left = int((credential.expires_at - now).total_seconds()) if credential.expires_at else None
    return {
        "schema_version": "1",
        "source": first.where,
        "verdict": verdict,
        "kind": credential.kind.value,
        "masked": credential.masked,
        "account": credential.account,
        "user_name": credential.user_name,
        "access_key_id": credential.access_key_id,
        "temporary": credential.temporary,
        "region": credential.region,
        "hosts": _hosts(credential),
        "issued_at": _time(credential.issued_at),
        "expires_at": _time(credential.expires_at),
        "seconds_left": left,
        "flaws": [{"flaw": flaw.value, "remedy": _REMEDIES[flaw]} for flaw in credential.flaws],
        "notes": [*credential.notes, *notes],
        "others": [
            {"source": other.where, "kind": other.credential.kind.value, "masked": other.credential.masked}
            for other in others
        ],
    }


def _text(found: list[_Found], verdict: str, notes: tuple[str, ...], now: datetime, ansi: Ansi) -> str:
    first, *others = found
    credential = first.credential
    style = {"usable": Style.GREEN, "unknown": Style.YELLOW}.get(verdict, Style.RED)
    width = text_width()
    lines = [f"{ansi.paint(verdict, style, Style.BOLD)}: {_VERDICTS[verdict]}", ""]
    lines += facts(_facts(first, now), width=width, ansi=ansi)
    remarks = [(flaw.value, _REMEDIES[flaw]) for flaw in credential.flaws]
    remarks += [("note", note) for note in (*credential.notes, *notes)]
    remarks += [
        ("also found", f"{one.where}: {_KINDS[one.credential.kind]}, {one.credential.masked}") for one in others
    ]
    if remarks:
        lines += ["", *facts(remarks, width=width, ansi=ansi)]
    return "\n".join(lines)


def _facts(found: _Found, now: datetime) -> list[tuple[str, str | Whole]]:
    credential = found.credential
    whose = "temporary credentials" if credential.temporary else "an IAM user's access key"
    made_from = whose if credential.kind is CredentialKind.SHORT_TERM_KEY and credential.temporary is not None else None
    hosts = _hosts(credential)
    rows: list[tuple[str, str | None]] = [
        ("found in", found.where),
        ("kind", _KINDS[credential.kind]),
        ("key", credential.masked),
        ("user", credential.user_name),
        ("account", credential.account),
        ("made from", f"{made_from} {credential.access_key_id or ''}".strip() if made_from else None),
        ("region", credential.region or ("every region" if credential.kind is CredentialKind.LONG_TERM_KEY else None)),
        ("issued", _time(credential.issued_at)),
        ("expires", _expiry(credential, now)),
    ]
    works: list[tuple[str, str | Whole]] = [
        ("" if index else "works at", Whole(host)) for index, host in enumerate(hosts)
    ]
    return [(label, text) for label, text in rows if text] + works


def _expiry(credential: Credential, now: datetime) -> str | None:
    if credential.expires_at is None:
        long_term = credential.kind is CredentialKind.LONG_TERM_KEY
        return "not told by the key; IAM knows (list-service-specific-credentials)" if long_term else None
    seconds = int((credential.expires_at - now).total_seconds())
    told = f"valid for {_span(seconds)}" if seconds > 0 else f"expired {_span(-seconds)} ago"
    return f"{_time(credential.expires_at)} ({told})"


def _span(seconds: int) -> str:
    """``2 d 3 h``, ``1 h 20 min``, ``45 s``: the two largest units."""
    parts = [(seconds // 86_400, "d"), (seconds // 3_600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next((index for index, (number, _) in enumerate(parts) if number), 3)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or "0 s"


def _time(time: datetime | None) -> str | None:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else None
