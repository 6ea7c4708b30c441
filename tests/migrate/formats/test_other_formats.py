"""Containerfiles, JSON, TOML, HCL, Nix, supervisor and what is made of lines."""

from __future__ import annotations

import pytest

from tests.migrate.tools import check, check_noop, codes, findings

CLIENT = "nymproxy client"
SERVER = "nymproxy server --accept legacy,stream --compat-config-dir"
OURS = "FROM debian\nRUN pip install nymproxy\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('CMD ["nym-proxy-client", "-s", "A"]',
         'CMD ["nymproxy", "client", "-s", "A"]'),
        ('ENTRYPOINT ["nym-proxy-server"]\nCMD ["-u","a:1","-c","/x"]',
         'ENTRYPOINT ["nymproxy", "server", "--accept", "legacy,stream", '
         '"--compat-config-dir"]\nCMD ["-u","a:1","-c","/x"]'),
        ("ENV HOME=/srv\nCMD [\"nym-proxy-server\",\"-u\",\"a:1\",\"--config-dir=/x\"]",
         'ENV HOME=/srv\nCMD ["nymproxy","server","--accept","legacy,stream",'
         '"--compat-config-dir","-u","a:1","--config-dir=/x"]'),
        ('CMD exec nym-proxy-server -u "$U" \\\n  # why\n  -c /x',
         f'CMD exec {SERVER} -u "$U" \\\n  # why\n  -c /x'),
        ('CMD ["sh", "-c", "nym-proxy-client -s \\"$A\\""]',
         f'CMD ["sh", "-c", "{CLIENT} -s \\"$A\\""]'),
    ],
)  # fmt: skip
def test_containerfiles_that_install_ours(before: str, after: str) -> None:
    check("Dockerfile", f"{OURS}{before}\n", f"{OURS}{after}\n")


@pytest.mark.parametrize(
    "text",
    [
        "FROM rust AS b\nRUN cargo build\nFROM debian\nCOPY --from=b /nym-proxy-client /bin/\n"
        'CMD ["nym-proxy-client", "-s", "A"]\n',
        "FROM me/nym-proxy:1\nCMD nym-proxy-client -s A\n",
    ],
)
def test_containerfiles_with_the_old_program(text: str) -> None:
    found = codes("app.Dockerfile", text)
    assert found[-1] == "NYM005"
    assert found[:-1] == ["NYM006"] * text.count("COPY")


def test_containerfile_user_without_a_known_home() -> None:
    text = f'{OURS}USER nym\nCMD ["nym-proxy-server", "-u", "a:1"]\n'
    assert [each.code for each in findings("Containerfile", text)] == ["NYM002", "NYM051"]


def test_containerfile_builds() -> None:
    assert codes("Dockerfile", "FROM rust\nRUN cargo install nym-sdk\n") == ["NYM006"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"scripts": {"start": "nym-proxy-client -s \\"$A\\" && x"}}',
         f'{{"scripts": {{"start": "{CLIENT} -s \\"$A\\" && x"}}}}'),
        ('{"command": [\n    "nym-proxy-client",\n    "-s",\n    "A"\n]}',
         '{"command": [\n    "nymproxy",\n    "client",\n'
         '    "-s",\n    "A"\n]}'),
        ('{"postCreateCommand": "nym-proxy-server -u a:1 -c /x"}',
         f'{{"postCreateCommand": "{SERVER} -u a:1 -c /x"}}'),
        ('{"postStartCommand": {"nym": "nym-proxy-client -s \\u0041"}}',
         f'{{"postStartCommand": {{"nym": "{CLIENT} -s \\u0041"}}}}'),
    ],
)  # fmt: skip
def test_json(before: str, after: str) -> None:
    if 'nym":' in before:  # a devcontainer may name parallel commands
        before, after = (text.replace('"postStartCommand"', '"tasks"') for text in (before, after))
    check("package.json", before, after)


def test_json_text_and_jobs() -> None:
    check_noop("x.json", '{"name": "nym-proxy-client -s A", "n": [1, null]}')
    job = '{"config": {"image": "x", "command": "nym-proxy-client", "args": ["-s", "A"]}}'
    check_noop("job.json", job, "NYM005")
    check_noop("job.json", job.replace('"image": "x", ', ""), "NYM001")
    check_noop("x.json", '{"command": ["nym-proxy-client", "-s"', "NYM090")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('[tasks.a]\nrun = "nym-proxy-client -s A"  # why\n',
         f'[tasks.a]\nrun = "{CLIENT} -s A"  # why\n'),
        ("[a]\ncommand = ['nym-proxy-client', '-s', \"A\"]\nn = 1\n",
         "[a]\ncommand = ['nymproxy', 'client', '-s', \"A\"]\nn = 1\n"),
        ("x = { cmd = 'nym-proxy-server -u a:1 -c /x', n = [1, 2] }\n",
         f"x = {{ cmd = '{SERVER} -u a:1 -c /x', n = [1, 2] }}\n"),
        ('[[p]]\nscript = """\nset -e\nnym-proxy-server -u a:1 -c /x\n"""\n',
         f'[[p]]\nscript = """\nset -e\n{SERVER} -u a:1 -c /x\n"""\n'),
    ],
)  # fmt: skip
def test_toml(before: str, after: str) -> None:
    check("tasks.toml", before, after)


