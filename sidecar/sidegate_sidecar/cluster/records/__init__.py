"""What nodes say of themselves and of each other's names. Pure."""
