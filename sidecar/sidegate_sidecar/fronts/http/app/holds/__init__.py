"""Reservations over the HTTP API: what is asked, and how it is answered."""
