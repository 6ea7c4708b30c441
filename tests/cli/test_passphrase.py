"""The passphrase of the keys: a file before the environment, and a prompt where somebody sits."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from nymproxy.cli.passphrase import VARIABLE, asked_passphrase, key_passphrase
from nymproxy.errors import ConfigurationError, UnsafePermissions

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_counts_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("from a file \r\n")
    file.chmod(0o440)
    environ = {VARIABLE: "from the environment"}
    assert key_passphrase(file, environ) == "from a file "
    assert key_passphrase(None, environ) == "from the environment"
    assert key_passphrase(None, {}) is None


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff"])
def test_what_holds_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "passphrase"
    if content is not None:
        file.write_bytes(content)
        file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="passphrase"):
        key_passphrase(file, {})


def test_what_everybody_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("secret")
    file.chmod(0o604)
    with pytest.raises(UnsafePermissions, match="chmod o="):
        key_passphrase(file, {})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_somebody_at_a_terminal_is_asked_for_encrypted_keys_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(prompt: str) -> str:
        assert str(tmp_path) in prompt
        return "typed"

    key = tmp_path / "private_identity.pem"
    assert asked_passphrase(tmp_path / "none", ask) is None
    key.write_text("-----BEGIN ENCRYPTED ED25519 PRIVATE KEY-----\n")
    assert asked_passphrase(tmp_path, ask) is None, "nobody is there"
    monkeypatch.setattr("sys.stdin", Terminal())
    assert asked_passphrase(tmp_path, ask) == "typed"
    with pytest.raises(ConfigurationError, match="empty"):
        asked_passphrase(tmp_path, lambda _: " ")
    key.write_text("-----BEGIN ED25519 PRIVATE KEY-----\n")
    assert asked_passphrase(tmp_path, ask) is None
