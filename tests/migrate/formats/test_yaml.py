"""YAML: compose services, pods, CI steps, Ansible tasks, and files that stand in a document."""

from __future__ import annotations

import pytest

from nymproxy_migrate.options import ScanOptions
from tests.migrate.tools import check, check_noop, codes, findings

CLIENT = "nymproxy client"
SERVER = "nymproxy server --accept legacy,stream --compat-config-dir"

COMPOSE = """
services:
  proxy:
    image: example/nymproxy:1  # ours
    user: root
    {}
    restart: always
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("command: nym-proxy-client -s A  # why", f"command: {CLIENT} -s A  # why"),
        ("command: 'nym-proxy-client -s \"A\"'", f"command: '{CLIENT} -s \"A\"'"),
        ('command: "nym-proxy-client -s \\"A\\""', f'command: "{CLIENT} -s \\"A\\""'),
        ("command: [nym-proxy-client, -s, A]",
         "command: [nymproxy, client, -s, A]"),
        ('command: ["nym-proxy-client", "-s", "${A}"]',
         'command: ["nymproxy", "client", "-s", "${A}"]'),
        ("command:\n      - nym-proxy-client  # x\n      - '--listen_port=1'\n      - -sA",
         "command:\n      - nymproxy\n      - client  # x\n"
         "      - '--listen-port=1'\n      - -sA"),
        ("entrypoint: [nym-proxy-server]\n    command: [-u, 'a:1', -c, /x]",
         "entrypoint: [nymproxy, server, --accept, 'legacy,stream', --compat-config-dir]\n"
         "    command: [-u, 'a:1', -c, /x]"),
        ("command: nym-proxy-server -u a:1 -c '/x y'", f"command: {SERVER} -u a:1 -c '/x y'"),
        ("command: >\n      nym-proxy-client\n      -s A\n",
         f"command: >\n      {CLIENT}\n      -s A\n"),
        ("command: sh -c 'nym-proxy-server -u $$U -c /x'",
         f"command: sh -c '{SERVER} -u $$U -c /x'"),
        ('command: ["sh", "-c", "nym-proxy-server -u $$U -c /x"]',
         f'command: ["sh", "-c", "{SERVER} -u $$U -c /x"]'),
        ("environment: {HOME: /srv}\n    command: nym-proxy-server -u a:1",
         "environment: {HOME: /srv}\n"
         f"    command: {SERVER} -u a:1"),
    ],
)  # fmt: skip
def test_compose(before: str, after: str) -> None:
    check("docker-compose.yml", COMPOSE.format(before), COMPOSE.format(after))


@pytest.mark.parametrize("where", ["image: example/nym-proxy:1", "build: ."])
def test_a_program_of_an_image_is_for_a_human(where: str) -> None:
    text = f"services:\n  a:\n    {where}\n    command: [nym-proxy-client, -s, A]\n"
    check_noop("compose.yaml", text, "NYM005")
    after = text.replace("nym-proxy-client,", "nymproxy, client,")
    decided = ScanOptions(decisions={"NYM005": "rewrite"})
    check("compose.yaml", text, after, decided)
    assert "NYM005" in codes("compose.yaml", text, decided)


def test_an_override_does_not_name_the_image() -> None:
    text = "services:\n  a:\n    command: nym-proxy-client -s A\n"
    check_noop("docker-compose.override.yml", text, "NYM005")


def test_an_image_that_is_the_program() -> None:
    text = "services:\n  a:\n    image: me/nym-proxy-client:2\n    command: [-s, A]\n"
    check_noop("compose.yaml", text, "NYM005")


def test_a_container_user_without_a_known_home() -> None:
    text = "services:\n  a: {image: nymproxy, user: nym, command: [nym-proxy-server, -u, a:1]}\n"
    assert [each.code for each in findings("compose.yaml", text)] == ["NYM002", "NYM051"]


def test_anchors_are_changed_once() -> None:
    text = (
        "x: &c\n  image: me/nymproxy\n  command: nym-proxy-client -s A\n"
        "services:\n  a:\n    <<: *c\n  b: *c\n"
    )
    check("compose.yaml", text, text.replace("nym-proxy-client", CLIENT))


def test_labels_names_and_comments_are_text() -> None:
    check_noop(
        "compose.yaml",
        "services:\n  nym-proxy-client:\n    image: x\n    container_name: nym-proxy-client\n"
        "    labels: [nym-proxy-client -s A]\n    # command: nym-proxy-client -s A\n"
        "    command: echo nym-proxy-client -s A\n",
    )


def test_pods_with_template_expressions() -> None:
    before = """
