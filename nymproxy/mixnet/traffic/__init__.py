"""Traffic: what is sent when. State machines that are given the time and the randomness. No I/O.

Behaviour of nym-client-core 1.21.6, src/client/real_messages_control and src/client/replies, with
the bounds that it lacks.
"""

from __future__ import annotations

from nymproxy.mixnet.traffic.answers import AnswerBudget, SenderTags
from nymproxy.mixnet.traffic.excess import Excesses, ExcessEstimator
from nymproxy.mixnet.traffic.lanes import Lanes
from nymproxy.mixnet.traffic.mix_trials import Mix, MixTrials
from nymproxy.mixnet.traffic.outbox import Outbox
from nymproxy.mixnet.traffic.outgoing import (
    ControlLane,
    Lane,
    OutgoingFragment,
    OutgoingMessage,
    PacketKind,
)
from nymproxy.mixnet.traffic.pending import PendingAcks
from nymproxy.mixnet.traffic.profile import (
    BARE,
    DEFAULT,
    FAST,
    PROFILES,
    SurbPolicy,
    TrafficProfile,
    WindowLimits,
    profile_of,
)
from nymproxy.mixnet.traffic.replies import ReplyController
from nymproxy.mixnet.traffic.reply_actions import ReplyActions, SurbRequestPlan
from nymproxy.mixnet.traffic.returned_cover import ReturnedCover
from nymproxy.mixnet.traffic.room import Reservation, Room
from nymproxy.mixnet.traffic.schedule import BackPressure, ExponentialSchedule
from nymproxy.mixnet.traffic.surbs import SpendingRate, SurbStock
from nymproxy.mixnet.traffic.window import CongestionWindow

__all__ = [
    "BARE",
    "DEFAULT",
    "FAST",
    "PROFILES",
    "AnswerBudget",
    "BackPressure",
    "CongestionWindow",
    "ControlLane",
    "ExcessEstimator",
    "Excesses",
    "ExponentialSchedule",
    "Lane",
    "Lanes",
    "Mix",
    "MixTrials",
    "Outbox",
    "OutgoingFragment",
    "OutgoingMessage",
    "PacketKind",
    "PendingAcks",
    "ReplyActions",
    "ReplyController",
    "Reservation",
    "ReturnedCover",
    "Room",
    "SenderTags",
    "SpendingRate",
    "SurbPolicy",
    "SurbRequestPlan",
    "SurbStock",
    "TrafficProfile",
    "WindowLimits",
    "profile_of",
]
