"""headgate: rate limits shared by all processes of a service, without a store."""
