"""Names that slowapi, Flask-Limiter and fastapi-limiter have, and how the same is written here."""

from types import MappingProxyType

OF_LIMITERS = MappingProxyType(
    {
        "key_func": "key=",
        "identifier": "key=",
        "application_limits": "the first argument",
        "default_limits_deduct_when": "default_limits_charge_when=",
        "headers_enabled": "headers='legacy'",
        "storage_uri": "sidecar=",
        "key_prefix": "service=",
        "on_breach": "on_denied=",
        "swallow_errors": "on_unreachable='open'",
        "in_memory_fallback_enabled": "on_unreachable='local'",
    }
)
OF_LIMITS = MappingProxyType(
    {
        "key_func": "key=",
        "identifier": "key=",
        "deduct_when": "charge_when=",
        "on_breach": "on_denied=",
        "callback": "on_denied=",
        "skip": "exempt_when=",
    }
)
