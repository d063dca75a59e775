"""What an audit reads: tasks, one for each input that stands for itself; what became of every input; requirements.

Composes ``collect`` with the managed policies that are shipped; no argument line and no printing here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from mantle_iam import bundled
from mantle_iam.audit.matrix import Plan
from mantle_iam.audit.requirements import Rule, read_rules
from mantle_iam.collect.dump_parts import parts_of
from mantle_iam.collect.dump_reader import Dump
from mantle_iam.collect.fields import shown
from mantle_iam.collect.openers import LARGEST, Opener
from mantle_iam.errors import InputError
from mantle_iam.iam.grammar import load_json, parse_policy
from mantle_iam.iam.inventory import Account, Input, InputStatus, NamedPolicy, Purpose
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.workflow.audit_findings import Findings, Texts
from mantle_iam.workflow.audit_work import Done, Job, Task, Worker, named
from mantle_iam.workflow.live_places import live_inputs, together


@dataclass(slots=True)
class Accounts:
    """Accounts of files and folders; ``inputs`` is complete when every task was taken back.

    ``kinds`` says what the documents of a path are for.  ``live`` is one of ``paths``: the folder of accounts that were just read
    live, which nobody knows by its name.
    """

    paths: Sequence[str] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    held: Mapping[str, bytes] = field(default_factory=dict)
    """Bytes of ``paths`` that are no files here."""
    inputs: list[Input] = field(default_factory=list)
    loose: int = 0
    """Documents that bind no principal."""
    kinds: Mapping[str, Purpose] = field(default_factory=dict)
    live: str = ""
    findings: Findings | None = None
    """Gets what the rules of lint say."""
    given: Iterable[Account] = ()
    """Accounts that are there already."""
    _texts: Texts = field(init=False, default_factory=lambda: Texts(Opener()))

    def begin(self, plan: Plan, *, hold: bool = False) -> tuple[Job, Iterator[Task]]:
        """Read what belongs together; answers what all tasks have in common, and the tasks.

        ``hold``: tasks bring the bytes of their files.
        """
        settings = None if self.findings is None else self.findings.settings
        if not self.paths:
            return Job(plan), (Task(account.id, account) for account in self.given)
        from mantle_iam.collect.files import survey_inputs

        managed = managed_documents()
        survey = survey_inputs(
            self.paths,
            kinds=self.kinds,
            parameters=self.parameters,
            managed=managed,
            stdin=self.stdin,
            held=self.held,
            regions=asked_regions(plan),
            layered=True,
        )
        self._texts = Texts(survey.opener)
        first = named(survey.first, self.live) if self.live else survey.first
        self.inputs += first.inputs
        self.loose += len([one for one in first.policies if not self._of_everybody(one)])
        if self.findings is not None:
            self.findings.see(first.accounts, first.policies, self._texts)

        def tasks() -> Iterator[Task]:
            for account in first.accounts:
                yield Task(account.id, account)
            for dump in survey.dumps:
                room = 0 if self.findings is None else self.findings.room
                for part, held in parts_of(dump, survey.opener):
                    files = dict(_files(dump, survey.opener, hold)) if held is None else {dump.path: held}
                    yield Task(dump.path, None, part, files, room)

        return Job(plan, settings, self.live, survey.binding, managed), tasks()

    def _of_everybody(self, policy: NamedPolicy) -> bool:
        """Whether it is of an organization's tree, which binds whole accounts."""
        given = [path for path, purpose in self.kinds.items() if purpose is policy.purpose]
        return any(policy.place.path == path or Path(policy.place.path).is_relative_to(path) for path in given)

    def take(self, task: Task, done: Done) -> None:
        """A task is done; they come in their order."""
        if task.dump is not None and task.dump.part and self.inputs:
            self.inputs[-1] = together(self.inputs[-1], *done.inputs)
        else:
            self.inputs += done.inputs
        self.loose += done.loose
        if self.findings is not None and task.dump is not None:
            paths = () if self.live else task.dump.paths
            self.findings.take(done.seen, paths, self._texts)

    def fail(self, task: Task, error: str) -> None:
        """A task failed as often as it was tried."""
        self.inputs.append(Input(shown(task.name), InputStatus.FAILED, "", (f"could not be audited: {shown(error)}",)))

    def __iter__(self) -> Iterator[Account]:
        """The accounts alone, read here and not audited."""
        job, tasks = self.begin(Plan())
        worker = Worker(job)
        for task in tasks:
            if task.account is not None:
                yield task.account
            for chunk in worker.read(task):
                self.take(task, Done(inputs=chunk.inputs, loose=len(chunk.policies)))
                yield from chunk.accounts
        self.end()

    def end(self) -> None:
        """All tasks were taken back."""
        if self.live:
            self.inputs[:] = live_inputs(self.inputs, self.live)

    @property
    def incomplete(self) -> bool:
        """Whether something was not, or not wholly, read."""
        return any(one.status is not InputStatus.READ for one in self.inputs)


def asked_regions(plan: Plan) -> tuple[str, ...]:
    """Regions that the questions or the rules of a plan name."""
    wanted = (plan.matrix, *(rule.wanted for rule in plan.rules))
    return tuple(dict.fromkeys(region for one in wanted for region in one.regions))


def _files(dump: Dump, opener: Opener, hold: bool) -> Iterator[tuple[str, bytes]]:
    """Bytes of a dump's files: those that can be read only once, or all.  What cannot be read is left to whoever needs it."""
    for path in dump.paths if not dump.account else _collected(dump) if hold else ():
        held = opener.held(path)
        if held is not None:
            yield path, held
        elif hold:
            try:
                if os.stat(path).st_size <= LARGEST:  # noqa: PTH116 - a hostile name raises in pathlib
                    yield path, Path(path).read_bytes()
            except (OSError, ValueError):
                continue


def _collected(dump: Dump) -> Iterator[str]:
    """Files of an account of iam-collect, and of AWS's own policies, to which it may refer."""
    for top in (dump.path, str(Path(dump.paths[0], "accounts", "aws", "iam", "policy"))):
        for folder, names, files in os.walk(top):
            names.sort()
            yield from (os.path.join(folder, name) for name in sorted(files) if name.endswith(".json"))  # noqa: PTH118


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


def read_parameters(text: str, name: str) -> dict[str, str]:
    """Template parameters of a file in either of CloudFormation's forms, or of an object of names and values.

    Source: https://docs.aws.amazon.com/cli/latest/reference/cloudformation/deploy/ (``--parameter-overrides``).

    Raises:
        InputError: it is none of them; the message names the file.
    """
    wrong = InputError(
        f"{name}: no file of parameters",
        help='[{"ParameterKey": …, "ParameterValue": …}], {"Parameters": {…}} or an object of names and values',
    )
    try:
        value = load_json(text)
    except (ValueError, RecursionError):
        raise wrong from None
    if isinstance(value, Mapping):
        value = value.get("Parameters", value)
    elif isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
        # What the deployed stack has is not known here.
        given = [one for one in value if not one.get("UsePreviousValue")]
        value = {str(one.get("ParameterKey", "")): one.get("ParameterValue") for one in given}
    if not isinstance(value, Mapping):
        raise wrong
    found = {key: _plain(one) for key, one in value.items() if key}
    texts = {key: one for key, one in found.items() if one is not None}
    if len(texts) < len(value):
        raise wrong
    return texts


def _plain(value: object) -> str | None:
    """A parameter's value as it would be on a command line: a list with commas, as CloudFormation has it."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    if isinstance(value, bool):
        return json.dumps(value)
    return str(value) if isinstance(value, str | int | float | Decimal) else None


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
