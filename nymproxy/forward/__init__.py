"""TCP sockets joined to channels: one forwarder for both protocols and for the commands."""
