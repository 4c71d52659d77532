"""The files of the page: they are there, they are ours, and a browser is told to be strict."""

import re
from importlib.resources import files

import pytest

from sidegate_sidecar.fronts.http.app import lazy as app_module
from sidegate_sidecar.fronts.http.page.files import FILES
from tests.support.in_process.cluster import cluster
from tests.support.in_process.http_client import http

SVG = "http://www.w3.org/2000/svg"  # a name, which nobody fetches
MODULE = '<script type="module" src="/page/page.js"></script>'
STATIC = files("sidegate_sidecar.fronts.http.page").joinpath("static")
TEXTS = {it.name: it.read_text("utf-8") for it in STATIC.iterdir()}


def test_each_file_has_a_path() -> None:
    assert {*FILES.values()} == TEXTS.keys()


def test_what_a_file_names_is_one_of_ours() -> None:
    """Scripts, styles and pictures are those of the page; links lead to this port."""
    paths = {*FILES, "/docs", "/metrics"}
    for name, text in TEXTS.items():
        assert {*re.findall(r"\w+://[^\"]*|[\"'(]//[^\"]*", text)} <= {SVG}, name
        for path in re.findall(r'(?:href|src)="([^"#]+)"', text):
            assert path in paths
        for path in re.findall(r'from "\./([^"]+)"', text):
            assert f"/page/{path}" in paths


def test_no_file_makes_html_of_a_text() -> None:
    """Names of keys, rules and nodes are anybody's."""
    for name, text in TEXTS.items():
        if name.endswith(".js"):
            assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\b|write\(", text)
        if name.endswith(".html"):
            assert not re.findall(r"<style|style=|\son[a-z]+=", text)
            assert re.findall(r"<script.*", text) == [MODULE]


def test_files_are_short() -> None:
    """Those for a browser too."""
    assert {name for name, text in TEXTS.items() if text.count("\n") > 200} == set()


@pytest.mark.parametrize("path", FILES)
async def test_a_file_is_served_from_memory_with_a_strict_policy(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No app is imported for it; what isn't named in the policy is forbidden."""
    async with cluster("n1", secret=b"a good secret for tests") as (node,), http(node) as client:
        monkeypatch.setattr(app_module.LazyApp, "_server", None)
        answer = await client.get(path, headers={"X-Forwarded-For": "192.0.2.1"})
        assert answer.status_code == 200
        assert answer.text == TEXTS[FILES[path]]
        kind = {"html": "html", "css": "css", "js": "javascript", "svg": "svg"}
        assert kind[FILES[path].rpartition(".")[2]] in answer.headers["content-type"]
        policy = answer.headers["content-security-policy"].split("; ")
        assert policy[0] == "default-src 'none'"
        assert {it.rpartition(" ")[2] for it in policy} == {"'none'", "'self'", "'script'"}
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_only_the_files_are_served() -> None:
    async with cluster("n1") as (node,), http(node) as client:
        for path in ("/page/", "/page/index.html", "/page/../page.py", "/page/static/page.js"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/")).status_code == 405
