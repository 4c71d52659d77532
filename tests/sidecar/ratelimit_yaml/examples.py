"""Configurations as envoyproxy/ratelimit's documentation has them."""

import json
from typing import Any, Final

MESSAGING: Final = """
domain: messaging
descriptors:
  - key: message_type
    value: marketing
    descriptors:
      - key: to_number
        rate_limit: {unit: day, requests_per_unit: 5}
  - key: to_number
    rate_limit: {unit: day, requests_per_unit: 100}
"""

PER_IP: Final = """
domain: edge
descriptors:
  - key: remote_address
    rate_limit: {unit: second, requests_per_unit: 10}
  - key: remote_address
    value: 50.0.0.5
    rate_limit: {unit: second, requests_per_unit: 0}
"""

DEPTH: Final = """
domain: depth
descriptors:
  - key: a
    value: one
    rate_limit: {unit: second, requests_per_unit: 300}
  - key: a
    value: two
    descriptors:
      - key: b
        rate_limit: {unit: second, requests_per_unit: 300}
"""

PATTERNS: Final = """
domain: patterns
descriptors:
  - {key: path, value: /api/*, rate_limit: {unit: minute, requests_per_unit: 20}}
  - {key: path, value: /api/login, rate_limit: {unit: minute, requests_per_unit: 5}}
  - {key: host, value: "*.example.com", rate_limit: {unit: minute, requests_per_unit: 7}}
  - {key: mid, value: a*b*c, rate_limit: {unit: minute, requests_per_unit: 8}}
  - {key: path, rate_limit: {unit: hour, requests_per_unit: 99}}
  - key: tenant
    value: t*
    descriptors:
      - {key: file, value: x*, share_threshold: true, rate_limit: {unit: day, requests_per_unit: 3}}
"""


def long_domain(count: int) -> str:
    """Return a configuration of so many limits, each below 15 values of 1,000 characters."""
    descriptors: list[dict[str, Any]] = []
    for at in range(count):
        chain: dict[str, Any] = {"key": "at", "value": str(at)}
        chain["rate_limit"] = {"unit": "day", "requests_per_unit": 5}
        for depth in range(15):
            chain = {"key": f"k{depth}", "value": f"{at}{'a' * 990}", "descriptors": [chain]}
        descriptors.append(chain)
    return json.dumps({"domain": "long", "descriptors": descriptors})
