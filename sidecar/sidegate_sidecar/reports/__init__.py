"""Reports: what was decided of late, by rule, key, source and time. Pure."""
