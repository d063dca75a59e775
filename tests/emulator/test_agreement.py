"""Two programs that do not know each other agree: what `diagnose` reads from the emulator's answers, and what `evaluate` says.

Policies and requests are random; the emulator decides with all layers, ``diagnose`` sees only the answer's text.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.differential import diagnose
from mantle_iam.emulator.app import DenialStyle, Settings
from mantle_iam.emulator.http import Response
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle.exchange import Auth, Exchange
from mantle_iam.mantle.operations import AuthMethod
from tests.emulator.conftest import ACCOUNT, SESSION_CALLER, USER, Endpoint

PROJECT = f"arn:aws:bedrock-mantle:us-east-1:{ACCOUNT}:project/default"
MODELS = ("openai.gpt-oss-20b", "openai.gpt-oss-120b")

# call, actions that it needs besides the bearer gate, and the resource of each
CALLS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("GET", "/v1/models", (("ListModels", PROJECT),)),
    ("GET", f"/v1/models/{MODELS[0]}", (("GetModel", PROJECT),)),
    ("POST", "/v1/responses", (("CreateInference", PROJECT),)),
    ("GET", "/v1/files", (("ListFiles", PROJECT),)),
    ("GET", "/v1/data_retention", (("GetAccountDataRetention", "*"),)),
    (
        "GET",
        "/v1/organization/projects",
        (("ListProjects", PROJECT.replace("default", "*")), ("ListTagsForResource", PROJECT.replace("default", "*"))),
    ),
)
AUTHS = {
    "long-term": (Auth.BEARER, AuthMethod.LONG_TERM_KEY, "LONG_TERM"),
    "short-term": (Auth.BEARER, AuthMethod.SHORT_TERM_KEY, "SHORT_TERM"),
    "sigv4": (Auth.SIGV4, AuthMethod.SIGV4, None),
    "session": (Auth.SIGV4, AuthMethod.SIGV4, None),
}

ACTIONS = st.sampled_from(
    [
        *(f"bedrock-mantle:{name}" for _, _, needed in CALLS for name, _ in needed),
        "bedrock-mantle:CallWithBearerToken",
        "bedrock-mantle:*",
        "bedrock-mantle:List*",
        "bedrock-mantle:Get*",
        "bedrock:*",
        "*",
    ]
)
RESOURCES = st.sampled_from(["*", PROJECT, PROJECT.replace("default", "*"), PROJECT.replace("default", "proj_other")])
CONDITIONS = st.sampled_from(
    [
        {},
        {},
        {"StringEquals": {"bedrock-mantle:Model": MODELS[0]}},
        {"StringNotEquals": {"bedrock-mantle:Model": MODELS[0]}},
        {"StringEqualsIfExists": {"bedrock-mantle:BearerTokenType": "SHORT_TERM"}},
        {"StringEquals": {"bedrock-mantle:BearerTokenType": "LONG_TERM"}},
    ]
)


@st.composite
def statements(draw: Any, effects: tuple[str, ...]) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": draw(st.sampled_from(effects)),
        "Action": draw(st.lists(ACTIONS, min_size=1, max_size=3, unique=True)),
        "Resource": draw(RESOURCES),
    }
    if condition := draw(CONDITIONS):
        statement["Condition"] = condition
    return statement


def documents(*effects: str) -> st.SearchStrategy[Any]:
    made = st.lists(statements(effects), min_size=1, max_size=3)
    return made.map(lambda found: parse_policy({"Version": "2012-10-17", "Statement": found}))


ALLOW_ALL = parse_policy({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
MOSTLY_ALLOW = ("Allow", "Allow", "Allow", "Deny")
OPEN = st.just(ALLOW_ALL)
POLICIES = st.builds(
    PolicySet,
    identity=st.tuples(st.one_of(documents(*MOSTLY_ALLOW), OPEN), documents(*MOSTLY_ALLOW)),
    permissions_boundary=st.one_of(st.none(), st.none(), st.tuples(st.one_of(OPEN, documents("Allow", "Deny")))),
    session=st.one_of(st.none(), st.tuples(st.one_of(OPEN, documents("Allow")))),
    scp=st.one_of(st.none(), st.tuples(st.tuples(OPEN), st.tuples(OPEN, documents("Deny")))),
)


def expected(call: Any, auth: str, model: str, policies: PolicySet) -> list[tuple[str, str, Decision]]:
    """Every need of the call with ``evaluate``'s answer, in the order in which the service asks."""
    principal = SESSION_CALLER.principal if auth == "session" else USER
    token = AUTHS[auth][2]
    needed = [(f"bedrock-mantle:{name}", resource, {"bedrock-mantle:Model": model}) for name, resource in call[2]]
    answers = []
    if token:
        needed.insert(0, ("bedrock-mantle:CallWithBearerToken", "*", {"bedrock-mantle:BearerTokenType": token}))
    for action, resource, context in needed:
        carried = context if action.endswith(("CreateInference", "CallWithBearerToken")) else {}
        request = AuthorizationRequest(principal, action, (resource,), ACCOUNT, carried)
        answers.append((action, resource, evaluate(request, policies).decision))
    return answers


