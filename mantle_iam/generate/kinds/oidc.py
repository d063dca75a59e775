"""Who stands behind an OpenID Connect token: GitHub's subjects, EKS's, and the provider's ARN.

Decides what the conditions on ``aud`` and ``sub`` compare with; knows no statement.  A wildcard stands only where the text cannot
hold one by itself, and never in the repository: ``repo:*`` or ``repo:octo*`` would trust strangers.

Sources: https://docs.github.com/en/actions/reference/security/oidc (subjects, immutable ones since July 2026, ``:`` as ``%3A``),
https://git-scm.com/docs/git-check-ref-format,
https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html,
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.kinds.wish import Wish
from mantle_iam.mantle.endpoint import partition_of

GITHUB_PROVIDER: Final = "token.actions.githubusercontent.com"
STS_AUDIENCE: Final = "sts.amazonaws.com"
CHINA_AUDIENCE: Final = "sts.amazonaws.com.cn"

_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS: Final = frozenset("0123456789")
_LOWER: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


@dataclass(frozen=True, slots=True)
class Subjects:
    """Values of ``sub`` that are trusted."""

    values: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def operator(self) -> str:
        """``StringLike`` only where a value is a pattern."""
        return "StringLike" if any(c in value for value in self.values for c in "*?") else "StringEquals"


def github_subjects(wish: Wish) -> Subjects:
    """The subjects of the workflows that are trusted.

    Raises:
        InputError: nothing is said about repository or workflow, a name is impossible, or a pattern would trust strangers.
    """
    if wish.subject:
        if wish.repository or wish.branch or wish.environment or wish.tag_ref:
            raise InputError(
                "the subject and its parts are both given",
                help="give the whole subject, or the repository and what goes with it",
            )
        return Subjects((_checked_subject(wish.subject),), tuple(_repository_notes(wish.subject[5:].partition(":")[0])))
    repository = _checked_repository(wish.repository)
    found: list[str] = []
    notes = list(_repository_notes(repository))
    if wish.branch:
        found.append(f"repo:{repository}:ref:refs/heads/{_checked_ref(wish.branch, 'branch')}")
    if wish.tag_ref:
        found.append(f"repo:{repository}:ref:refs/tags/{_checked_ref(wish.tag_ref, 'tag')}")
    if wish.environment:
        found.append(f"repo:{repository}:environment:{_checked_environment(wish.environment)}")
        notes.append(
            "a job that names an environment has only that in its subject: which branches may deploy to it is the "
            "environment's own protection rule on GitHub"
        )
    if not found:
        raise InputError(
            f"it is not said which workflows of `{repository}` may take on the role",
            help="--branch main, --environment production or --git-tag v1; --branch '*' for every branch",
        )
    return Subjects(tuple(found), tuple(notes))


def github_audience(partition: str) -> str:
    """``aud`` as the action ``aws-actions/configure-aws-credentials`` asks for it in ``partition``."""
    return CHINA_AUDIENCE if partition == "aws-cn" else STS_AUDIENCE


def eks_subject(wish: Wish) -> str:
    """``sub`` of the tokens of one Kubernetes service account.

    Raises:
        InputError: namespace or service account is missing or impossible.
    """
    namespace = kubernetes_name(wish.namespace, "namespace", 63, dots=False)
    account = kubernetes_name(wish.service_account, "service account", 253, dots=True)
    return f"system:serviceaccount:{namespace}:{account}"


def kubernetes_name(text: str, what: str, longest: int, *, dots: bool) -> str:
    """A name as Kubernetes takes it (RFC 1123), never a pattern.

    Raises:
        InputError: it is missing or impossible.
    """
    option = f"--{what.replace(' ', '-')}"
    if not text:
        raise InputError(f"the {what} is missing", help=f"{option} takes its name")
    parts = text.split(".") if dots else [text]
    if len(text) > longest or not all(_is_label(part) for part in parts):
        raise InputError(
            f"`{text[:80]}` is not the name of a {what}",
            help=f"lower-case letters, digits and -{' and .' if dots else ''}; a pattern would trust every pod that fits",
        )
    return text


def checked_provider(text: str, partition: str) -> str:
    """Host and path of an OpenID Connect provider, without scheme, as its ARN and the names of condition keys have it.

    Raises:
        InputError: it is none, or belongs to another partition.
    """
    provider = text.strip().removeprefix("https://").rstrip("/")
    host = provider.partition("/")[0]
    fine = _LETTERS | _DIGITS | frozenset("-._~/")
    if (
        not provider
        or len(provider) > 240
        or not all(c in fine for c in provider)
        or "//" in provider
        or "." not in host
        or not all(_is_label(part) for part in host.split("."))
    ):
        raise InputError(
            f"`{text[:80]}` is not the URL of an OpenID Connect provider",
            help="aws eks describe-cluster --name CLUSTER --query cluster.identity.oidc.issuer prints that of a cluster",
        )
    region = _eks_region(host)
    if region and partition_of(region) != partition:
        raise InputError(
            f"the provider is in {region}, which is not in the partition {partition}",
            help=f"--partition {partition_of(region)}",
        )
    return provider


def is_eks_provider(provider: str) -> bool:
    """Whether it has the form of a cluster's provider."""
    return bool(_eks_region(provider.partition("/")[0])) and "/id/" in provider


