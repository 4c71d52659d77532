"""The load test: requests at planned moments, whatever the answers do, and a verdict."""
