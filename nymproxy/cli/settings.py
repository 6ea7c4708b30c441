"""The flags of ``client`` and ``server``: each is one field, with its name, type, default and help.

The two classes are what the parser reads and what the commands are given, so that a flag is
written down once, and one that both commands have is a field of their common base.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from nymproxy.cli.choices import Accept, IdentityMode, LogLevel, OnOff, Profile, Tls, Wire
from nymproxy.cli.flags import Flag
from nymproxy.legacy.limits import DEFAULT_LIMITS, MAX_CONNECTIONS

_LIMITS = "Limits"
_NETWORK = "Network"
_OUTPUT = "Output"
_PRIVACY = "Privacy"

EnvPath = Annotated[
    Path | None,
    Flag(
        names=("--env-path", "-e"),
        panel=_NETWORK,
        help="Env file that describes the network. Without it: mainnet.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """What both commands have; their help shows it behind their own flags."""

    profile: Annotated[
        Profile,
        Flag(
            panel=_PRIVACY,
            help="Traffic of each identity: 'default' sends 55 packets/s, always, 'fast' 250, with "
            "shorter mix delays; what comes back still shows uploads to who watches your line. "
            "'bare' hides nothing (no cover, no mix delays; for tests and local networks).",
        ),
    ] = Profile.DEFAULT
    copies: Annotated[
        int,
        Flag(
            minimum=0,
            maximum=2,
            panel=_PRIVACY,
            help="Further packets of a small message that leave in place of cover, so that a lost "
            "one is not missed. They cost nothing.",
        ),
    ] = 1
    tls: Annotated[
        Tls,
        Flag(
            panel=_NETWORK,
            help="TLS to the gateway, which else names your identity key in clear text: 'prefer' "
            "it where it is offered, 'always' or 'never' use it.",
        ),
    ] = Tls.PREFER
    proxy: Annotated[
        str | None,
        Flag(
            metavar="URL",
            panel=_NETWORK,
            help="Reach directory and gateway through http://HOST:PORT or socks5://HOST:PORT "
            "(USER:PASSWORD@ before the host). Variables such as HTTPS_PROXY are not used.",
        ),
    ] = None
    ca_file: Annotated[
        Path | None,
        Flag(
            metavar="FILE",
            panel=_NETWORK,
            help="Certificates (PEM) to trust in place of the public authorities. SSL_CERT_FILE "
            "is not used.",
        ),
    ] = None
    memory_limit_mib: Annotated[
        int | None,
        Flag(
            names=("--memory-limit",),
            metavar="MIB",
            minimum=16,
            help="MiB that peers may make this process hold; beyond it those that hold most lose. "
            "Without it: a quarter of what the process may use, at most 1024.",
        ),
    ] = None
    address_file: Annotated[
        Path | None,
        Flag(
            panel=_OUTPUT,
            help="Write the ready line (JSON, with the address) to this file when ready, and "
            "remove the file at the end.",
        ),
    ] = None
    grace_period_seconds: Annotated[
        float,
        Flag(
            names=("--grace-period",),
            minimum=0.0,
            help="Seconds that sessions may go on after SIGTERM or SIGINT; then they are reset.",
        ),
    ] = 30.0
    idle_timeout_seconds: Annotated[
        float | None,
        Flag(
            names=("--idle-timeout",),
            minimum=1.0,
            help="Seconds without a byte in either direction until a session is reset (none while "
            "a stream's peer answers that it is there; 1800 where it cannot be asked).",
        ),
    ] = None
    metrics: Annotated[
        str | None,
        Flag(
            metavar="WHERE",
            panel=_OUTPUT,
            help="Serve /healthz, /readyz and /metrics (Prometheus) there: HOST:PORT or unix:PATH.",
        ),
    ] = None
    control: Annotated[
        Path | None,
        Flag(
            metavar="PATH",
            panel=_OUTPUT,
            help="Socket for `nymproxy status`, `top` and `sessions`: for this user alone.",
        ),
    ] = None
    probe: Annotated[
        str | None,
        Flag(
            metavar="ADDRESS",
            panel=_OUTPUT,
            help="Ready only while the nymproxy server at this address answers through the "
            "mixnet, which is tried every minute: a packet, and one back. Its own will do, too.",
        ),
    ] = None
    log_level: Annotated[
        LogLevel | None,
        Flag(
            panel=_OUTPUT,
            help="What is logged: this and what is worse. Without it what RUST_LOG says, or info.",
        ),
    ] = None
    log_file: Annotated[
        Path | None,
        Flag(
            metavar="FILE",
            panel=_OUTPUT,
            help="Append the log to this file, in place of stderr; it may be moved away.",
        ),
    ] = None
    log_sessions: Annotated[
        OnOff,
        Flag(panel=_OUTPUT, help="Whether single sessions show in the log."),
    ] = OnOff.ON
    json_logs: Annotated[
        bool,
        Flag(
            names=("--json",),
            panel=_OUTPUT,
            help="Logs as JSON lines, with fields; the one line on stderr at a failed start, too.",
        ),
    ] = False
    debug: Annotated[
        bool, Flag(names=("--debug",), panel=_OUTPUT, help="Tracebacks of our own bugs.")
    ] = False


@dataclass(frozen=True, slots=True)
class ClientSettings(ProxySettings):
    """The flags of ``nymproxy client``."""

    server_address: Annotated[
        list[str] | None,
        Flag(
            names=("--server-address", "-s"),
            metavar="ADDRESS",
            help="Nym address of the proxy server; give it several times, the best first, and new "
            "connections go to the first that works.",
        ),
    ] = None
    forward: Annotated[
        list[str] | None,
        Flag(
            names=("--forward", "-L"),
            metavar="[HOST:]PORT:ADDRESS",
            help="As ssh -L: listen there for the server at ADDRESS, in place of -s and "
            "--listen-port; several times for several in one process.",
        ),
    ] = None
    listen_address: Annotated[str, Flag(metavar="HOST", help="Local address to listen on.")] = (
        "127.0.0.1"
    )
    listen_port: Annotated[
        int, Flag(minimum=0, maximum=65535, help="Local port; 0 lets the system choose.")
    ] = 8080
    listen: Annotated[
        str | None,
        Flag(
            metavar="WHERE",
            help="Where to listen, in place of the two above: HOST:PORT, [ADDRESS]:PORT, "
            "unix:PATH, or fd:NAME for a socket that the service manager opened.",
        ),
    ] = None
    close_timeout_seconds: Annotated[
        float,
        Flag(
            names=("--close-timeout",),
            minimum=0.0,
            help="Seconds without an answer, after the app's end of data, until the connection "
            "is closed.",
        ),
    ] = 30.0
    connect_timeout_seconds: Annotated[
        float,
        Flag(
            names=("--connect-timeout",),
            minimum=0.0,
            help="Seconds without an answer of any kind from the server, with nothing more to "
            "send, until a connection is reset.",
        ),
    ] = 60.0
    env_path: EnvPath = None
    client_pool_reserve: Annotated[
        int,
        Flag(
            minimum=0,
            panel=_PRIVACY,
            help="Identities kept ready for new connections (or, in pool mode, in all).",
        ),
    ] = 2
    wire: Annotated[
        Wire,
        Flag(
            help="Protocol towards the server: 'legacy' works with old servers, 'stream' with "
            "those that accept streams; 'auto' begins with 'legacy', and goes on with 'stream' "
            "once the server has shown that it accepts them."
        ),
    ] = Wire.AUTO
    require_sealed: Annotated[
        bool,
        Flag(
            names=("--require-sealed",),
            panel=_PRIVACY,
            help="Speak with no server that cannot seal streams, as those of other programs "
            "cannot; needs '--wire stream'.",
        ),
    ] = False
    identity_mode: Annotated[
        IdentityMode,
        Flag(
            panel=_PRIVACY,
            help="'per-connection': the server cannot link connections, but your line shows how "
            "many are open; 'pool': reused identities; 'shared': one identity, so all "
            "connections are linkable. None goes by the user of the local app: give each user a "
            "forward of his own.",
        ),
    ] = IdentityMode.PER_CONNECTION
    identity_group: Annotated[
        str | None,
        Flag(
            metavar="NAME",
            panel=_PRIVACY,
            help="With identity mode 'shared': use one identity together with all other clients "
            "of this process and this group. Their connections are linkable, at the cost of one.",
        ),
    ] = None
    upstream_header: Annotated[
        str | None,
        Flag(
            metavar="HOST:PORT",
            help="Ask the server for this one of its services, as nym-rpc does; it must allow it.",
        ),
    ] = None
    max_connections: Annotated[
        int,
        Flag(
            minimum=1,
            panel=_LIMITS,
            help="Local connections at once. For one more, the longest silent one goes; if none "
            "is silent, it waits.",
        ),
    ] = MAX_CONNECTIONS


@dataclass(frozen=True, slots=True)
class ServerSettings(ProxySettings):
    """The flags of ``nymproxy server``."""

    upstream_tcp_address: Annotated[
        str,
        Flag(
            names=("--upstream-tcp-address", "-u"),
            metavar="HOST:PORT",
            help="TCP service that connections are carried to, or unix:PATH.",
        ),
    ]
    config_dir: Annotated[
        str | None,
        Flag(
            names=("--config-dir", "-c"),
            metavar="DIR",
            help="Keys and gateway registration, so that the Nym address stays. The path as "
            "given. Default: $HOME/tmp/nym-tcp-proxy-server, where the old binary kept it.",
        ),
    ] = None
    key_passphrase_file: Annotated[
        Path | None,
        Flag(
            metavar="FILE",
            help="The passphrase of the private keys, in a file; or in NYM_CLIENT_KEY_PASSPHRASE. "
            "Keys that are not encrypted yet are put under it.",
        ),
    ] = None
    compat_config_dir: Annotated[
        bool,
        Flag(
            names=("--compat-config-dir",),
            help="Glue --config-dir to $HOME as the old binary did (/srv/x is $HOME/srv/x), and "
            "refuse to start without the keys that it left there.",
        ),
    ] = False
    new_identity: Annotated[
        bool,
        Flag(
            names=("--new-identity",),
            variable="NYMPROXY_NEW_IDENTITY",
            help="With --compat-config-dir: make new keys, and so a new Nym address, where none "
            "are.",
        ),
    ] = False
    env_path: EnvPath = None
    gateway: Annotated[
        list[str] | None,
        Flag(
            names=("--gateway", "-g"),
            metavar="IDENTITY",
            panel=_NETWORK,
            help="Identity (base58) of the gateway to register with; give it several times for an "
            "address at each. Default: chosen at random.",
        ),
    ] = None
    gateways: Annotated[
        int,
        Flag(
            minimum=1,
            maximum=5,
            panel=_NETWORK,
            help="Gateways to have a Nym address at; those that -g does not name are chosen at "
            "random. Connections come in at any of them.",
        ),
    ] = 1
    accept: Annotated[Accept, Flag(help="Protocols served at the one Nym address.")] = Accept.BOTH
    allowed_upstreams: Annotated[
        list[str] | None,
        Flag(
            names=("--allow-upstream",),
            metavar="HOST:PORT",
            help="A further service that clients may ask for (--upstream-header), HOST:* for all "
            "its ports; give it several times. Others are refused.",
        ),
    ] = None
    close_to_legacy_clients: Annotated[
        bool,
        Flag(
            names=("--close-to-legacy-clients",),
            help="Tell old clients when the upstream ends, too (Rust clients ignore it).",
        ),
    ] = False
    max_sessions: Annotated[
        int,
        Flag(
            minimum=1,
            panel=_LIMITS,
            help="Sessions at once. For one more, the longest idle one goes; if none is idle, it "
            "is refused.",
        ),
    ] = DEFAULT_LIMITS.sessions
    max_sessions_per_client: Annotated[
        int, Flag(minimum=1, panel=_LIMITS, help="The same for each sender tag.")
    ] = DEFAULT_LIMITS.sessions_per_client
    connect_rate: Annotated[
        float,
        Flag(
            minimum=0.001,
            panel=_LIMITS,
            help="New connections to the TCP service in a second; others wait.",
        ),
    ] = DEFAULT_LIMITS.connects_per_second
