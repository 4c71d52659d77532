"""The feed of the page: what all nodes say, once a second, to whoever reads along."""
