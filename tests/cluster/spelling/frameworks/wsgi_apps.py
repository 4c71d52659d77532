"""The views in both WSGI frameworks, in one process."""

from tests.cluster.spelling.frameworks import django_views, flask_views
from tests.cluster.spelling.frameworks.limited import apps
from tests.cluster.spelling.serving.picking import wsgi

app = wsgi(apps({"flask": flask_views.flask, "django": django_views.wsgi}))
