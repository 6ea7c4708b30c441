"""A config directory that was used before: the key is refused, or somebody else uses it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.errors import DuplicateConnection, StorageLocked
from nymproxy.localnet import Localnet, LocalnetConfig, RunningLocalnet
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.mixnet.storage.directory import DirectoryStorage, nym_address_of
from nymproxy.mixnet.storage.locking import LOCK_NAME
from nymproxy.mixnet.storage.own_state import STATE_NAME
from nymproxy.mixnet.storage.registrations import DATABASE_NAME
from nymproxy.testing.processes import ChildFailed, child_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nymproxy.address import NymAddress

REFUSED_KEY = b"\x07" * 32


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def localnet() -> AsyncIterator[RunningLocalnet]:
    async with Localnet(LocalnetConfig(seed=21)) as localnet:
        yield localnet


async def connect(localnet: RunningLocalnet, directory: Path) -> MessageClient:
    network = NetworkDetails.from_directory_url(localnet.directory_url)
    return await MessageClient.connect(network, storage=directory, profile="bare")


async def carry(localnet: RunningLocalnet, directory: Path) -> NymAddress:
    """Send a message to ourselves; return our address."""
    async with await connect(localnet, directory) as client:
        await client.send(client.address, b"to myself")
        with anyio.fail_after(30):
            assert (await anext(client.receive())).payload == b"to myself"
        return client.address


async def stored_shared_key(directory: Path) -> bytes:
    storage = DirectoryStorage(directory)
    stored = await storage.load()
    await storage.close()
    assert stored is not None
    assert stored.registration is not None
    assert stored.registration.shared_key is not None
    return stored.registration.shared_key


async def refuse_key(directory: Path) -> None:
    """Leave the directory as the Rust program has it, with a key that the gateway has not."""
    storage = DirectoryStorage(directory)
    stored = await storage.load()
    assert stored is not None
    assert stored.registration is not None
    await storage.save_registration(replace(stored.registration, shared_key=REFUSED_KEY))
    await storage.close()
    for name in (LOCK_NAME, STATE_NAME):
        (directory / name).unlink()


async def test_a_refused_key_is_replaced_and_written_back(
    localnet: RunningLocalnet, tmp_path: Path
) -> None:
    """So the address stays, and the Rust program can use the directory again."""
    directory = tmp_path / "keys"
    address = await carry(localnet, directory)
    await refuse_key(directory)
    assert await carry(localnet, directory) == address
    renewed = await stored_shared_key(directory)
    assert renewed != REFUSED_KEY
    assert await carry(localnet, directory) == address
    assert await stored_shared_key(directory) == renewed


async def test_the_directory_is_backed_up_before_the_first_write(
    localnet: RunningLocalnet, tmp_path: Path
) -> None:
    directory = tmp_path / "keys"
    address = await carry(localnet, directory)
    await refuse_key(directory)
    assert not list(directory.glob("nymproxy_backup_*"))
    await carry(localnet, directory)
    (backup,) = directory.glob("nymproxy_backup_*")
    assert (backup / DATABASE_NAME).is_file()
    assert nym_address_of(backup) == address
    assert await stored_shared_key(backup) == REFUSED_KEY


async def test_a_second_client_on_the_directory_is_told_who_has_it(
    localnet: RunningLocalnet, tmp_path: Path
) -> None:
    directory = tmp_path / "keys"
    async with await connect(localnet, directory):
        with pytest.raises(StorageLocked, match="another client uses"):
            await connect(localnet, directory)


async def test_a_second_process_on_the_directory_is_told_who_has_it(
    localnet: RunningLocalnet, tmp_path: Path
) -> None:
    directory = tmp_path / "keys"
    arguments = ["nymproxy", "server", "-u", "127.0.0.1:1", "-c", str(directory)]
    arguments += ["-e", str(localnet.env_file)]
    async with await connect(localnet, directory) as client:
        with pytest.raises(ChildFailed, match="another client uses"):
            async with child_process("server", arguments, log_directory=tmp_path):
                pass
        # The first one is not disturbed.
        await client.send(client.address, b"still here")
        with anyio.fail_after(30):
            assert (await anext(client.receive())).payload == b"still here"


async def test_an_identity_that_is_connected_from_elsewhere_is_refused(
    localnet: RunningLocalnet, tmp_path: Path
) -> None:
    """A copy of the directory, or a Rust program on it, which knows nothing of our lock."""
    directory, copy = tmp_path / "keys", tmp_path / "copy"
    address = await carry(localnet, directory)
    shutil.copytree(directory, copy)
    async with await connect(localnet, directory) as client:
        with pytest.raises(DuplicateConnection, match="stop the other process"):
            await connect(localnet, copy)
        await client.send(client.address, b"still here")
        with anyio.fail_after(30):
            assert (await anext(client.receive())).payload == b"still here"
    assert await carry(localnet, copy) == address
