"""Shell scripts: what is in command position, how words are written back, what stays text."""

from __future__ import annotations

import pytest

from tests.migrate.tools import ADDRESS, apply, check, check_noop, codes, findings

CLIENT = "nymproxy client"
SERVER = "nymproxy server --accept legacy,stream --compat-config-dir"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("nym-proxy-client -s A\n", f"{CLIENT} -s A\n"),
        ("nym-proxy-client -s A", f"{CLIENT} -s A"),
        ("/opt/x/nym-proxy-client -sA # why\n",
         "/usr/local/bin/nymproxy client -sA # why\n"),
        ("nym-proxy-client -s=A\n", f"{CLIENT} --server-address=A\n"),
        ('nym-proxy-client --server-address="$A"\n', f'{CLIENT} --server-address="$A"\n'),
        ("nym-proxy-client -s A --listen_port 8\n", f"{CLIENT} -s A --listen-port 8\n"),
        ("nym-proxy-client -s A --listen_port=8\n", f"{CLIENT} -s A --listen-port=8\n"),
        ("nym-proxy-client -s A '--listen_port'=8\n", f"{CLIENT} -s A '--listen-port'=8\n"),
        ("nym-proxy-client \\\n  -s A \\\n  --close-timeout 5 &\n",
         f"{CLIENT} \\\n  -s A \\\n  --close-timeout 5 &\n"),
        ("nohup sudo -u nym env A=b nym-proxy-client -s A >log 2>&1 &\n",
         f"nohup sudo -u nym env A=b {CLIENT} -s A >log 2>&1 &\n"),
        ("exec time setsid timeout -k 5 10 nym-proxy-client -s A\n",
         f"exec time setsid timeout -k 5 10 {CLIENT} -s A\n"),
        ("chpst -u nym:nym -e ./env nym-proxy-client -s A\n",
         f"chpst -u nym:nym -e ./env {CLIENT} -s A\n"),
        ("RUST_LOG=info A=$(x) nym-proxy-client -s A\n", f"RUST_LOG=info A=$(x) {CLIENT} -s A\n"),
        ("x && if ! nym-proxy-client -s A; then y; fi\n", f"x && if ! {CLIENT} -s A; then y; fi\n"),
        ("f() {\n  nym-proxy-client -s A | tee log\n}\n",
         f"f() {{\n  {CLIENT} -s A | tee log\n}}\n"),
        ('"$DIR/nym-proxy-client" -s A\n', f"{CLIENT} -s A\n"),
        ('"$(dirname "$0")"/nym-proxy-client -s A\n', f"{CLIENT} -s A\n"),
        ("cargo run --release --bin nym-proxy-client -- -s A\n", f"{CLIENT} -s A\n"),
        ("cargo +stable run -p nym-sdk --bin=nym-proxy-client -- \\\n -s A\n",
         f"{CLIENT} \\\n -s A\n"),
        (f"./proxy_client -s {ADDRESS}\n", f"{CLIENT} -s {ADDRESS}\n"),
        (f"./proxy_client --client-pool-reserve 1 -s {ADDRESS}\n",
         f"{CLIENT} --client-pool-reserve 1 -s {ADDRESS}\n"),
        ("nym-proxy-client --help\n", "nymproxy client --help\n"),
        ("nym-proxy-client -s A; nym-proxy-client -s B\n", f"{CLIENT} -s A; {CLIENT} -s B\n"),
        ("while :; do\n  nym-proxy-client -s A\ndone\n", f"while :; do\n  {CLIENT} -s A\ndone\n"),
        ("case $1 in\na) (cd x && ./nym-proxy-client -s A) & ;;\nesac\n",
         f"case $1 in\na) (cd x && {CLIENT} -s A) & ;;\nesac\n"),
        ('nym-proxy-client -s "$(cat f)" || [ -n "$x" ]\n',
         f'{CLIENT} -s "$(cat f)" || [ -n "$x" ]\n'),
        ("screen -dmS x nym-proxy-client -s A\n", f"screen -dmS x {CLIENT} -s A\n"),
        ("echo $(nym-proxy-client -s A)\n", f"echo $({CLIENT} -s A)\n"),
        ("alias nymc='nym-proxy-client -s A'\n", f"alias nymc='{CLIENT} -s A'\n"),
        ("trap 'nym-proxy-client -s A' EXIT\n", f"trap '{CLIENT} -s A' EXIT\n"),
        ("ssh -p 2 host 'nym-proxy-client -s A'\n", f"ssh -p 2 host '{CLIENT} -s A'\n"),
    ],
)  # fmt: skip
def test_clients(before: str, after: str) -> None:
    check("start.sh", before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("nym-proxy-server -u a:1\n",
         f"{SERVER} -u a:1\n"),
        ("nym-proxy-server -u a:1 -c /srv/x\n", f"{SERVER} -u a:1 -c /srv/x\n"),
        ("nym-proxy-server -u a:1 -c data\n", f"{SERVER} -u a:1 -c data\n"),
        ("nym-proxy-server -u a:1 -c '/srv/x y'\n", f"{SERVER} -u a:1 -c '/srv/x y'\n"),
        ('nym-proxy-server -u a:1 -c "$D"\n', f'{SERVER} -u a:1 -c "$D"\n'),
        ('nym-proxy-server -u a:1 -c "$(x)/y"\n', f'{SERVER} -u a:1 -c "$(x)/y"\n'),
        ("nym-proxy-server -u a:1 -c $D\n", f"{SERVER} -u a:1 -c $D\n"),
        ("nym-proxy-server -u a:1 -c ~/d\n", f"{SERVER} -u a:1 -c ~/d\n"),
        ("nym-proxy-server -u a:1 -c/srv/x\n", f"{SERVER} -u a:1 -c/srv/x\n"),
        ("nym-proxy-server -u a:1 -c=/srv/x\n", f"{SERVER} -u a:1 --config-dir=/srv/x\n"),
        ('nym-proxy-server -u a:1 --config_dir="$D"/x\n',
         f'{SERVER} -u a:1 --config-dir="$D"/x\n'),
        ('nym-proxy-server -u a:1 "--config-dir=$D"\n',
         f'{SERVER} -u a:1 "--config-dir=$D"\n'),
        ("HOME=/srv nym-proxy-server -u a:1 -c /x\n", f"HOME=/srv {SERVER} -u a:1 -c /x\n"),
        ("env HOME=/srv nym-proxy-server -u a:1 -c '/x'\n",
         f"env HOME=/srv {SERVER} -u a:1 -c '/x'\n"),
        ("gosu root nym-proxy-server -u a:1 -c /x\n", f"gosu root {SERVER} -u a:1 -c /x\n"),
        ("server --upstream-address a:1 --config-dir /x\n",
         f"{SERVER} --upstream-tcp-address a:1 --config-dir /x\n"),
        ("su - nym -c 'nym-proxy-server -u a:1 -c /x'\n",
         f"su - nym -c '{SERVER} -u a:1 -c /x'\n"),
        ('bash -c "exec nym-proxy-server -u $U -c /x"\n',
         f'bash -c "exec {SERVER} -u $U -c /x"\n'),
        ("bash <<'EOF'\nnym-proxy-server -u a:1 -c /x\nEOF\n",
         f"bash <<'EOF'\n{SERVER} -u a:1 -c /x\nEOF\n"),
        ("sudo -i bash -s <<EOF\nnym-proxy-server -u $U -c /x\nEOF\n",
         f"sudo -i bash -s <<EOF\n{SERVER} -u $U -c /x\nEOF\n"),
        ("cat > /etc/systemd/system/n.service <<EOF\n[Service]\nUser=nym\n"
         "ExecStart=/usr/bin/nym-proxy-server -u $U -c /x\nEOF\n",
         "cat > /etc/systemd/system/n.service <<EOF\n[Service]\nUser=nym\n"
         f"ExecStart=/usr/local/bin/{SERVER} -u $U -c /x\nEOF\n"),
    ],
)  # fmt: skip
def test_servers_keep_the_rule_of_their_config_dir(before: str, after: str) -> None:
    check("start.sh", before, after)


