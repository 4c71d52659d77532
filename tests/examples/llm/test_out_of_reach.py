"""What the gateway answers where its sidecar or the model server can't be reached."""

from importlib import import_module
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.examples.llm.chat import EXAMPLE, PATH, TRIES, bearer, call

create_app = import_module(f"{EXAMPLE}.gateway").create_app
settings = import_module(f"{EXAMPLE}.settings")
NOWHERE = "127.0.0.1:1"  # who listens there needs to be root, and nobody does


@pytest.mark.parametrize(
    ("on_unreachable", "status", "code"),
    [("closed", 503, "limits_unavailable"), ("local", 502, "upstream_error")],
)
def test_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
    on_unreachable: str,
    status: int,
    code: str,
) -> None:
    """By the policy it is refused, or goes on to the model server, which isn't there either."""
    monkeypatch.setenv("SIDEGATE_SIDECAR", NOWHERE)
    account = settings.Account(
        name=TRIES.name, key=TRIES.key, tokens=TRIES.tokens, requests="9/minute", in_flight=2
    )
    told = settings.Settings(
        accounts=[account], upstream=f"http://{NOWHERE}", on_unreachable=on_unreachable
    )
    with TestClient(create_app(told)) as client:
        answers = [client.post(PATH, json=call("say 1"), headers=bearer(TRIES)) for _ in range(4)]
    assert [it.status_code for it in answers] == [status] * 4
    assert {it.json()["error"]["code"] for it in answers} == {code}


def test_accounts_that_are_wrong(tmp_path: Path) -> None:
    """An error names the field, and shows no key."""
    wrong_accounts = tmp_path / "accounts.json"
    wrong_accounts.write_text('[{"name": "ann", "key": ["sk-secret"], "tokens": "9/eon"}]', "utf-8")
    with pytest.raises(ValueError, match=r"0\.tokens\n.* unknown unit") as wrong:
        settings.Settings.of({"LLM_ACCOUNTS": str(wrong_accounts)})
    assert "secret" not in str(wrong.value)
