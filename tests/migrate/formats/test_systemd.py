"""systemd units and drop-ins: quoting, continuation lines, prefixes, and whose HOME it is."""

from __future__ import annotations

import pytest

from tests.migrate.tools import check, check_noop, findings

CLIENT = "/usr/local/bin/nymproxy client"
SERVER = "/usr/local/bin/nymproxy server --accept legacy,stream --compat-config-dir"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/usr/bin/nym-proxy-client -s A", f"{CLIENT} -s A"),
        ("-/usr/bin/nym-proxy-client -s A", f"-{CLIENT} -s A"),
        ("+-nym-proxy-client -s ${A}", f"+-{CLIENT} -s ${{A}}"),
        ("-@/usr/bin/nym-proxy-client nymc -s A", f"-{CLIENT} -s A"),
        ("nym-proxy-client \\\n    -s A \\\n# comment\n    --listen_port=80",
         f"{CLIENT} \\\n    -s A \\\n# comment\n    --listen-port=80"),
        ('nym-proxy-client "-s" "A"', f'{CLIENT} "-s" "A"'),
        ("/bin/echo x ; nym-proxy-client -s A", f"/bin/echo x ; {CLIENT} -s A"),
        ("/usr/bin/env A=b nym-proxy-client -s A", f"/usr/bin/env A=b {CLIENT} -s A"),
        ("/bin/sh -c 'exec nym-proxy-client -s \"$$A\"'", f"/bin/sh -c 'exec {CLIENT} -s \"$$A\"'"),
        ("/bin/sh -c 'nym-proxy-server -u a:1 -c /x'",
         f"/bin/sh -c '{SERVER} -u a:1 -c /x'"),
        ('/bin/sh -c "nym-proxy-server -u a:1 -c /x"',
         f'/bin/sh -c "{SERVER} -u a:1 -c /x"'),
    ],
)  # fmt: skip
def test_commands(before: str, after: str) -> None:
    unit = "[Unit]\nDescription=nym-proxy-client -s A\n[Service]\nExecStart={}\nUser=root\n"
    check("nym.service", unit.format(before), unit.format(after))


@pytest.mark.parametrize(
    ("setting", "home"),
    [
        ("User=root", "/root"),
        ("User=nym", "$HOME"),
        ("Environment=HOME=/srv/nym", "/srv/nym"),
        ('User=nym\nEnvironment="A=b" "HOME=/srv/nym"', "/srv/nym"),
        ("[Install]\nWantedBy=multi-user.target", "/root"),
        ("[Install]\nWantedBy=default.target", "$HOME"),
    ],
)
def test_home(setting: str, home: str) -> None:
    before = f"[Service]\nExecStart=nym-proxy-server -u a:1 -c /x\n{setting}\n"
    after = f"[Service]\nExecStart={SERVER} -u a:1 -c /x\n{setting}\n"
    check("nym.service", before, after)
    (told,) = (each for each in findings("nym.service", before) if each.code == "NYM050")
    assert told.message.endswith(f" are in {home}/x")


@pytest.mark.parametrize("setting", ["", "DynamicUser=yes"])
def test_an_unknown_home_is_a_finding(setting: str) -> None:
    unit = f"[Service]\n{setting}\nExecStart=nym-proxy-server -u a:1\n"
    check("nym.service", unit, unit.replace("nym-proxy-server", SERVER))
    assert [each.code for each in findings("nym.service", unit)] == ["NYM002", "NYM051"]


def test_a_drop_in_does_not_tell_the_user() -> None:
    drop_in = "[Service]\nExecStart=\nExecStart=nym-proxy-server -u a:1\n"
    path = "etc/systemd/system/nym.service.d/override.conf"
    assert [each.code for each in findings(path, drop_in)] == ["NYM002", "NYM051"]
    check(path, drop_in.replace("server -u", "client -s"),
          drop_in.replace("nym-proxy-server -u", f"{CLIENT} -s"))  # fmt: skip


def test_names_in_other_settings_are_text() -> None:
    unit = "[Unit]\nAfter=nym-proxy-client.service\n[Service]\nSyslogIdentifier=nym-proxy-client\n"
    check_noop("x.service", unit)


def test_an_open_quote_is_a_finding_of_its_own_place() -> None:
    unit = "[Service]\nExecStartPre=nym-proxy-client 'A\nExecStart=nym-proxy-client -s A\n"
    assert [finding.code for finding in findings("x.service", unit)] == ["NYM090", "NYM001"]


def test_hints_about_stopping() -> None:
    unit = "[Service]\nExecStart=nym-proxy-client -s A\nKillSignal=SIGKILL\nTimeoutStopSec=5\n"
    assert [found.code for found in findings("x.service", unit)] == ["NYM001", "NYM007", "NYM007"]
