"""The way from the old TcpProxy to nymproxy: the ``nymproxy-migrate`` command."""
