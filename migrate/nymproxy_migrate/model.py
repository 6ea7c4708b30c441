"""What a scan finds and a rewrite changes: the types that every part of the tool shares.

A *finder* looks into one file and returns :class:`Finding` objects. A finding that can be rewritten
carries :class:`Edit` objects: byte spans of the file and what to put there. Nothing else ever
changes a file, so what is outside the spans stays byte for byte.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Kind(enum.StrEnum):
    """What a finding is about; part of the public JSON."""

    COMMAND_CLIENT = "command-client"
    COMMAND_SERVER = "command-server"
    RUST_API = "rust-api"
    GO_FFI = "go-ffi"
    PYTHON_CALL = "python-call"
    ENV_FILE = "env-file"
    CONFIG_DIR = "config-dir"
    LINKABILITY = "linkability"
    LOG_SCRAPE = "log-scrape"
    DOCS = "docs"


class Evidence(enum.Enum):
    """What some file of the tree must show, so that a finding in another one counts.

    ``client`` and ``proxy_server`` are names that anybody's programs have.
    """

    OLD_PROXIES = "the old programs, their API or their repositories by name"
    NYM = "the same, or a Nym address"
    PROXY = "a proxy that is started or made"
    SERVER = "a proxy server that is started or made"


class Action(enum.StrEnum):
    """What the tool does about a finding."""

    REWRITE = "rewrite"
    REPORT = "report"
    INFO = "info"
    """Good to know; does not count for the exit code."""


class Safety(enum.StrEnum):
    """How far a rewrite can be trusted."""

    SAFE = "safe"
    """The new text means the same."""
    DECISION = "decision"
    """It changes what others can link, a gateway or an address: only with ``--decide``."""
    MANUAL = "manual"
    """Only a human can do it."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Bytes ``start`` (inclusive) to ``end`` (exclusive) of a file."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"no span: {self.start} to {self.end}")

    def of(self, data: bytes) -> bytes:
        """Return the bytes of the span."""
        return data[self.start : self.end]

    def overlaps(self, other: Span) -> bool:
        """Tell whether two spans share a byte, or an insertion falls inside the other."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the bytes of ``span`` by ``replacement``; an empty span is an insertion."""

    span: Span
    replacement: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding in one file.

    Attributes:
        path: the file, relative to the root of the scan, with ``/``.
        span: the bytes it is about.
        code: its rule, ``NYM001`` and so on; see :mod:`nymproxy_migrate.rules`.
        kind: what it is about.
        message: what was found, one sentence.
        why: why it matters.
        next: what to do next: a command or a manual step.
        action: what the tool does about it.
        safety: how far the rewrite can be trusted.
        needs_human: somebody must look, whether or not a rewrite is offered.
        edits: for ``Action.REWRITE``; all of them or none are applied.
        decision: for ``Safety.DECISION``: the choices that ``--decide CODE=choice`` takes.
        needs: what else the tree must show, or the finding is dropped.
    """

    path: str
    span: Span
    code: str
    kind: Kind
    message: str
    why: str
    next: str
    action: Action = Action.REPORT
    safety: Safety = Safety.MANUAL
    needs_human: bool = False
    edits: tuple[Edit, ...] = ()
    decision: tuple[str, ...] = ()
    needs: Evidence | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was read: its bytes are the truth, everything else is derived.

    Attributes:
        path: relative to the root of the scan, with ``/``.
        data: the content.
        executable: the mode has an execute bit.
        unit: for a drop-in of systemd: the unit and its drop-ins, in the order in which they count.
    """

    path: str
    data: bytes
    executable: bool = False
    unit: tuple[SourceFile, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column (both from 1; the column counts bytes) of an offset."""
        before = self.data[:offset]
        line = before.count(b"\n") + 1
        return line, offset - (before.rfind(b"\n") + 1) + 1


class Unparsable(Exception):
    """A parser could not read a file: a finding for the human, never a crash."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class HomeSource(enum.Enum):
    """Where the HOME of a command comes from, which decides what a config directory means."""

    LITERAL = "literal"
    """Set to a literal value in the file: ``Environment=HOME=/srv/nym``."""
    SHELL = "shell"
    """``$HOME`` of the shell that runs the command, when it runs it."""
    USER = "user"
    """The home of the user that the unit or container names."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Home:
    """HOME as a value with its provenance.

    Attributes:
        source: where it comes from.
        value: the path, for ``LITERAL`` and, where the user's home follows from the file
            (``User=root``), for ``USER``.
        user: the user's name, for ``USER``.
    """

    source: HomeSource
    value: str | None = None
    user: str | None = None


class BinarySource(enum.Enum):
    """Where the program of a command comes from, which decides whether its name can change."""

    PATH = "path"
    """Found on PATH by its bare name, or by a literal path of the host."""
    IMAGE = "image"
    """Inside a container image that this file only names."""
    BUILD = "build"
    """Built or copied by a stage of the same file."""
    OWN_IMAGE = "own-image"
    """Inside a container image that has nymproxy, on a PATH of its own."""
    LOOKED_UP = "looked-up"
    """``$(command -v ...)`` or a variable: the file does not say."""


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What the format around a command says about how it runs.

    Attributes:
        format_name: for messages: ``"shell script"``, ``"systemd unit"``...
        home: HOME of the command.
        binary: where its program comes from.
        environment: variables that are set here, literal values only.
        computed: variables set to what something prints or to a list, with the source text.
        prefix: words before the command that stay (``exec``, ``nohup``, ``env A=b``), for messages.
    """

    format_name: str
    home: Home = field(default_factory=lambda: Home(HomeSource.UNKNOWN))
    binary: BinarySource = BinarySource.PATH
    environment: tuple[tuple[str, str], ...] = ()
    computed: tuple[tuple[str, str], ...] = ()
    prefix: tuple[str, ...] = ()
