"""What a cluster of sidecars does: backup, failover, rolling deploys, handover."""
