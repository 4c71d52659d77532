"""The forward-auth port: proxies ask it by HTTP whether a request of theirs may go on."""
