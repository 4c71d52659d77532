"""The links of what is held for a while: what apps and nodes say of it, and what they are told."""
