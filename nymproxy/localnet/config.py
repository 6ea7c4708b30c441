"""What a localnet is to be: sizes, ports, keys, epochs, faults; and the nodes that follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy.errors import ConfigurationError
from nymproxy.localnet.epochs import DEFAULT_EPOCH_SECONDS, DEFAULT_EPOCHS_PER_ROTATION
from nymproxy.localnet.faults import FaultPlan
from nymproxy.localnet.framing import FrameVersion

if TYPE_CHECKING:
    from pathlib import Path

LAYER_COUNT = 3
MAX_NODES_OF_A_KIND = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalnetConfig:
    """The settings of a localnet; the defaults make the smallest useful one.

    Attributes:
        mixes_per_layer: mix nodes in each of the three layers.
        gateways: gateways; two let sender and recipient use different ones.
        seed: makes all keys predictable, for tests; ``None`` draws them.
        state_dir: keeps keys, ports, epochs and the gateways' state from run to run; ``None``
            keeps them as long as the network runs.
        env_file: where to write the env file; ``None``: ``localnet.env`` in the state directory.
        base_port: the directory's port; the nodes take the ports that follow. ``None``: those of
            the last run, or any.
        epoch_seconds: length of an epoch. Rust clients refresh every 300 s, so much longer.
        epochs_per_rotation: epochs of one key rotation, at least 2.
        fault_plan: what goes wrong from the start.
        processes: 1 runs everything in this process; more spread the mix nodes over worker
            processes (CPU time per packet is what bounds a localnet).
        acks_after_writing: gateways acknowledge a message when its client's socket has taken it,
            not when it is queued for the client, as real ones do.
        frame_version: the frame form that nodes write; real ones write 7 by default, which loses
            the key rotation of a packet.
    """

    mixes_per_layer: int = 1
    gateways: int = 2
    seed: int | None = None
    state_dir: Path | None = None
    env_file: Path | None = None
    base_port: int | None = None
    epoch_seconds: float = DEFAULT_EPOCH_SECONDS
    epochs_per_rotation: int = DEFAULT_EPOCHS_PER_ROTATION
    fault_plan: FaultPlan = field(default_factory=FaultPlan)
    processes: int = 1
    acks_after_writing: bool = False
    frame_version: FrameVersion = FrameVersion.CURRENT

    def __post_init__(self) -> None:
        for name in ("mixes_per_layer", "gateways"):
            if not 1 <= getattr(self, name) <= MAX_NODES_OF_A_KIND:
                raise ConfigurationError(f"{name} must be from 1 to {MAX_NODES_OF_A_KIND}")
        if not 1 <= self.processes <= MAX_NODES_OF_A_KIND:
            raise ConfigurationError(f"processes must be from 1 to {MAX_NODES_OF_A_KIND}")
        if self.base_port is not None:
            last = self.base_port + LAYER_COUNT * self.mixes_per_layer + 2 * self.gateways
            if not (self.base_port >= 1 and last <= 0xFFFF):
                raise ConfigurationError(
                    f"ports {self.base_port} to {last} are not all between 1 and 65535"
                )


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node of the network.

    Attributes:
        name: ``mix-LAYER-INDEX`` or ``gateway-INDEX``, indices from 0, layers from 1.
        node_id: its number in the directory, from 1.
        layer: 1 to 3 for a mix node, ``None`` for a gateway.
        mix_port: where it takes packets; 0 for any port.
        client_port: a gateway's websocket port; 0 for any port.
    """

    name: str
    node_id: int
    layer: int | None
    mix_port: int = 0
    client_port: int = 0

    @property
    def is_gateway(self) -> bool:
        """Whether the node is a gateway."""
        return self.layer is None


def lay_out(config: LocalnetConfig) -> list[NodeSpec]:
    """Return the nodes of a network, mix nodes first, with their ports if these are fixed."""
    layers: list[tuple[str, int | None]] = [
        (f"mix-{layer}-{index}", layer)
        for layer in range(1, LAYER_COUNT + 1)
        for index in range(config.mixes_per_layer)
    ]
    layers += [(f"gateway-{index}", None) for index in range(config.gateways)]
    next_port = 0 if config.base_port is None else config.base_port + 1
    specs: list[NodeSpec] = []
    for node_id, (name, layer) in enumerate(layers, start=1):
        spec = NodeSpec(name, node_id, layer)
        if next_port:
            client_port = next_port + 1 if spec.is_gateway else 0
            spec = NodeSpec(name, node_id, layer, next_port, client_port)
            next_port += 2 if spec.is_gateway else 1
        specs.append(spec)
    return specs
