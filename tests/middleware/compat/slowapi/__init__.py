"""slowapi's names over sidegate, module by module."""