@pytest.mark.parametrize(
    "text",
    [
        "echo nym-proxy-client -s A\n",
        "docker run --name nym-proxy-client x\n",
        "systemctl restart nym-proxy-client\n",
        "ls /opt/nym-proxy-client\n",
        "# nym-proxy-client -s A\n",
        "grep -q 'nym-proxy-client -s A' log\n",
        "cat <<EOF\nnym-proxy-client -s A\nEOF\n",
        "cat > notes.txt <<EOF\nnym-proxy-client -s A\nEOF\n",
        "proxy_client --config x\n",
        "proxy_server -c /etc/proxy.conf\n",
        "client connect -s A\n",
        "server -c x.yml\n",
        "/opt/nym/client run --id x\n",
        "nym-socks5-client run --id x\n",
        "cargo run --bin other -- --server-address A\n",
        "cd nym-proxy-client\n",
        "NAME=nym-proxy-client\n",
    ],
)
def test_text_is_not_a_command(text: str) -> None:
    check_noop("start.sh", text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nym-proxy-client -s A -s B\n", "NYM003"),
        ("nym-proxy-client --server-address A -s B\n", "NYM003"),
        ("nym-proxy-client\n", "NYM003"),
        ("nym-proxy-client -s\n", "NYM003"),
        ("nym-proxy-client -s A --nope\n", "NYM003"),
        ("nym-proxy-client -s A more\n", "NYM003"),
        ("nym-proxy-client -s A --close-timeout soon\n", "NYM003"),
        ("nym-proxy-client -s A --listen-port 70000\n", "NYM003"),
        ("BIN=/opt/nym-proxy-client\n$BIN -s A\n", "NYM004"),
        ('cmd=(nym-proxy-client -s A)\n"${cmd[@]}"\n', "NYM004"),
        ("eval nym-proxy-client -s A\n", "NYM004"),
        ('"$X" --upstream-tcp-address a:1\n', "NYM004"),
        ('exec nym-proxy-client "$@"\n', "NYM004"),
        ("nym-proxy-server -u a:1 $OPTS\n", "NYM004"),
        ("${BIN:-nym-proxy-client} -s A\n", "NYM004"),
        ("start-stop-daemon --start --exec /usr/bin/nym-proxy-client -- -s A\n", "NYM004"),
        ("tmux new-session -d -s x 'nym-proxy-client -s A'\n", "NYM004"),
        ("echo A | xargs -n 1 nym-proxy-client -s\n", "NYM004"),
        ("BIN=$(command -v nym-proxy-client)\n$BIN -s A\n", "NYM005"),
        ('"$(which nym-proxy-server)" -u a:1\n', "NYM005"),
        ("docker run --rm -v a:b image nym-proxy-client -s A\n", "NYM005"),
        ("pkill -f nym-proxy-server\n", "NYM071"),
        ("command -v nym-proxy-client >/dev/null\n", "NYM071"),
        ("which proxy_client\n", "NYM071"),
        ("[ -x /opt/nym-proxy-client ] || exit 1\n", "NYM071"),
        ("ps ax | grep -q nym-proxy-server\n", "NYM071"),
        ("launch nym-proxy-client -s A\n", "NYM093"),
        ("BIN=/opt/nym-proxy-client\n", "NYM093"),
        ("cargo install nym-sdk\n", "NYM006"),
        ("git clone https://github.com/nymtech/standalone-tcp-proxies.git\n", "NYM006"),
        ("cargo build --release --bin nym-proxy-client\n", "NYM006"),
        ("curl -LO https://example.com/nym-proxy-client\n", "NYM006"),
    ],
)
def test_work_for_a_human(text: str, code: str) -> None:
    check_noop("start.sh", text, code)
    assert all(finding.needs_human for finding in findings("start.sh", text))


def test_an_unknown_home_is_told() -> None:
    text = "sudo -u nym nym-proxy-server -u a:1 -c /srv/x\n"
    check("start.sh", text, text.replace("nym-proxy-server", SERVER))
    assert [each.code for each in findings("start.sh", text)] == ["NYM002", "NYM051"]


def test_a_broken_place_is_reported_and_the_rest_is_rewritten() -> None:
    text = b"nym-proxy-client -s A\nx=(nym-proxy-client -s 'B\n"
    assert "NYM090" in codes("start.sh", text)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_bytes_outside_stay(end: bytes) -> None:
    lines = [
        b"\xef\xbb\xbf#!/bin/sh",
        b"# caf\xe9",
        b"nym-proxy-client -s \xe9 \\",
        b"  -e x",
        b"\xff",
    ]
    before = end.join(lines)
    after = before.replace(b"nym-proxy-client", b"nymproxy client")
    assert apply(before, findings("start.sh", before)) == after
