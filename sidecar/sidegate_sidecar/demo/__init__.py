"""The demo: three sidecars and three apps as real processes, one of them killed in the middle."""
