"""OpenTelemetry: what is told of checks, where it is switched on."""
