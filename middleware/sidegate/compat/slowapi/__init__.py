"""slowapi's names over sidegate: the import line is all that changes.

Neither slowapi nor the library `limits` is imported. docs/apps/from-slowapi.md says what differs.
"""

from sidegate.compat.slowapi.extension import Limiter, answer_refusal

_rate_limit_exceeded_handler = answer_refusal

__all__ = ["Limiter", "_rate_limit_exceeded_handler"]
