"""The client as one machine: the way of a message between the application and the gateway link.

Down: :meth:`ClientMachine.submit` → :class:`~nymproxy.mixnet.machine.composer.Composer` (wrap,
SURBs, split) → :class:`~nymproxy.mixnet.machine.submission.Submission` (room) →
:class:`~nymproxy.mixnet.traffic.Outbox` (lanes, SURBs, timers, window) →
:class:`~nymproxy.mixnet.machine.pacing.Pacing` → :class:`PacketBuilder` → a batch of packets. Up: a
pushed frame → :class:`~nymproxy.mixnet.messages.InboundDecoder` → acks and SURBs to the outbox,
messages to the inbox.
"""

from __future__ import annotations

from nymproxy.mixnet.machine.batches import PacketBatch as PacketBatch
from nymproxy.mixnet.machine.client_machine import ClientMachine as ClientMachine
from nymproxy.mixnet.machine.pacing import Departures as Departures
from nymproxy.mixnet.machine.pacing import Pacing as Pacing
from nymproxy.mixnet.machine.packets import PacketBuilder as PacketBuilder
from nymproxy.mixnet.machine.ports import BuiltPacket as BuiltPacket
from nymproxy.mixnet.machine.ports import PacketMaker as PacketMaker
from nymproxy.mixnet.machine.status import ClientCounters as ClientCounters
from nymproxy.mixnet.machine.status import ClientGauges as ClientGauges
from nymproxy.mixnet.machine.status import ClientStatistics as ClientStatistics
from nymproxy.mixnet.machine.status import ClientStatus as ClientStatus
from nymproxy.mixnet.machine.submission import Submission as Submission
