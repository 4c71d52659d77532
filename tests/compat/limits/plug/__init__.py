"""A pytest plug-in for runs of their suites: ours in the place of memory://, and what was found."""