def exchange(call: Any, auth: str, model: str, answer: Response) -> Exchange:
    return Exchange(
        method=call[0],
        url=f"https://bedrock-mantle.us-east-1.api.aws{call[1]}",
        auth=AUTHS[auth][0],
        model=model if call[0] == "POST" else None,
        status=answer.status,
        headers=answer.headers,
        body=answer.body.decode(),
    )


@settings(max_examples=300)
@given(
    call=st.sampled_from(CALLS),
    auth=st.sampled_from(sorted(AUTHS)),
    model=st.sampled_from(MODELS),
    policies=POLICIES,
    style=st.sampled_from([DenialStyle.UNAUTHORIZED, DenialStyle.FORBIDDEN]),
)
def test_the_diagnosis_of_an_answer_is_the_evaluation(
    call: Any, auth: str, model: str, policies: PolicySet, style: DenialStyle
) -> None:
    endpoint = Endpoint(policies=policies, settings=Settings(denial_style=style))
    body = {"model": model, "input": "Hi"} if call[0] == "POST" else None
    answer = endpoint.call(call[0], call[1], body, auth=auth)
    refusal = next((each for each in expected(call, auth, model, policies) if each[2] is not Decision.ALLOWED), None)
    assert (answer.status == 200) == (refusal is None)
    found = diagnose(Case(exchanges=(exchange(call, auth, model, answer),), auth=AUTHS[auth][1])).diagnoses[0]
    if refusal is None:
        assert found.code == "allowed"
        return
    action, resource, decision = refusal
    explicit = decision is Decision.EXPLICIT_DENY
    assert found.code == ("explicit-deny" if explicit else "missing-permission")
    assert found.effect == ("explicit" if explicit else "implicit")
    assert (found.actions, found.resource) == ((action,), resource)
    assert found.principal == (SESSION_CALLER.principal if auth == "session" else USER)
    assert found.policy_type is not None
    layer = evaluate_layer(call, auth, model, policies, action, resource)
    assert found.policy_type in layer


def evaluate_layer(call: Any, auth: str, model: str, policies: PolicySet, action: str, resource: str) -> set[str]:
    """The layers that ``evaluate`` holds answerable for a refusal."""
    token = AUTHS[auth][2]
    context: dict[str, str] = {}
    if action.endswith("CallWithBearerToken") and token:
        context = {"bedrock-mantle:BearerTokenType": token}
    if action.endswith("CreateInference"):
        context = {"bedrock-mantle:Model": model}
    principal = SESSION_CALLER.principal if auth == "session" else USER
    result = evaluate(AuthorizationRequest(principal, action, (resource,), ACCOUNT, context), policies)
    return {ref.policy_type for ref in result.determining} | set(result.withheld_by)
