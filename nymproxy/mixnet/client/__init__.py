"""The client as others see it: what waits, connects and is told around a client's machine.

- :mod:`~nymproxy.mixnet.client.message_client`: ``MessageClient``, one client at one gateway;
- :mod:`~nymproxy.mixnet.client.connecting`: how it starts;
- :mod:`~nymproxy.mixnet.client.shell`: its callers, and whoever watches its status;
- :mod:`~nymproxy.mixnet.client.group`: several clients at different gateways, as one;
- :mod:`~nymproxy.mixnet.client.roaming`: a client that goes to another gateway;
- :mod:`~nymproxy.mixnet.client.watching`: who is told how a client fares.

All of them but the last do I/O, so each is imported from its own module.
"""
