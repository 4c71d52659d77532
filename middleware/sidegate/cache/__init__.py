"""Cache and BlockingCache: values that all processes of a service share, without a store."""
