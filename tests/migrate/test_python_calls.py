"""Python programs that start the old proxies."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.scan import scan
from tests.migrate import tools

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "import asyncio\nimport os\nimport shlex\nimport subprocess\n"


def check(before: str, after: str, head: str = HEAD) -> None:
    tools.check("a.py", head + before, head + after)
    ast.parse(head + after)


def codes(text: str, head: str = HEAD) -> list[str]:
    return tools.codes("a.py", head + text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            'subprocess.run(["nym-proxy-client", "-s", ADDRESS], check=True)\n',
            'subprocess.run(["nymproxy", "client", "-s", ADDRESS], check=True)\n',
        ),
        (
            "subprocess.Popen(['nym-proxy-client', '-s', f'{A}', '--listen_port', str(port)])\n",
            "subprocess.Popen(['nymproxy', 'client', '-s', f'{A}', '--listen-port', str(port)])\n",
        ),
        (
            'subprocess.call(args=("/opt/nym/proxy_client",'
            f' "--server-address={tools.ADDRESS}"))\n',
            'subprocess.call(args=("/usr/local/bin/nymproxy", "client",'
            f' "--server-address={tools.ADDRESS}"))\n',
        ),
        (
            'subprocess.check_output([b"nym-proxy-client", rb"-s=A"])\n',
            'subprocess.check_output([b"nymproxy", b"client", rb"--server-address=A"])\n',
        ),
        (
            'await asyncio.create_subprocess_exec("nym-proxy-client", "-s", A, stdout=None)\n',
            'await asyncio.create_subprocess_exec("nymproxy", "client", "-s", A, stdout=None)\n',
        ),
        (
            'subprocess.run(["sudo", "-u", "nym", "nym-proxy-client", "-s", "A"])\n',
            'subprocess.run(["sudo", "-u", "nym", "nymproxy", "client", "-s", "A"])\n',
        ),
        (
            'subprocess.run(["bash", "-c", "exec nym-proxy-client -s \\"A\\""])\n',
            'subprocess.run(["bash", "-c", "exec nymproxy client -s \\"A\\""])\n',
        ),
        (
            'subprocess.run("nym-proxy-client -s A".split())\n',
            'subprocess.run("nymproxy client -s A".split())\n',
        ),
        (
            'subprocess.run(shlex.split("nym-proxy-client -s A"))\n',
            'subprocess.run(shlex.split("nymproxy client -s A"))\n',
        ),
    ],
)
def test_calls_with_a_list(before: str, after: str) -> None:
    if before.startswith("await"):
        before, after = f"async def main():\n    {before}", f"async def main():\n    {after}"
    check(before, after)


def test_a_list_over_several_lines_keeps_its_comments() -> None:
    check(
        """
subprocess.Popen(
    [
        "nym-proxy-server",
        "-u",
        "app:80",  # the web server
        "-c",
        "/keys",
    ],
    env={**os.environ, "HOME": "/srv/nym"},
)
""",
        """
