"""Random Terraform modules, valid by construction, about what policies say of the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from agreement import PROJECTS
from random_values import POOLS, Expressions

_ARN = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/"
_TRUST = """jsonencode({ Version = "2012-10-17", Statement = [
    { Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }
  ] })"""
_ARNS = '["arn:aws:iam::aws:policy/AmazonBedrockMantleFullAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess"]'


@dataclass
class Writer(Expressions):
    """Writes one module, named ``name`` in what it makes."""

    name: str = ""
    blocks: list[str] = field(default_factory=list)

    def resource(self, depth: int = 0) -> str:
        """A resource of a statement."""
        return self.one_of(
            lambda: '"*"',
            lambda: f'"{_ARN}*"',
            lambda: f'"{_ARN}{self.random.choice(PROJECTS)}"',
            lambda: f'"{_ARN}${{{self.text("word", False, depth + 1)}}}"',
            lambda: (
                f'"arn:${{data.aws_partition.here.partition}}:bedrock-mantle:*:*:project/${{{self.text("word", False, 2)}}}"'
            ),
            lambda: f'format("{_ARN}%s", {self.text("word", False, depth + 1)})',
            lambda: '"${aws_s3_bucket.new.arn}/*"',
        )

    def resources(self) -> str:
        """Those of a statement."""
        return self.one_of(
            lambda: f"[{', '.join(self.resource() for _ in range(self.random.randint(1, 2)))}]",
            lambda: f'[for p in {self.many("word")} : "{_ARN}${{p}}"]',
            lambda: f'formatlist("{_ARN}%s", {self.many("word")})',
        )

    def effect(self) -> str:
        """Of a statement; most allow."""
        return self.one_of(
            lambda: '"Allow"',
            lambda: '"Allow"',
            lambda: '"Deny"',
            lambda: f'({self.truth()} ? "Allow" : "Deny")',
        )

    def statement(self) -> str:
        """The body of a ``statement`` block."""
        lines = [] if self.chance(0.5) else [f"effect = {self.effect()}"]
        lines.append(f"{'not_actions' if self.chance(0.1) else 'actions'} = {self.many('action')}")
        lines.append(f"{'not_resources' if self.chance(0.1) else 'resources'} = {self.resources()}")
        if self.chance(0.3):
            test = self.random.choice(("StringEquals", "StringLike", "StringNotEquals"))
            body = f'test = "{test}"\n variable = "bedrock-mantle:Model"\n values = {self.many("model")}'
            if self.chance(0.4):
                over = self.one_of(lambda: f"{self.truth()} ? [1] : []", lambda: self.many("model", True))
                lines.append(f'dynamic "condition" {{\n for_each = {over}\n content {{\n {body}\n }}\n }}')
            else:
                lines.append(f"condition {{\n {body}\n }}")
        return "\n ".join(lines)

    def document(self) -> str:
        """A document data source; answers the expression of its text."""
        name = self.new("d")
        lines = []
        if self.chance(0.2) and self._known("json", False):
            which = self.random.choice(("source_policy_documents", "override_policy_documents"))
            lines.append(f"{which} = [{self.random.choice(self._known('json', False))}]")
        for _ in range(self.random.randint(1, 2)):
            lines.append(f"statement {{\n {self.statement()}\n }}")
        if self.chance(0.4):
            over, value = self.one_of(
                lambda: f"{self.many('action', True)}|s.value",
                lambda: f"toset({self.many('action', True)})|s.value",
                lambda: f"{self.mapping('action', True)}|s.value",
                lambda: f"{self.truth()} ? [{self.text('action', True)}] : []|s.value",
                lambda: f"[for a in {self.many('action')} : {{ a = a }}]|s.value.a",
            ).rsplit("|", 1)
            lines.append(
                f'dynamic "statement" {{\n for_each = {over}\n iterator = s\n content {{\n effect = {self.effect()}\n'
                f" actions = [{value}]\n resources = {self.resources()}\n }}\n }}"
            )
        body = "\n ".join(lines)
        self.blocks.append(f'data "aws_iam_policy_document" "{name}" {{\n {body}\n}}')
        found = f"data.aws_iam_policy_document.{name}.json"
        self.known.setdefault(("json", False), []).append(found)
        return found

    def encoded(self) -> str:
        """A document by ``jsonencode``."""
        statement = f"{{ Effect = {self.effect()}, Action = {self.many('action')}, Resource = {self.resources()} }}"
        more = self.one_of(
            lambda: f"[{statement}]",
            lambda: statement,
            lambda: (
                f'[for a in {self.many("action")} : {{ Effect = "Allow", Action = a, Resource = {self.resource()} }}]'
            ),
            lambda: (
                f"concat([{statement}], [for a in {self.many('action')} : {{ Effect = {self.effect()}, Action = a, "
                f'Resource = "*" }} if {self.truth()}])'
            ),
            lambda: f"flatten([[{statement}], [merge({statement}, {{ Effect = {self.effect()} }})]])",
        )
        return f'jsonencode({{ Version = "2012-10-17", Statement = {more} }})'

    def heredoc(self) -> str:
        """A document as a text of many lines."""
        return (
            f'<<-EOT\n {{"Version": "2012-10-17", "Statement": [{{\n "Effect": "Allow",\n '
            f'"Action": "${{{self.text("action")}}}",\n "Resource": ["{_ARN}${{{self.text("word")}}}"],\n'
            f' "NotPrincipal": null\n }}]}}\n EOT\n'
        ).replace(',\n "NotPrincipal": null', "")

    def policy(self) -> str:
        """The expression of a document's text."""
        return self.one_of(self.document, self.document, self.encoded, self.encoded, self.heredoc)

    # --- resources

    def expansion(self) -> tuple[str, str, str]:
        """A meta argument, what tells the instances apart in their names, and the index of the same in another resource."""
        return self.random.choice(
            (
                ("", "", ""),
                ("", "", ""),
                (f"count = {self.number()}", "-${count.index}", "[count.index]"),
                (f"for_each = toset({self.many('word', True)})", "-${each.key}", "[each.key]"),
                (f"for_each = {self.mapping('word', True)}", "-${each.key}", "[each.key]"),
            )
        )

    def add(self, head: str, *lines: str) -> None:
        """A block of the module."""
        self.blocks.append("\n  ".join((f"{head} {{", *filter(None, lines))) + "\n}")

    def resource_(self, kind: str, name: str, *lines: str) -> str:
        """A resource block; answers its address."""
        self.add(f'resource "{kind}" "{name}"', *lines)
        return f"{kind}.{name}"

    def managed(self, name: str, meta: str = "", suffix: str = "") -> str:
        """A managed policy; answers its address."""
        label = f'name = "{self.name}-{name}{suffix}"'
        return self.resource_("aws_iam_policy", name, meta, label, f"policy = {self.policy()}")

    def role(self) -> None:
        """A role, and what it may."""
        meta, suffix, index = self.expansion()
        name, boundary = self.new("r"), ""
        if self.chance(0.2):
            arn = f"{self.managed(self.new('b'))}.arn"
            boundary = f"permissions_boundary = {self.one_of(lambda: arn, lambda: f'{self.truth()} ? {arn} : null')}"
        address = self.resource_(
            "aws_iam_role",
            name,
            meta,
            f'name = "{self.name}-{name}{suffix}"',
            f"assume_role_policy = {_TRUST}",
            boundary,
        )
        for _ in range(self.random.randint(1, 3)):
            self._given(address, meta, suffix, index)

    def _given(self, role: str, meta: str, suffix: str, index: str) -> None:
        """Something that a role is given."""
        own = self.new("p")
        every = f"values({role})[*].name" if "each" in meta else f"[{role}.name]" if not meta else f"{role}[*].name"
        loop = "each" in meta and self.chance(0.5)
        again, one = (f"for_each = {role}", "each.value") if loop else (meta, f"{role}{index}")
        kind = self.random.randrange(7)
        if kind < 2:
            self._inline(own, again, f'"{own}"', f"{one}.{self.pick('name', 'id')}")
        elif kind == 2:
            self.managed(own, again, suffix)
            self._attach(own, again, f"{one}.name", f"aws_iam_policy.{own}{index}.arn")
        elif kind == 3:
            arn = f"{self.managed(own)}.arn"
            self.resource_(
                "aws_iam_policy_attachment", own, f'name = "{own}"', f"roles = {every}", f"policy_arn = {arn}"
            )
        elif kind == 4 and meta:
            self._attach(own, again, f"{one}.name", f"{_ARNS}[{self.random.randrange(2)}]")
        elif kind == 4:
            self._attach(
                own, f"for_each = toset([for a in {_ARNS} : a if {self.truth()}])", f"{role}.name", "each.value"
            )
        elif kind == 5:
            policy = self.managed(own, f"count = {self.number()}", "-${count.index}")
            number = f"count = length({policy}) > 0 ? length({every}) : 0"
            self._attach(own, number, f"({every})[count.index]", f"{policy}[0].arn")
        else:
            pairs = f"{{ for i, n in {self.many('word', True)} : tostring(i) => n }}"
            product = f"setproduct(keys({pairs}), range(length({every})))"
            over = f'for_each = {{ for p in {product} : "${{p[0]}}-${{p[1]}}" => p }}'
            self._inline(own, over, f'"{own}-${{each.key}}"', f"({every})[tonumber(each.value[1])]")

    def _inline(self, own: str, meta: str, name: str, role: str) -> None:
        self.resource_(
            "aws_iam_role_policy", own, meta, f"name = {name}", f"role = {role}", f"policy = {self.policy()}"
        )

    def _attach(self, own: str, meta: str, role: str, arn: str) -> None:
        self.resource_("aws_iam_role_policy_attachment", own, meta, f"role = {role}", f"policy_arn = {arn}")

    def user(self) -> None:
        """Users in a group."""
        user, group = self.new("u"), self.new("g")
        label = f'name = "{self.name}-{user}-${{count.index}}"'
        users = self.resource_("aws_iam_user", user, f"count = {self.number()}", label)
        groups = self.resource_("aws_iam_group", group, f'name = "{self.name}-{group}"')
        self.resource_(
            "aws_iam_group_policy", group, 'name = "g"', f"group = {groups}.name", f"policy = {self.policy()}"
        )
        self.resource_(
            "aws_iam_user_group_membership",
            user,
            f"count = length({users})",
            f"user = {users}[count.index].name",
            f"groups = [{groups}.name]",
        )

    def call(self) -> None:
        """A call of the module beside this one, and a policy of ours for the role that it makes."""
        name, own = self.new("c"), self.new("p")
        meta, suffix, index = self.expansion()
        deny = ", deny = true" if self.chance(0.5) else ""
        self.add(
            f'module "{name}"',
            'source = "./inner"',
            meta,
            f'name = "{self.name}-{name}{suffix}"',
            f"actions = {self.many('action')}",
            f"documents = {{\n a = {self.policy()}\n b = {self.policy()}\n }}",
            f"conf = {{ project = {self.text('word', True)}{deny} }}",
        )
        policy = self.one_of(self.policy, lambda: f"module.{name}{index}.document")
        role = f"role = module.{name}{index}.role"
        self.resource_("aws_iam_role_policy", own, meta, f'name = "{own}"', role, f"policy = {policy}")

    def locals_(self) -> None:
        """A few locals and variables, each of what is there already."""
        kinds: list[tuple[str, Callable[[bool], str], str]] = []
        for pool in POOLS:
            kinds.append((pool, lambda s, p=pool: self.text(p, s), "string"))  # type: ignore[misc]
            kinds.append((f"{pool}s", lambda s, p=pool: self.many(p, s), "list(string)"))  # type: ignore[misc]
            kinds.append((f"{pool} map", lambda s, p=pool: self.mapping(p, s), "map(string)"))  # type: ignore[misc]
        kinds.append(("truth", lambda s: self.truth(), "bool"))
        for _ in range(self.random.randint(3, 7)):
            kind, make, typed = self.random.choice(kinds)
            name, static = self.new("l"), self.chance(0.6)
            if self.chance(0.3):
                default = self._default(kind)
                self.blocks.append(f'variable "{name}" {{\n type = {typed}\n default = {default}\n}}')
                self.known.setdefault((kind, True), []).append(f"var.{name}")
                continue
            self.blocks.append(f"locals {{\n {name} = {make(static)}\n}}")
            self.known.setdefault((kind, static), []).append(f"local.{name}")

    def _default(self, kind: str) -> str:
        if kind == "truth":
            return self.random.choice(("true", "false", '"true"'))
        pool = kind.split()[0].removesuffix("s")
        values = [f'"{self.random.choice(POOLS[pool])}"' for _ in range(self.random.randint(1, 3))]
        if kind.endswith("map"):
            return f"{{ {', '.join(f'k{i} = {value}' for i, value in enumerate(values))} }}"
        return f"[{', '.join(values)}]" if kind.endswith("s") else values[0]

    def write(self, folder: Path) -> None:
        """The module into its folder."""
        self.blocks.append('resource "terraform_data" "new" {}')
        self.blocks.append('resource "aws_s3_bucket" "new" {}')
        self.blocks.append('data "aws_partition" "here" {}')
        self.blocks.append('locals {\n nested = { a = { b = "one" } }\n}')
        self.locals_()
        for _ in range(self.random.randint(1, 3)):
            self.random.choice((self.role, self.role, self.role, self.user, self.call))()
        self.random.shuffle(self.blocks)
        folder.mkdir(parents=True)
        (folder / "main.tf").write_text("\n".join(self.blocks), "utf-8")
        (folder / "inner").mkdir()
        (folder / "inner" / "main.tf").write_text(_INNER, "utf-8")


