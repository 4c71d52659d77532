"""The views in both WSGI frameworks, in one process."""

from __future__ import annotations

from tests.cluster.spelling import django_views, flask_views
from tests.cluster.spelling.limited import apps
from tests.cluster.spelling.picking import wsgi

app = wsgi(apps({"flask": flask_views.flask, "django": django_views.wsgi}))
