"""Values under keys, for a time, within a bound of bytes. Pure."""
