"""A rules file: YAML or TOML in, the rules out, or each line of it that is wrong."""
