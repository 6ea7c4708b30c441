"""Whatever the quoting, spacing, comments and continuations: only the command changes, and once."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.migrate.tools import NYMPROXY, apply, assert_parses, findings

if TYPE_CHECKING:
    from nymproxy_migrate.model import Finding

_VALUES = st.sampled_from(
    ["A", "a:1", "/srv/x", "data", "/a b", "x'y", 'q"r', "8080", "/tmp/é", "a#b", "$", "%h", "a\\b"]
)
_GAPS = st.sampled_from([" ", "  ", "\t", " \\\n", "  \\\n    ", " \\\n\t"])
_OUTSIDE = st.lists(
    st.sampled_from(
        ["", "# nym-proxy-client -s A", "echo nym-proxy-server", "ls -l  # proxy_client", "x=1"]
    ),
    max_size=3,
)


@dataclass(frozen=True)
class Made:
    """A command and what its arguments mean."""

    text: str
    program: str
    flags: list[tuple[str, str]]


def _quoted(draw: st.DrawFn, value: str) -> str:
    single = "'" + value.replace("'", "'\\''") + "'"
    escaped = value
    for special in '\\"$`':
        escaped = escaped.replace(special, "\\" + special)
    choices = [single, f'"{escaped}"', shlex.quote(value)]
    return draw(st.sampled_from(choices))


@st.composite
def commands(draw: st.DrawFn) -> Made:
    """Draw an old command that the old parser takes, once its flags are repaired."""
    server = draw(st.booleans())
    program = "nym-proxy-server" if server else "nym-proxy-client"
    known = (
        [("upstream-tcp-address", "-u"), ("config-dir", "-c"), ("env-path", "-e")]
        if server
        else [("server-address", "-s"), ("listen-address", ""), ("env-path", "-e")]
    )
    optional = draw(st.lists(st.sampled_from(known[1:]), unique=True))
    ordered = draw(st.permutations([known[0], *optional]))
    parts, flags = [draw(st.sampled_from(["", "/opt/x/"])) + program], []
    for long, short in ordered:
        value = draw(_VALUES)
        flags.append((long, value))
        word = _quoted(draw, value)
        spelled = f"--{draw(st.sampled_from([long, long.replace('-', '_')]))}"
        forms = [f"{spelled}{draw(_GAPS)}{word}", f"{spelled}={word}"]
        if short:
            forms += [f"{short}{draw(_GAPS)}{word}", f"{short}{word}", f"{short}={word}"]
        parts.append(draw(st.sampled_from(forms)))
    text = parts[0]
    for part in parts[1:]:
        text += draw(_GAPS) + part
    return Made(text, program, flags)


def _rewritten(path: str, data: bytes) -> tuple[bytes, list[Finding]]:
    found = findings(path, data)
    result = apply(data, found)
    again = findings(path, result)
    assert apply(result, again) == result
    assert not [finding for finding in again if finding.edits]
    return result, found


@given(commands(), _OUTSIDE, _OUTSIDE, st.sampled_from(["\n", "\r\n"]))
def test_shell_commands_keep_their_meaning(
    made: Made, before: list[str], after: list[str], end: str
) -> None:
    head = "".join(line + "\n" for line in before).replace("\n", end).encode()
    tail = "".join("\n" + line for line in after).replace("\n", end).encode()
    data = head + made.text.replace("\n", end).encode() + tail
    result, found = _rewritten("x.sh", data)
    assert result.startswith(head)
    assert result.endswith(tail)
    new = result[len(head) : len(result) - len(tail)].decode()
    words = _words(new)
    role = made.program.rpartition("-")[2]
    ours = NYMPROXY if made.text.startswith("/") else "nymproxy"
    assert words[:2] == [ours, role], found
    assert _flags(words[2:]) == {**_expected(made, role)}


def _words(command: str) -> list[str]:
    # shlex knows neither continuation lines nor an escaped dollar.
    command = command.replace("\r\n", "\n").replace("\\\n", " ").replace("\\$", "$")
    return shlex.split(command)


def _expected(made: Made, role: str) -> dict[str, str]:
    flags = dict(made.flags)
    if role == "client":
        return flags
    return {"accept": "legacy,stream", "compat-config-dir": "", **flags}


def _flags(words: list[str]) -> dict[str, str]:
    """Read the new arguments by the rules of the new parser."""
    long = {
        "-s": "server-address",
        "-u": "upstream-tcp-address",
        "-c": "config-dir",
        "-e": "env-path",
    }
    flags = {}
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
        else:
            name, equals, value = long[word[:2]], word[2:], word[2:]
        if not equals and name != "compat-config-dir":
            value = words[position]
            position += 1
        assert name not in flags
        flags[name] = value
    return flags


@given(commands(), st.integers(0, 6), st.sampled_from(["run: |", "- run: |2-", "script: |-"]))
def test_block_scalars(made: Made, indent: int, key: str) -> None:
    if "2" in key:
        indent = 2
    lines = ["# " + made.program, *made.text.split("\n"), "ls  # " + made.program]
    margin = " " * (indent + 4 if "2" not in key else 4)
    data = f"{key}\n".encode() + "".join(f"{margin}{line}\n" for line in lines).encode()
    result, found = _rewritten("x.yml", data)
    assert [finding.code for finding in found if finding.edits], found
    head = data[: data.index(made.text.split("\n")[0].encode())]
    assert result.startswith(head)
    assert result.endswith(f"{margin}{lines[-1]}\n".encode())
    assert_parses("x.yml", result)


@given(commands())
def test_json_strings(made: Made) -> None:
    data = json.dumps({"name": made.text, "scripts": {"a": made.text, "b": "x"}}).encode()
    result, found = _rewritten("package.json", data)
    value = json.loads(result)
    assert value["name"] == made.text
    text = made.text.encode()
    alone = apply(text, findings("x.sh", text)).decode()
    assert _words(value["scripts"]["a"]) == _words(alone), found


@given(commands())
def test_strings_of_a_shell_in_a_unit(made: Made) -> None:
    text = made.text.replace("\\\n", " ").replace("\n", " ")
    inner = text.replace("\\", "\\\\").replace("'", "\\'").replace("$", "$$").replace("%", "%%")
    data = f"[Service]\nExecStart=/bin/sh -c '{inner}'\nUser=root\n".encode()
    result, found = _rewritten("x.service", data)
    assert [finding.code for finding in found if finding.edits], found
    assert result.endswith(b"'\nUser=root\n")
    assert result.startswith(b"[Service]\nExecStart=/bin/sh -c '/usr/local/bin/nymproxy ")


_SAMPLES = {
    "x.sh": b"""#!/bin/sh
