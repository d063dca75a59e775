"""What an audit reads: accounts one at a time, what became of every input, requirements.

Composes ``collect`` with the managed policies that are shipped; no argument line and no printing here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from mantle_iam import bundled
from mantle_iam.audit.requirements import Rule, read_rules
from mantle_iam.errors import InputError
from mantle_iam.iam.grammar import load_json, parse_policy
from mantle_iam.iam.inventory import Account, Input, InputStatus, NamedPolicy, Purpose
from mantle_iam.iam.policy import PolicyDocument


class Watcher(Protocol):
    """Sees what is read, a piece at a time, before it is audited."""

    def see(self, accounts: Sequence[Account], policies: Sequence[NamedPolicy]) -> None:
        """Accounts, and documents that bind nobody by themselves."""


@dataclass(slots=True)
class Accounts:
    """Accounts of files and folders, read as they are taken; ``inputs`` is complete when they all are.

    ``kinds`` says what the documents of a path are for.  ``live`` is one of ``paths``: the folder of accounts that were just read
    live, which nobody knows by its name.
    """

    paths: Sequence[str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    inputs: list[Input] = field(default_factory=list)
    loose: int = 0
    """Documents that bind no principal."""
    kinds: Mapping[str, Purpose] = field(default_factory=dict)
    live: str = ""
    watcher: Watcher | None = None

    def __iter__(self) -> Iterator[Account]:
        from mantle_iam.collect.files import stream_inputs

        chunks = stream_inputs(
            self.paths, kinds=self.kinds, parameters=self.parameters, managed=managed_documents(), stdin=self.stdin
        )
        for chunk in chunks:
            self.inputs += chunk.inputs
            self.loose += len(chunk.policies)
            accounts: Sequence[Account] = chunk.accounts
            policies: Sequence[NamedPolicy] = chunk.policies
            if self.live:
                from mantle_iam.workflow.audit_live import live_account, live_inputs, live_policy

                accounts = [live_account(account, self.live) for account in accounts]
                policies = [live_policy(policy, self.live) for policy in policies]
                self.inputs[:] = live_inputs(self.inputs, self.live)
            if self.watcher is not None:
                self.watcher.see(accounts, policies)
            yield from accounts

    @property
    def incomplete(self) -> bool:
        """Whether something was not, or not wholly, read."""
        return any(one.status is not InputStatus.READ for one in self.inputs)


def managed_documents() -> dict[str, PolicyDocument]:
    """The newest shipped version of each of AWS's managed policies, by ARN in every partition that has the service."""
    newest: dict[str, tuple[int, object]] = {}
    for path in sorted((bundled.policies() / "managed").glob("*.json")):
        shipped = json.loads(path.read_text("utf-8"))
        arn, version = shipped.get("arn"), str(shipped.get("version", "v0")).removeprefix("v")
        number = int(version) if version.isascii() and version.isdigit() else 0
        if isinstance(arn, str) and number >= newest.get(arn, (-1, None))[0]:
            newest[arn] = (number, shipped["document"])
    found: dict[str, PolicyDocument] = {}
    for arn, (_, source) in newest.items():
        document = parse_policy(json.dumps(source))
        for partition in ("aws", "aws-us-gov"):
            found[arn.replace("arn:aws:", f"arn:{partition}:", 1)] = document
    return found


def read_requirements(text: str, name: str, notes: list[str] | None = None) -> tuple[Rule, ...]:
    """The rules of a requirements file in JSON or YAML.  ``notes`` gets what is odd about them and may be right all the same.

    Raises:
        InputError: it is neither, or not such a file; the message names the file.
    """
    try:
        if text.lstrip()[:1] in ("{", "["):
            return _checked(read_rules(load_json(text)), notes)
        from mantle_iam.collect.yaml_text import read_all_yaml

        return _checked(read_rules(_only(read_all_yaml(text))), notes)
    except InputError as error:
        raise InputError(f"{name}: {error.message}", help=error.help) from None
    except RecursionError:
        raise InputError(f"{name}: nested too deeply") from None
    except ValueError:
        raise InputError(f"{name}: not JSON", help="write JSON, or YAML that does not begin with a brace") from None


def _checked(rules: tuple[Rule, ...], notes: list[str] | None) -> tuple[Rule, ...]:
    """The rules with projects, models and regions as the service knows them; what nothing can be called is refused."""
    from mantle_iam.generate.scoping import checked_scope

    found = []
    for rule in rules:
        wanted = rule.wanted
        try:
            checked = checked_scope(regions=wanted.regions, projects=wanted.projects, models=wanted.models)
        except InputError as error:
            raise InputError(f"the requirement `{rule.name}`: {error.message}", help=error.help) from None
        scope = checked.scope
        if notes is not None:
            notes += [f"requirement `{rule.name}`: {note}" for note in checked.notes]
        wanted = replace(wanted, regions=scope.regions, projects=scope.projects, models=scope.models)
        found.append(replace(rule, wanted=wanted))
    return tuple(found)


def _only(documents: list[Any]) -> Any:
    """The only one: rules in a second document must not be left out in silence."""
    if len(documents) > 1:
        raise InputError(f"{len(documents)} documents in one file of requirements", help="make it one list of rules")
    return documents[0]
