"""The Rust programs of the matrix: built once with cargo, or named by environment variables."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import NymError
from nymproxy.testing.orphans import ends_with_us
from nymproxy.testing.processes import run_until_signal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INTEROP = Path(__file__).resolve().parent
TARGET = INTEROP / "target"
NYM_SDK_VERSION = "1.21.6"
MINIMUM_RUST = (1, 87)

CLIENT_VARIABLE = "NYMPROXY_INTEROP_CLIENT"
SERVER_VARIABLE = "NYMPROXY_INTEROP_SERVER"
PEERS_VARIABLE = "NYMPROXY_INTEROP_PEERS"
NEXT_VARIABLE = "NYMPROXY_INTEROP_NEXT"


class ProgramMissing(NymError):
    """A Rust program is not there, and cannot be built."""

    code = "program-missing"


@dataclass(frozen=True, slots=True)
class RustPrograms:
    """Where the programs are.

    Attributes:
        client: the published ``nym-proxy-client``.
        server: the published ``nym-proxy-server``.
        peers: our own ``nymproxy-interop-peers``.
    """

    client: Path
    server: Path
    peers: Path

    @property
    def missing(self) -> list[Path]:
        """Those that are not there."""
        return [path for path in (self.client, self.server, self.peers) if not path.is_file()]


def locate() -> RustPrograms:
    """Return where the programs are, or will be once they are built."""

    def path(variable: str, built: Path) -> Path:
        return Path(os.environ.get(variable) or built)

    return RustPrograms(
        client=path(CLIENT_VARIABLE, TARGET / "bin" / "nym-proxy-client"),
        server=path(SERVER_VARIABLE, TARGET / "bin" / "nym-proxy-server"),
        peers=path(PEERS_VARIABLE, TARGET / "release" / "nymproxy-interop-peers"),
    )


def parse_rust_version(text: str) -> tuple[int, int]:
    """Return major and minor version from what ``cargo --version`` prints.

    Raises:
        ProgramMissing: it is not a version of cargo.
    """
    match = re.match(r"cargo (\d+)\.(\d+)", text)
    if match is None:
        raise ProgramMissing(f"this is not a version of cargo: {text[:60]!r}; install Rust anew")
    return int(match[1]), int(match[2])


def require_cargo() -> str:
    """Return the path of a cargo that is new enough.

    Raises:
        ProgramMissing: there is none.
    """
    needed = ".".join(map(str, MINIMUM_RUST))
    program = shutil.which("cargo")
    if program is None:
        raise ProgramMissing(
            f"cargo was not found: install Rust {needed} or later, or name existing programs in "
            f"{CLIENT_VARIABLE}, {SERVER_VARIABLE} and {PEERS_VARIABLE}"
        )
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    if parse_rust_version(version.stdout) < MINIMUM_RUST:
        raise ProgramMissing(f"{version.stdout.strip()} is too old: Rust {needed} is needed")
    return program


def cargo(program: str, *arguments: str) -> None:
    """Run cargo with the settings and the target folder that all builds share. It ends with us,
    and with it the compilers that it has started.

    Raises:
        ProgramMissing: it failed.
        KeyboardInterrupt: a signal came first.
    """
    environment = {
        **os.environ,
        "CARGO_TARGET_DIR": str(TARGET),
        "CARGO_PROFILE_RELEASE_DEBUG": "0",
        "CARGO_PROFILE_RELEASE_LTO": "off",
        "CARGO_PROFILE_RELEASE_OPT_LEVEL": "2",
        "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    }
    if run_until_signal(lambda: _exit_code_of([program, *arguments], environment)):
        raise ProgramMissing(f"cargo {arguments[0]} failed; its output is above")


async def _exit_code_of(command: Sequence[str], environment: Mapping[str, str]) -> int:
    process = await anyio.open_process(
        command, env=environment, stdout=sys.stderr, stderr=None, start_new_session=True
    )
    try:
        with ends_with_us(process.pid):
            return await process.wait()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        raise
    finally:
        with anyio.CancelScope(shield=True):  # cargo ends at once by the signal
            await process.wait()


def build() -> RustPrograms:
    """Build what is missing. The first time takes about half an hour on two cores.

    Raises:
        ProgramMissing: there is no suitable cargo, or it failed.
    """
    programs = locate()
    if not (programs.client.is_file() and programs.server.is_file()):
        binaries = ("--bin", "nym-proxy-client", "--bin", "nym-proxy-server")
        version = ("--version", NYM_SDK_VERSION, "--root", str(TARGET))
        cargo(require_cargo(), "install", "--locked", "nym-sdk", *version, *binaries)
    build_peers()
    if programs.missing:
        names = ", ".join(str(path) for path in programs.missing)
        raise ProgramMissing(f"not there, although everything was built: {names}")
    return programs


def build_peers() -> Path:
    """Build our own programs, unless others are named; cargo sees what has changed.

    Raises:
        ProgramMissing: as above.
    """
    peers = locate().peers
    if not os.environ.get(PEERS_VARIABLE) or not peers.is_file():
        manifest = str(INTEROP / "peers" / "Cargo.toml")
        cargo(require_cargo(), "build", "--release", "--locked", "--manifest-path", manifest)
    return peers


def build_next() -> Path:
    """Build what makes vectors with crates that are newer than nym-sdk, unless another is named.

    Raises:
        ProgramMissing: as above.
    """
    named = os.environ.get(NEXT_VARIABLE)
    if named:
        return Path(named)
    manifest = str(INTEROP / "next" / "Cargo.toml")
    cargo(require_cargo(), "build", "--release", "--locked", "--manifest-path", manifest)
    return TARGET / "release" / "nymproxy-interop-next"