x='nym-proxy-client'
bash -c "nym-proxy-server -u $A -c /x" <<EOF
a
EOF
""",
    "x.service": b"""[Service]
ExecStart=-/bin/sh -c 'nym-proxy-client -s A' \\
  b
User=nym
""",
    "x.yaml": b"""services:
  a:
    image: nymproxy
    command: [nym-proxy-client, '-s', "A"]
""",
    "y.yaml": b"""run: |
  nym-proxy-client -s {{ a }}
script:
  - >-
    nym-proxy-client
    -s A
""",
    "Dockerfile": b"""FROM debian AS x
USER nym
ENV HOME=/x
CMD ["nym-proxy-client", "-s", "A"]
""",
    "y.Dockerfile": b"""FROM debian
RUN pip install nymproxy
RUN --mount=type=cache <<E
nym-proxy-client -s A
E
COPY <<'E' <<F.sh /bin/
nym-proxy-client -s $A
E
nym-proxy-client -s A
F.sh
HEALTHCHECK --interval=1s CMD nym-proxy-client -s A
""",
    "z.yaml": b"""services:
  a:
    image: nymproxy
    healthcheck:
      test: ["CMD-SHELL", 'nym-proxy-client -s A || exit 1']
x:
  image: nymproxy
  livenessProbe: {exec: {command: [nym-proxy-client, -s, A]}}
""",
    "x.json": b"""{"scripts": {"a": "nym-proxy-client -s \\"A\\""},
 "command": ["nym-proxy-client"]}""",
    "x.toml": b"""[a]
run = 'nym-proxy-client -s A'
command = ["nym-proxy-client", '-s', 'A']
""",
    "x.tf": b"""a "b" {
  user_data = <<-E
  nym-proxy-client -s ${x}
  E
  command = "nym-proxy-client -s A"
}
""",
    "x.nix": b"""{ script = ''
  nym-proxy-client -s ${a} ''${B}
''; ExecStart = "nym-proxy-client -s A"; }
""",
    "x.ini": b"""[program:x]
command=nym-proxy-client -s "A" ; b
environment=HOME='/x'
""",
    "Makefile": b"""a: b
\t@nym-proxy-client -s $(A) \\
\t -e $$B
""",
    "justfile": b"""a:
  nym-proxy-client -s {{b}}
""",
    "Procfile": b"web: nym-proxy-client -s $A\n",
    ".env": b"""A="nym-proxy-client -s \\"A\\""
""",
    "crontab": b"* * * * * nym-proxy-client -s A\n",
}
_CHUNKS = st.sampled_from(
    [b"'", b'"', b"\\", b"\n", b"\r\n", b" ", b"\t", b"#", b"{{", b"}}", b"$", b"%", b"[", b"]",
     b"{", b"}", b":", b"-", b"\xff", b"\xe9", b"\x00", b"<<EOF\n", b"&x ",
     b"nym-proxy-server -u a ",
     b"''", b"${", b"|", b"`", b"\xef\xbb\xbf"]
)  # fmt: skip


@pytest.mark.parametrize("path", _SAMPLES)
@given(data=st.data())
def test_damaged_files_never_fail(path: str, data: st.DataObject) -> None:
    content = _SAMPLES[path]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        drop = data.draw(st.integers(0, 6))
        content = content[:at] + data.draw(_CHUNKS) + content[at + drop :]
    result, found = _rewritten(path, content)
    assert not [finding for finding in found if "cannot be judged" in finding.message]
    assert len(result) >= len(content) - 200
