"""What other limiters show in their own documentation, written for sidegate.

Numbers of requests are theirs, periods are longer: so no token comes back while a test looks.
"""
