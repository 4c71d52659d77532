"""The views in blueprints, as Flask and Quart have them."""

from collections.abc import Callable
from typing import Any

from tests.cluster.spelling.frameworks.views import MOUNT, declared


def register(app: Any, blueprint: type[Any], view: Callable[[str], Any]) -> None:
    """Add the views to an app, by a blueprint for those under MOUNT and one for the others."""
    for title, prefix in (("pages", None), ("items", MOUNT)):
        pages = blueprint(title, __name__)
        for name, method, path in declared("<number>", "<path:rest>", mounted=bool(prefix)):
            strict = name != "account"
            pages.add_url_rule(path, name, view(name), methods=[method], strict_slashes=strict)
        app.register_blueprint(pages, url_prefix=prefix)
