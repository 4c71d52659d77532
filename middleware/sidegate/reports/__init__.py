"""Reports: what is asked about what was decided of late, and what the answer says. Pure."""
