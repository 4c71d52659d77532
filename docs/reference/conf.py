"""How `make docs` builds the pages of this checkout and the reference, with Sphinx.

Sources are read from the root, so that links between pages are the same here as in the repository.
Docstrings are plain English: a name in single backquotes, and examples set in by four blanks.
"""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

import re
from pkgutil import iter_modules
from typing import Final, cast

import django
from django.conf import settings
from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.util.logging import getLogger

import sidegate
import sidegate.integrations

log = getLogger(__name__)

# Modules whose names are in the reference; those of the first are what an app imports.
HOMES: Final = (
    "sidegate",
    "sidegate.testing",
    "sidegate.middleware_options",
    "sidegate.http.request.proxies",
)

EXAMPLE: Final = re.compile(r"(^\S.*\n)\n(?=    )", re.MULTILINE)
LISTED: Final = """
```{toctree}
:hidden:
:glob:
:caption: %s

%s
```
"""
# By the page that they stand behind: what is listed for whom.
CONTENTS: Final = {
    "README": {
        "For who writes apps": "docs/apps/README\ndocs/apps/*\nexamples/**",
        "Reference": "docs/reference/sidegate\ndocs/reference/errors\ndocs/reference/*",
        "For who runs it": "docs/running/*\nSECURITY\ndocs/figures\ncharts/**",
        "For who changes it": "CONTRIBUTING\ndocs/internals/*\nCHANGELOG",
    },
    "docs/internals/architecture": {"Decisions": "decisions/*"},
}

settings.configure()  # which the integration of Django REST framework reads when it is imported
django.setup()

# What Sphinx reads of this file.
project = "sidegate"
release = sidegate.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "README"
include_patterns = ["*.md", "docs/**", "charts/**.md", "examples/**.md"]
exclude_patterns = [".*", "build", "dist"]
default_role = "py:obj"  # a link where it is a public name, and else as it is written
myst_heading_anchors = 4
html_theme = "alabaster"
html_theme_options = {"description": "Rate limits without Redis", "page_width": "70rem"}
html_show_copyright = html_copy_source = False
html_extra_path = ["extra"]  # index.html, which leads to the first page
html_static_path = ["static"]
html_css_files = ["custom.css"]
autodoc_member_order = "bysource"
autoclass_content = "both"
add_module_names = False
python_use_unqualified_type_names = True
python_display_short_literal_types = True


def setup(app: Sphinx) -> None:
    """Called by Sphinx once, when it has read this file."""
    app.add_lexer("hex", TextLexer)
    app.connect("source-read", add_contents)
    app.connect("autodoc-process-docstring", mark_examples)
    app.connect("missing-reference", resolve)
    app.connect("env-check-consistency", require_all)


def add_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """Put all pages behind others, and all integrations on theirs."""
    source[0] += "".join(LISTED % it for it in CONTENTS.get(page, {}).items())
    if page == "docs/reference/integrations":
        source[0] += "".join(
            f"\n{name}\n{'-' * len(name)}\n\n.. automodule:: {name}\n   :members:\n"
            for name in integrations()
        )


def integrations() -> list[str]:
    """Return the modules that fit sidegate into one library each."""
    package = sidegate.integrations
    return sorted(it.name for it in iter_modules(package.__path__, f"{package.__name__}."))


def mark_examples(*arguments: object) -> None:
    """Called for each docstring, whose lines come last: what is set in behind a blank is code."""
    lines = cast("list[str]", arguments[-1])
    lines[:] = EXAMPLE.sub(r"\1\n::\n\n", "\n".join(lines)).split("\n")


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Node
) -> nodes.Node | None:
    """Called for a name that isn't found: what is public is linked, wherever it is at home."""
    domain = env.domains.python_domain
    if node.get("refdomain") != "py":
        return None
    name = public_name(node["reftarget"].split("."), domain)
    if name is None:
        if isinstance(text, nodes.Element):
            text["classes"] = []  # it looks like no link
        return text
    shown = cast("nodes.Element", text)
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, shown)


def public_name(path: list[str], domain: PythonDomain) -> str | None:
    """Return what `Client.check`, or a name and the module that it is from, is called in public."""
    for name in (".".join(path[-2:]), path[-1]):
        found = [it for it in domain.objects if it.endswith(f".{name}")]
        tops = [it for it in found if it.removesuffix(f".{name}") in HOMES]
        if tops:
            return tops[0]
    return None


def require_all(_app: Sphinx, env: BuildEnvironment) -> None:
    """Called when all is read: each public name has its place in the reference."""
    for name in sidegate.__all__:
        if f"sidegate.{name}" not in env.domains.python_domain.objects:
            log.warning("sidegate.%s is on no page of docs/reference", name)
