"""From records to a verdict and a report. Pure."""
