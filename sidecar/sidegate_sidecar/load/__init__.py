"""The load generator: requests at planned moments, whatever the answers do, and a verdict."""