spec:
  containers:
    {{- if .Values.on }}
    - name: nym-proxy-client
      image: {{ .Values.image | default "nymproxy" }}
      command:
        - /bin/sh
        - -c
        - |
          # first
          exec nym-proxy-server -u {{ .Values.up | quote }} \\
            -c /data
      env:
        {{- toYaml .Values.env | nindent 8 }}
    {{- end }}
    - image: me/nymproxy
      securityContext: {runAsUser: 0}
      command: ["nym-proxy-server"]
      args: ["-u", "$(UP)"]
"""
    found = findings("chart/templates/pod.yaml", before)
    assert [finding.code for finding in found if finding.edits] == ["NYM002"]
    assert "NYM005" in codes("chart/templates/pod.yaml", before)
    check(
        "chart/templates/pod.yaml",
        before.replace("{{ .Values.image | default", "nymproxy # {{ .Values.image | default"),
        before.replace("{{ .Values.image | default", "nymproxy # {{ .Values.image | default")
        .replace("nym-proxy-server -u {{", f"{SERVER} -u {{{{")
        .replace(
            '["nym-proxy-server"]',
            '["nymproxy", "server", "--accept", "legacy,stream", "--compat-config-dir"]',
        ),
    )


def test_workflows() -> None:
    before = """
jobs:
  nym-proxy-client:
    runs-on: x
    steps:
      - name: nym-proxy-client -s A
        run: nym-proxy-client -s ${{ secrets.A }} &
      - run: |
          set -e
          nohup nym-proxy-client -s "$A" \\
            --listen_port 1 &

          nym-proxy-server -u a:1 -c /x
      - run: nym-proxy-client -s A
        shell: pwsh
"""
    after = (
        before.replace("run: nym-proxy-client -s $", f"run: {CLIENT} -s $")
        .replace("nohup nym-proxy-client", f"nohup {CLIENT}")
        .replace("listen_port", "listen-port")
        .replace("nym-proxy-server -u a:1 -c /x", f"{SERVER} -u a:1 -c /x")
    )
    check(".github/workflows/ci.yml", before, after)


def test_gitlab_scripts() -> None:
    before = (
        "job:\n  image: x\n  before_script:\n    - 'nym-proxy-client -s \"it''s\" &'\n"
        "  script: [nym-proxy-client -s A, ls]\n"
    )
    check(".gitlab-ci.yml", before, before.replace("nym-proxy-client", CLIENT))


def test_ansible() -> None:
    before = """
- hosts: all
  tasks:
    - name: nym-proxy-client
      ansible.builtin.shell: nym-proxy-server -u {{ up }} -c /x
    - command: nym-proxy-client -s {{ a }}
    - ansible.builtin.command:
        argv:
          - nym-proxy-client
          - -s
          - "{{ a }}"
    - copy:
        dest: /etc/systemd/system/n.service
        content: |
          [Service]
          User=nym
          ExecStart=/usr/bin/nym-proxy-server -u x:1 -c /d
"""
    after = (
        before.replace("nym-proxy-server -u {{ up }} -c /x", f"{SERVER} -u {{{{ up }}}} -c /x")
        .replace("command: nym-proxy-client", f"command: {CLIENT}")
        .replace(
            "- nym-proxy-client\n          -",
            "- nymproxy\n          - client\n          -",
        )
        .replace("/usr/bin/nym-proxy-server -u x:1 -c /d", f"/usr/local/bin/{SERVER} -u x:1 -c /d")
    )
    check("roles/nym/tasks/main.yml", before, after)


def test_files_in_config_maps() -> None:
    before = (
        "kind: ConfigMap\ndata:\n  start.sh: |\n    #!/bin/sh\n    exec nym-proxy-client -s A\n"
    )
    check_noop("cm.yaml", before, "NYM005")
    decided = ScanOptions(decisions={"NYM005": "rewrite"})
    check("cm.yaml", before, before.replace("nym-proxy-client", CLIENT), decided)
    ours = before + "---\nspec: {containers: [{image: nymproxy}]}\n"
    check("cm.yaml", ours, ours.replace("nym-proxy-client", CLIENT))


def test_invalid_yaml_is_a_finding() -> None:
    check_noop("x.yaml", "command: [nym-proxy-client, -s\n", "NYM090")


def test_line_ends_and_bytes_stay() -> None:
    before = (
        b"a: caf\xe9\r\nscript:\r\n- nym-proxy-client -s A\r\n- |\r\n  x\r\n  nym-proxy-client -s B"
    )
    after = before.replace(b"nym-proxy-client", CLIENT.encode())
    from tests.migrate.tools import apply

    assert apply(before, findings("x.yml", before)) == after


def test_stop_times_and_volumes() -> None:
    text = (
        "services:\n  a:\n    image: nymproxy\n    command: [nymproxy, server]\n"
        "    stop_grace_period: 5s\n    volumes: ['d:/root/tmp/nym-tcp-proxy-server']\n"
    )
    assert [finding.code for finding in findings("compose.yml", text)] == ["NYM007", "NYM007"]