def _eks_region(host: str) -> str:
    """The region in ``oidc.eks.REGION.amazonaws.com`` or ``oidc-eks.REGION.api.aws``, or nothing."""
    for head, tails in (("oidc.eks.", (".amazonaws.com", ".amazonaws.com.cn")), ("oidc-eks.", (".api.aws",))):
        for tail in tails:
            if host.startswith(head) and host.endswith(tail):
                region = host[len(head) : -len(tail)]
                if region and "." not in region:
                    return region
    return ""


def _repository_notes(repository: str) -> list[str]:
    if "@" in repository:
        return []
    return [
        f"repositories made, renamed or moved since July 2026 send OWNER@ID/NAME@ID in the subject: if {repository} is one, give "
        f"it so (gh api repos/{repository}/actions/oidc/customization/sub shows it); the ids also keep a later owner of the "
        "name out"
    ]


def _checked_repository(text: str) -> str:
    if not text:
        raise InputError("the repository is missing", help="--repository OWNER/NAME")
    owner, slash, name = text.partition("/")
    if any(c in text for c in "*?"):
        raise InputError(
            f"`{text[:80]}` is a pattern of repositories",
            help="name one repository: whoever can make one that fits could take on the role",
        )
    owner_name, owner_at, owner_id = owner.partition("@")
    repo_name, repo_at, repo_id = name.partition("@")
    plain = (
        slash
        and 1 <= len(owner_name) <= 100
        and all(c in _LETTERS | _DIGITS | {"-", "_"} for c in owner_name)
        and 1 <= len(repo_name) <= 100
        and all(c in _LETTERS | _DIGITS | {"-", "_", "."} for c in repo_name)
        and repo_name not in (".", "..")
    )
    ids = owner_at == repo_at and all(
        not at or (1 <= len(number) <= 20 and all(c in _DIGITS for c in number))
        for at, number in ((owner_at, owner_id), (repo_at, repo_id))
    )
    if not plain or not ids:
        raise InputError(
            f"`{text[:80]}` is not a repository",
            help="it reads OWNER/NAME, or OWNER@ID/NAME@ID with the numbers of both",
        )
    return text


def _checked_subject(text: str) -> str:
    head, _, rest = text.partition(":")
    repository, _, tail = rest.partition(":")
    if head != "repo" or not repository or not tail:
        raise InputError(
            f"`{text[:80]}` is not a subject of GitHub Actions",
            help="it reads repo:OWNER/NAME:ref:refs/heads/BRANCH, repo:OWNER/NAME:environment:NAME or repo:OWNER/NAME:*",
        )
    _checked_repository(repository)
    return _writable(text, "subject")


def _checked_ref(text: str, what: str) -> str:
    """A branch or tag, or a pattern of them: Git allows no ``*`` and ``?`` in a name, so there is no doubt which it is."""
    name = text.removeprefix("refs/heads/").removeprefix("refs/tags/")
    parts = name.split("/")
    if (
        not name
        or any(c in name for c in " ~^:[\\")
        or any(part.startswith(".") or part.endswith(".lock") or not part for part in parts)
        or ".." in name
        or "@{" in name
        or name.endswith(".")
        or name == "@"
        or not name.isprintable()
    ):
        raise InputError(f"`{text[:80]}` is not the name of a {what}", help="see git check-ref-format")
    return _writable(name, what)


def _checked_environment(text: str) -> str:
    if not text.strip() or len(text) > 255 or not text.isprintable() or any(c in text for c in "*?"):
        raise InputError(
            f"`{text[:80]}` is not the name of an environment", help="give one environment by its name; no pattern"
        )
    return _writable(text, "environment").replace(":", "%3A")


def _writable(text: str, what: str) -> str:
    """``text``, when a policy can hold it as it is."""
    if "${" in text:
        raise InputError(f"the {what} `{text[:80]}` holds `${{`, which begins a policy variable", help="rename it")
    if not all("\x20" <= c <= "\xff" and c.isprintable() for c in text) or len(text) > 500:
        raise InputError(f"the {what} `{text[:80]}` holds characters that a policy cannot hold", help="rename it")
    return text


def _is_label(text: str) -> bool:
    return 1 <= len(text) <= 63 and all(c in _LOWER for c in text) and text[0] != "-" and text[-1] != "-"
