"""The commands about rules files: `sidegate rules`."""
