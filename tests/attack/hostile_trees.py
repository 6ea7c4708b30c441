"""Trees that somebody has made to stop, fill or crash whoever reads them."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from nymproxy.mixnet.storage.key_files import write_keys
from nymproxy.mixnet.storage.model import ClientKeys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "nym-proxy-client"


def parentheses(tree: Path) -> None:
    call = f"import subprocess\nsubprocess.run(['{NAME}', '-s', 'A'])\n"
    (tree / "evil.py").write_text(call + "x = " + "(" * 3000 + ")" * 3000 + "\n")


def doubling_variables(tree: Path) -> None:
    lines = ["NYM_API=http://x", "A0=" + "x" * 16]
    lines += [f"A{n + 1}=$A{n}$A{n}" for n in range(30)]
    (tree / "evil.env").write_text("\n".join(lines) + "\n")


def quote_without_end(tree: Path) -> None:
    (tree / "evil.env").write_text("NYM_API='" + "x\n" * 900_000)


def dotted_keys(tree: Path) -> None:
    keys = "a" + ".a" * 100_000
    (tree / "evil.toml").write_text(f'command = "{NAME} -s A"\n{keys} = 1\n')


def settings_of_dotted_keys(tree: Path) -> None:
    (tree / "nymproxy-migrate.toml").write_text("a" + ".a" * 100_000 + " = 1\n")


def nested_arrays_of_toml(tree: Path) -> None:
    nested = "[" * 100_000 + "]" * 100_000
    (tree / "evil.toml").write_text(f'command = "{NAME} -s A"\nx = {nested}\n')


def nested_json(tree: Path) -> None:
    (tree / "evil.json").write_text(f'["{NAME} -s A", ' + "[" * 500_000 + "]" * 500_000 + "]")


def aliases_of_yaml(tree: Path) -> None:
    lines = [f"a0: &a0 ['{NAME} -s A', '{NAME} -s B']"]
    lines += [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(12)]
    service = "services: {a: {image: x, command: *a12}}"
    (tree / "compose.yml").write_text("\n".join([*lines, service]) + "\n")


def nested_yaml(tree: Path) -> None:
    nested = "[" * 50_000 + "]" * 50_000
    (tree / "evil.yml").write_text(f"x: {nested}\ncommand: {NAME} -s A\n")


def nested_substitutions(tree: Path) -> None:
    nested = "$(" * 20_000 + "true" + ")" * 20_000
    (tree / "evil.sh").write_text(f"{NAME} -s A {nested}\n")


def nested_blocks_of_terraform(tree: Path) -> None:
    (tree / "evil.tf").write_text(f'x = "{NAME} -s A"\n' + "a {\n" * 50_000 + "}\n" * 50_000)


def nested_blocks_of_rust(tree: Path) -> None:
    use = "use nym_sdk::tcp_proxy::NymProxyClient;\n"
    (tree / "evil.rs").write_text(use + "fn f() " + "{" * 50_000 + "}" * 50_000)


def template_without_end(tree: Path) -> None:
    (tree / "evil.sh.j2").write_text(f"{NAME} -s A\n" + "{{ x\n" * 30_000)


def gitignore_pipe(tree: Path) -> None:
    os.mkfifo(tree / ".gitignore")


def gitignore_device(tree: Path) -> None:
    (tree / ".gitignore").symlink_to("/dev/zero")


def gitignore_of_stars(tree: Path) -> None:
    (tree / ".gitignore").write_text("*a" * 40 + "b\n")
    (tree / ("a" * 200)).write_text("x\n")
    for number in range(6):
        folder = tree / f"sub{number}"
        folder.mkdir()
        (folder / ("a" * 200)).write_text("x\n")


def config_dir(tree: Path) -> Path:
    folder = tree / "keys"
    folder.mkdir()
    write_keys(folder, ClientKeys(bytes([1] * 32), bytes([2] * 32), bytes([3] * 16)))
    return folder


def database_device(tree: Path) -> None:
    (config_dir(tree) / "gateways_registrations.sqlite").symlink_to("/dev/zero")


def database_pipe(tree: Path) -> None:
    os.mkfifo(config_dir(tree) / "gateways_registrations.sqlite")


def recursive_view(tree: Path) -> None:
    connection = sqlite3.connect(config_dir(tree) / "gateways_registrations.sqlite")
    connection.execute(
        "CREATE VIEW active_gateway AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
        "FROM n) SELECT count(x) AS active_gateway_id_bs58 FROM n"
    )
    connection.commit()
    connection.close()


def view_of_large_values(tree: Path) -> None:
    connection = sqlite3.connect(config_dir(tree) / "gateways_registrations.sqlite")
    connection.execute(
        "CREATE VIEW active_gateway AS SELECT hex(zeroblob(500000000)) AS active_gateway_id_bs58"
    )
    connection.commit()
    connection.close()


def nested_folders(tree: Path) -> None:
    descriptor = os.open(tree, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)


HOSTILE: dict[str, Callable[[Path], None]] = {
    each.__name__: each
    for each in (
        parentheses,
        doubling_variables,
        quote_without_end,
        dotted_keys,
        nested_arrays_of_toml,
        nested_json,
        aliases_of_yaml,
        nested_yaml,
        nested_substitutions,
        nested_blocks_of_terraform,
        nested_blocks_of_rust,
        template_without_end,
        gitignore_pipe,
        gitignore_device,
        gitignore_of_stars,
        database_device,
        database_pipe,
        recursive_view,
        view_of_large_values,
        nested_folders,
    )
}


IN_ONE_TREE = (
    "parentheses",
    "quote_without_end",
    "nested_json",
    "aliases_of_yaml",
    "nested_yaml",
    "nested_blocks_of_terraform",
    "template_without_end",
    "gitignore_device",
    "recursive_view",
    "nested_folders",
)
"""Those that do not get in each other's way, and of which one of a kind is enough."""
