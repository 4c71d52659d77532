"""The reference of the API at /docs: OpenAPI as HTML, with nothing loaded from anywhere. Pure."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from json import dumps
from typing import TYPE_CHECKING, Any

from sidegate.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Part = Mapping[str, Any]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: 14px/1.45 ui-monospace, monospace }
pre { background: #8881; padding: .6rem .8rem; overflow-x: auto }
section { border-top: 1px solid #8884; margin-top: 1.5rem }
h3 code { font-size: 1rem }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid #8883; padding: .3rem .8rem .3rem 0; vertical-align: top }
:root { color-scheme: light dark }
"""
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_HASH}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

GUARDS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)
"""What goes with the page: a browser runs no script on it, and shows it in no frame."""


def page_of(document: Part) -> str:
    """Return the page for an OpenAPI document."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>sidegate {escape(__version__)}</title><style>{_STYLE}</style>"
        f"<h1>sidegate {escape(__version__)}</h1>{_text(document['info']['description'])}"
        '<p>For programs: <a href="/openapi.json">openapi.json</a></p>'
        f"{''.join(_calls(document))}<h2>Fields</h2>{''.join(_schemas(document))}</html>"
    )


def _calls(document: Part) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>{_text(tag['description'])}"
        for path, methods in document["paths"].items():
            for method, call in methods.items():
                if tag["name"] in call["tags"]:
                    yield _call(f"{method.upper()} {path}", call)


def _call(name: str, call: Part) -> str:
    rows = [(it["name"], it.get("description", "")) for it in call.get("parameters", [])]
    secret = "<p>Needs the secret, if one is set.</p>" if "security" in call else ""
    return (
        f"<section><h3><code>{escape(name)}</code> {escape(call['summary'])}</h3>"
        f"{_text(call.get('description', ''))}{secret}{_table(rows)}{''.join(_bodies(call))}"
        f"{_table(list(_answers(call)))}</section>"
    )


def _bodies(call: Part) -> Iterator[str]:
    for content in call.get("requestBody", {}).get("content", {}).values():
        for example in content.get("examples", {}).values():
            yield f"<p>{escape(example['summary'])}:</p><pre>{_json(example['value'])}</pre>"


def _answers(call: Part) -> Iterator[tuple[str, str]]:
    for status, answer in call["responses"].items():
        contents: list[Part] = list(answer.get("content", {}).values())
        details = [it["example"]["detail"] for it in contents if "example" in it]
        yield status, details[0] if details else answer["description"]


def _schemas(document: Part) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        fields = schema.get("properties", {})
        rows = [(field, about.get("description", "")) for field, about in fields.items()]
        examples = "".join(f"<pre>{_json(it)}</pre>" for it in schema.get("examples", []))
        about = _text(schema.get("description", ""))
        yield f"<section><h3>{escape(name)}</h3>{about}{_table(rows)}{examples}</section>"


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{_marked(text)}" for name, text in rows
    )
    return f"<table>{cells}</table>" if rows else ""


def _text(text: str) -> str:
    return "".join(f"<p>{_marked(part)}</p>" for part in text.split("\n\n") if part.strip())


def _marked(text: str) -> str:
    """Return a text as HTML, with what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{it}</code>" if at % 2 else it for at, it in enumerate(parts))


def _json(value: object) -> str:
    return escape(dumps(value, indent=2, ensure_ascii=False))