subprocess.Popen(
    [
        "nymproxy",
        "server",
        "--accept",
        "legacy,stream",
        "--compat-config-dir",
        "-u",
        "app:80",  # the web server
        "-c",
        "/keys",
    ],
    env={**os.environ, "HOME": "/srv/nym"},
)
""",
    )


def test_a_list_with_a_name_of_its_own() -> None:
    check(
        'CMD = ["nym-proxy-client", "-s", "A"]\n\ndef main():\n    subprocess.run(CMD)\n',
        'CMD = ["nymproxy", "client", "-s", "A"]\n\ndef main():\n    subprocess.run(CMD)\n',
    )


@pytest.mark.parametrize(
    "imports",
    [
        "import subprocess as sp\nstart = sp.Popen\n",
        "from subprocess import Popen as start\n",
        "import subprocess\nstart = subprocess.Popen\n",
    ],
)
def test_imports_and_aliases(imports: str) -> None:
    check(
        'start(["nym-proxy-client", "-s", "A"])\n',
        'start(["nymproxy", "client", "-s", "A"])\n',
        imports,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("os.system('nym-proxy-client -s A &')", "os.system('{} -s A &')"),
        ("os.popen(r'''nym-proxy-client -s A''')", "os.popen(r'''{} -s A''')"),
        ("subprocess.getoutput('cd /; nym-proxy-client -s A')",
         "subprocess.getoutput('cd /; {} -s A')"),
        ("subprocess.run('nym-proxy-client -s $A', shell=True)",
         "subprocess.run('{} -s $A', shell=True)"),
        ('subprocess.run("""\nnym-proxy-client \\\\\n  -s A\n""", shell=True)',
         'subprocess.run("""\n{} \\\\\n  -s A\n""", shell=True)'),
        ("subprocess.run('true && ' 'nym-proxy-client ' '-s A', shell=True)",
         "subprocess.run('true && ' '{} ' '-s A', shell=True)"),
        ("subprocess.run(['nym-proxy-client -s A'], shell=True)",
         "subprocess.run(['{} -s A'], shell=True)"),
    ],
)  # fmt: skip
def test_calls_with_a_shell(before: str, after: str) -> None:
    check(before + "\n", after.format("nymproxy client") + "\n")


def test_a_server_in_a_shell() -> None:
    check(
        'os.system("nym-proxy-server -u app:80 -c /keys")\n',
        'os.system("nymproxy server --accept legacy,stream --compat-config-dir'
        ' -u app:80 -c /keys")\n',
    )


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
def test_line_ends_and_encodings(line_end: str, encoding: str) -> None:
    cookie = "# -*- coding: latin-1 -*-\n" if encoding == "latin-1" else ""
    text = f"{cookie}import subprocess\n# Grüße\nsubprocess.run(['{{}}-s', 'ä'])  # é"
    before = text.replace("{}", "nym-proxy-client', '")
    after = text.replace("{}", "nymproxy', 'client', '")
    tools.check(
        "a.py",
        before.replace("\n", line_end).encode(encoding),
        after.replace("\n", line_end).encode(encoding),
    )


@pytest.mark.parametrize(
    "text",
    [
        'subprocess.run(f"nym-proxy-client -s {A}", shell=True)\n',
        'BIN = "nym-proxy-client"\nsubprocess.run([BIN, "-s", "A"])\n',
        'cmd = ["nym-proxy-client", "-s", "A"]\ncmd.append("-x")\nsubprocess.run(cmd)\n',
        'cmd = "nym-proxy-client -s " + A\nsubprocess.run(cmd, shell=True)\n',
        'subprocess.run(["nym-proxy-client", "-s", "A", *rest])\n',
        'subprocess.run(["nym-proxy-client"] + ["-s", "A"])\n',
        'subprocess.run("nym-proxy-client -s A")\n',
        'subprocess.run(["x"], executable="nym-proxy-client")\n',
        'subprocess.run(["nym-proxy-client", "-s", "A"], executable="/bin/x")\n',
        'os.execvp("nym-proxy-client", ["nym-proxy-client", "-s", "A"])\n',
        'os.execlp("nym-proxy-client", "nym-proxy-client", "-s", "A")\n',
        'os.spawnvp(os.P_WAIT, "nym-proxy-client", ["nym-proxy-client", "-s", "A"])\n',
        'subprocess.run([("nym-proxy-client"), "-s", "A"])\n',
        'self.command = ["nym-proxy-client", "-s", "A"]\n',
        "import pexpect\npexpect.spawn('nym-proxy-client -s A')\n",
    ],
)
def test_commands_that_are_not_readable(text: str) -> None:
    assert codes(text) == ["NYM031"]
    assert not any(found.edits for found in tools.findings("a.py", HEAD + text))


@pytest.mark.parametrize(
    "text",
    [
        '"""Starts nym-proxy-client -s A."""\n',
        'print("nym-proxy-client -s A")\n',
        'subprocess.run(["systemctl", "restart", "nym-proxy-client"])\n',
        'subprocess.run(["echo", "nym-proxy-client", "-s"])\n',
        'NAMES = ["nym-proxy-client", "nym-proxy-server"]\n',
        'run(["proxy_client", "-v"])\n',
        'subprocess.run(["proxy_server", "--config", "nginx.conf"])\n',
        'subprocess.run(["nym-socks5-client", "run", "--id", "x"])\n',
        'subprocess.run(["nymproxy", "client", "-s", "A"])\n',
        "subprocess.run([])\nsubprocess.run()\nos.system()\nos.execv('/bin/nym')\n",
    ],
)
def test_other_programs(text: str) -> None:
    tools.check_noop("a.py", HEAD + text)


def test_a_function_of_the_same_name() -> None:
    tools.check_noop("a.py", 'def run(x): ...\nrun("nym-proxy-client -s A")\n', "NYM093")


def test_kinds_and_refused_flags() -> None:
    text = HEAD + 'subprocess.run(["nym-proxy-client", "-s", "A", "--nope"])\n'
    (found,) = tools.findings("a.py", text)
    assert (found.code, found.kind) == ("NYM003", Kind.PYTHON_CALL)
    (found,) = tools.findings("a.py", HEAD + 'subprocess.run(["nym-proxy-client", "-s", "A"])\n')
    assert (found.code, found.kind, found.action) == (
        "NYM030",
        Kind.PYTHON_CALL,
        Action.REWRITE,
    )


def test_a_server_with_an_unknown_home() -> None:
    text = 'subprocess.run(["nym-proxy-server", "-u", "app:80"])\n'
    found = tools.findings("a.py", HEAD + text)
    assert [each.code for each in found] == ["NYM030", "NYM051"]


def test_a_file_that_does_not_parse() -> None:
    assert tools.codes("a.py", "import os\nos.system('nym-proxy-client -s A'\n") == ["NYM090"]
    assert tools.codes("a.py", "print 'nymphs'\n") == []


def test_stream_where_both_ends_are_known(tmp_path: Path) -> None:
    server = 'os.system("nym-proxy-server -u app:80")\n'
    client = 'subprocess.run(["nym-proxy-client", "-s", ADDRESS])\n'
    (tmp_path / "a.py").write_text(HEAD + server + client)
    result = scan([tmp_path], ScanOptions(to="stream", decisions={"NYM063": "stream"}))
    assert any(b'"stream"' in edit.replacement for one in result.findings for edit in one.edits)


SOCKET = 'import socket\nsocket.create_connection(("127.0.0.1", 8080))\n'


@pytest.mark.parametrize(
    "text",
    [
        SOCKET,
        'import asyncio\nPORT = 8080\nasyncio.open_connection("localhost", PORT)\n',
        'import socket\ns = socket.socket()\ns.connect(("localhost", 8080))\n',
    ],
)
def test_sockets_in_the_company_of_a_proxy(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(text)
    assert scan([tmp_path]).findings == ()
    (tmp_path / "b.sh").write_text("nym-proxy-client -s A\n")
    found = [one for one in scan([tmp_path]).findings if one.path == "a.py"]
    assert [(one.code, one.action) for one in found] == [("NYM032", Action.INFO)]


@pytest.mark.parametrize(
    "text",
    [
        SOCKET.replace("8080", "80"),
        SOCKET.replace("127.0.0.1", "example.org"),
        SOCKET.replace("import socket", "import other as socket"),
        "text = \"socket.create_connection(('127.0.0.1', 8080))\"\n",
        "db.connect(host='localhost', port=8080)\n",
        SOCKET + "print 'Python 2'\n",
    ],
)
def test_other_sockets(text: str) -> None:
    assert tools.findings("a.py", text) == []
