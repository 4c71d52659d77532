"""Who is believed: secrets and certificates, read again when their files change."""
