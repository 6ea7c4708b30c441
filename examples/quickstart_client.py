import socket
import sys

from nymproxy import NymProxyClient

address, env = sys.argv[1:]
# "bare" hides nothing, and is for local networks: leave it out elsewhere.
client = NymProxyClient(address, listen_port=0, env=env, wire="stream", profile="bare")
with client.in_background() as running, socket.create_connection(running.local_address) as app:
    app.sendall(b"hello through the mixnet")
    app.shutdown(socket.SHUT_WR)
    print(app.makefile().read())
