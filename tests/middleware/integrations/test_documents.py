"""What the documents show of integrations runs, word by word."""

import re
from pathlib import Path
from typing import Final

import pytest

pytest_plugins = ["pytester"]

DOCUMENTS: Final = Path(__file__).parents[3] / "docs/apps"
BLOCK: Final = re.compile(r"^```python\n# (\w+)\.py\n(.*?)^```", re.MULTILINE | re.DOTALL)

DJANGO: Final = {
    "conftest": """
        import django

        django.setup()
    """,
    "urls": """
        from django.urls import path

        from views import Codes, Uploads

        urlpatterns = [path("uploads", Uploads.as_view()), path("codes/<phone>", Codes.as_view())]
    """,
}
SETTINGS: Final = """
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["testserver"]
SECRET_KEY = "of a test"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
"""


def test_celery(pytester: pytest.Pytester) -> None:
    """Tasks, and a test of them, as the blocks have them."""
    blocks = dict(BLOCK.findall((DOCUMENTS / "celery.md").read_text("utf-8")))
    assert blocks.keys() == {"tasks", "payments", "test_tasks"}
    pytester.makepyfile(conftest="import payments", **blocks)
    done = pytester.runpytest_subprocess("-Werror", "-pno:cacheprovider", "-pno:asyncio")
    done.assert_outcomes(passed=1)


def test_django_rest_framework(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of the blocks: settings, views, and tests of them."""
    blocks = dict(BLOCK.findall((DOCUMENTS / "django-rest-framework.md").read_text("utf-8")))
    assert blocks.keys() == {"settings", "views", "test_views"}
    pytester.makepyfile(**DJANGO, **blocks | {"settings": SETTINGS + blocks["settings"]})
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "settings")
    done = pytester.runpytest_subprocess("-Werror", "-pno:cacheprovider", "-pno:asyncio")
    done.assert_outcomes(passed=2)
