"""`sidegate rules plan`: what new rules would change, by what came to the old ones."""
