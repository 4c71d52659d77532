"""The RESP port: Redis' protocol, for clients of Redis that ask with CL.THROTTLE."""
