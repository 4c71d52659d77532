"""Checks that are told to OpenTelemetry: what a client has where it is switched on."""
