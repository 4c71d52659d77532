"""The rule of a key, under which it is counted: as apps are told it in reports. Pure."""

from sidegate.reports.rules import OTHER, rule_of

__all__ = ["OTHER", "rule_of"]
