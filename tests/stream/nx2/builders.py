"""What the tests of NX2 share."""

from __future__ import annotations

from nymproxy.address import NodeIdentity, NymAddress

ADDRESS = NymAddress(
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    bytes(32),
    NodeIdentity(bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")),
)
TAG = bytes(range(16))
