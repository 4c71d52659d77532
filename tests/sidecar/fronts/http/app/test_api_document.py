"""The OpenAPI document, and the pages that show it."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from re import findall
from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- the document


async def test_the_document_is_complete(client: httpx2.AsyncClient) -> None:
    """Each call has words, each field a description, each reference a target."""
    answer = await client.get("/openapi.json")
    document = answer.json()
    page = await client.get("/docs")
    assert document["paths"].keys() == {
        "/v1/check",
        "/v1/reserve",
        "/v1/commit",
        "/v1/keys",
        "/v1/keys/{key}",
        "/v1/nodes",
        "/v1/owner",
        "/v1/report",
        "/v1/leave",
        "/v1/live",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    schemas = document["components"]["schemas"]
    for call in _calls(document):
        assert call["summary"]
        for parameter in call.get("parameters", []):
            assert parameter["description"]
    for name, schema in schemas.items():
        for field, about in schema.get("properties", {}).items():
            target = schemas.get(about.get("$ref", "").rpartition("/")[2], {})
            assert (about | target).get("description"), (name, field)
    for reference in findall(r'"\$ref":\s*"([^"]+)"', answer.text):
        assert reference.removeprefix("#/components/schemas/") in schemas
    for summary in (call["summary"] for call in _calls(document)):
        assert escape(summary) in page.text


async def test_the_document_has_examples_that_work(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    content = document["paths"]["/v1/check"]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    schema = document["components"]["schemas"]["CheckRequest"]
    for body in [example["value"] for example in examples.values()] + schema["examples"]:
        assert (await client.post("/v1/check", json=body)).status_code == 200
    assert len(examples) >= 2


async def test_the_document_says_what_needs_the_secret(client: httpx2.AsyncClient) -> None:
    """Calls that change something name the security scheme; problems have their media type."""
    document = (await client.get("/openapi.json")).json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    secured = {call["operationId"] for call in _calls(document) if "security" in call}
    asking = {"peek", "nodes", "owner", "keys", "report", "live"}
    assert secured == {
        "check",
        "reserve",
        "commit",
        "reset",
        "reset_keys",
        "leave",
        "forget",
        *asking,
    }
    for call in _calls(document):
        for status, answer in call["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == ["application/problem+json"]
                assert answer["content"]["application/problem+json"]["example"]["detail"]


def _calls(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for path in document["paths"].values() for call in path.values()]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_pages_load_nothing(path: str, client: httpx2.AsyncClient) -> None:
    """Nothing on a page comes from elsewhere, and a browser is told to run and frame nothing."""
    answer = await client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not findall(
        r"<(?:script|link|img|iframe|object|embed)\b|\ssrc=|url\(|@import", answer.text
    )
    assert findall(r'href="([^"]*)"', answer.text) == ["/openapi.json"]
    policy = answer.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    (style,) = findall(r"<style>(.*?)</style>", answer.text.replace("\n", "\x00"))
    digest = sha256(style.replace("\x00", "\n").encode()).digest()
    assert f"style-src 'sha256-{b64encode(digest).decode()}'" in policy
