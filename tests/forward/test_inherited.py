"""Sockets that the service manager opened."""

from __future__ import annotations

import os
import socket

import pytest

from nymproxy.errors import ConfigurationError
from nymproxy.forward import inherited
from nymproxy.forward.inherited import inherited_descriptors, inherited_socket


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, {}),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "ssh:web"}, {"ssh": 3, "web": 4}),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "ssh"}, {"ssh": 3, "1": 4}),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, {"0": 3}),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, {}),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "x"}, {}),
    ],
)
def test_descriptors_have_names(environ: dict[str, str], found: dict[str, int]) -> None:
    assert inherited_descriptors(environ, 7) == found


def test_a_socket_can_be_taken_more_than_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(inherited, "_FIRST_DESCRIPTOR", server.fileno())
        environ = {
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": "1",
            "LISTEN_FDNAMES": "ssh",
        }
        for _ in range(2):
            with inherited_socket("ssh", environ) as taken:
                assert taken.getsockname() == server.getsockname()


def test_one_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'ssh'.*there are: none"):
        inherited_socket("ssh", {})