_INNER = """
variable "name" {}
variable "actions" {
  type = set(string)
}
variable "documents" {
  type = map(string)
}
variable "conf" {
  type = object({ project = string, deny = optional(bool, false), more = optional(list(string), ["a"]) })
}
resource "aws_iam_role" "this" {
  name               = var.name
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}
resource "aws_iam_role_policy" "each" {
  for_each = var.documents
  name     = each.key
  role     = aws_iam_role.this.id
  policy   = each.value
}
data "aws_iam_policy_document" "own" {
  statement {
    effect    = var.conf.deny ? "Deny" : "Allow"
    actions   = var.actions
    resources = [for p in concat([var.conf.project], var.conf.more) : "arn:aws:bedrock-mantle:*:*:project/${p}"]
  }
}
output "role" {
  value = aws_iam_role.this.name
}
output "document" {
  value = data.aws_iam_policy_document.own.json
}
"""


def write_modules(folder: Path, seed: int, number: int) -> None:
    """A root module in ``folder`` that calls ``number`` random ones."""
    folder.mkdir(parents=True)
    calls = []
    for index in range(number):
        name = f"m{index}"
        Writer(Random(f"{seed} {index}"), name=name).write(folder / name)
        calls.append(f'module "{name}" {{\n source = "./{name}"\n}}\n')
    (folder / "main.tf").write_text("".join(calls), "utf-8")
