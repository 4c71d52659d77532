"""What a request asks for and what a response says: rules, keys, limits, headers. No I/O."""