def test_toml_that_does_not_parse() -> None:
    check_noop("x.toml", 'command = "nym-proxy-client -s A\n', "NYM090")


def test_terraform() -> None:
    before = """
resource "vm" "a" {
  name      = "nym-proxy-client"
  user_data = <<-EOF
    #!/bin/bash
    echo $${X}
    nym-proxy-server -u ${var.up} -c /data
  EOF
  provisioner "remote-exec" {
    inline = ["nohup nym-proxy-client -s \\"${x}\\" &", "ls"]
  }
}
"""
    after = before.replace(
        "nym-proxy-server -u ${var.up} -c /data", f"{SERVER} -u ${{var.up}} -c /data"
    ).replace("nohup nym-proxy-client", f"nohup {CLIENT}")
    check("main.tf", before, after)


def test_cloud_config_in_terraform() -> None:
    before = (
        'resource "vm" "a" {\n  user_data = <<EOF\n#cloud-config\nruncmd:\n'
        "  - nym-proxy-client -s A\n  - [nym-proxy-client, -s, A]\nEOF\n}\n"
    )
    after = before.replace("nym-proxy-client -s", f"{CLIENT} -s").replace(
        "nym-proxy-client,", "nymproxy, client,"
    )
    check("main.tf", before, after)


def test_nix() -> None:
    before = """
{ pkgs }: {
  systemd.services.x = {
    description = "nym-proxy-client -s A";
    serviceConfig.ExecStart = "/run/bin/nym-proxy-client -s \\"a\\"";
    script = ''
      exec nym-proxy-server -u ${y} -c "''${D}"
    '';
  };
  x = pkgs.writeShellScript "y" ''
    nym-proxy-server -u a:1 -c /x
  '';
}
"""
    after = before.replace("/run/bin/nym-proxy-client", f"/usr/local/bin/{CLIENT}").replace(
        "nym-proxy-server", SERVER
    )
    check("m.nix", before, after)
    package = '{ serviceConfig.ExecStart = "${p}/bin/nym-proxy-client -s a"; }\n'
    check_noop("m.nix", package, "NYM005")


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("supervisord.conf",
         "[program:x]\nenvironment=HOME='/srv'\n"
         "command=nym-proxy-server -u \"a b\" -c %(ENV_D)s  ; why\n",
         "[program:x]\nenvironment=HOME='/srv'\n"
         f"command=/usr/local/bin/{SERVER} -u \"a b\" -c %(ENV_D)s  ; why\n"),
        ("x.ini", "[program:x]\ncommand = /bin/sh -c 'nym-proxy-client -s A'\n",
         f"[program:x]\ncommand = /bin/sh -c '/usr/local/bin/{CLIENT} -s A'\n"),
        ("Procfile", "web: nym-proxy-client -s $A --listen_port $PORT",
         f"web: {CLIENT} -s $A --listen-port $PORT"),
        ("Makefile", "run: nym-proxy-client\n\t@-nym-proxy-server -u $(UP) \\\n\t  -c /d\n",
         f"run: nym-proxy-client\n\t@-{SERVER} -u $(UP) \\\n\t  -c /d\n"),
        ("x.mk", "a:\n\tA=1 nym-proxy-client -s $$A; ls\n", f"a:\n\tA=1 {CLIENT} -s $$A; ls\n"),
        ("justfile", "run arg='x':\n    @nym-proxy-server -u {{arg}} \\\n      -c /d\n",
         f"run arg='x':\n    @{SERVER} -u {{{{arg}}}} \\\n      -c /d\n"),
        (".env", "CMD='nym-proxy-server -u a:1'\n", f"CMD='{SERVER} -u a:1'\n"),
        (".env", 'A=1\nCMD="nym-proxy-client -s \\"x\\""\n', f'A=1\nCMD="{CLIENT} -s \\"x\\""\n'),
        ("etc/cron.d/nym", "@reboot nym nym-proxy-server -u a:1 -c /x\n",
         f"@reboot nym /usr/local/bin/{SERVER} -u a:1 -c /x\n"),
        ("start.sh.j2", "{% if a %}\nnym-proxy-client -s {{ a }}\n{% endif %}\n",
         f"{{% if a %}}\n{CLIENT} -s {{{{ a }}}}\n{{% endif %}}\n"),
    ],
)  # fmt: skip
def test_lines(path: str, before: str, after: str) -> None:
    check(path, before, after)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("Makefile", "nym-proxy-client: x\n\techo nym-proxy-client -s A\n", ()),
        ("Makefile", "BIN = nym-proxy-client\nx:\n\t$(BIN) -s A\n", ("NYM004",)),
        ("justfile", 'x := "nym-proxy-client -s A"\n', ("NYM093",)),
        (".env", "NYM_BIN=nym-proxy-client\n", ()),
        ("x.ini", "[program:nym-proxy-client]\ncommand=ls\n", ()),
        ("x.ini", "[program:x]\ncommand=nym-proxy-client 'A\n", ("NYM090",)),
        ("README.txt", "nym-proxy-client -s A\n", ()),
    ],
)
def test_lines_that_stay(path: str, text: str, expected: tuple[str, ...]) -> None:
    check_noop(path, text, *expected)
