"""Fenced blocks of documents, with --docs."""

from __future__ import annotations

import pytest

from nymproxy_migrate.formats import markdown
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.options import ScanOptions
from tests.migrate import tools

DOCS = ScanOptions(docs=True)
OLD = "nym-proxy-client"
NEW = "nymproxy client"


def check(before: str, after: str) -> None:
    tools.check("a.md", before, after, DOCS)
    tools.check("a.md", before.replace("\n", "\r\n"), after.replace("\n", "\r\n"), DOCS)


@pytest.mark.parametrize(
    "block",
    [
        "```sh\n{} -s A\n```\n",
        "# Start\n\n~~~bash\nexec {} -s A \\\n  --listen-port 1 &\n~~~\n",
        "```\n{} -s A\n```\n",
        "```bash title=\"start\"\n{} -s \"$A\"\n```\n",
        "- a list\n\n  ```sh\n  cd /\n  {} -s A\n  ```\n",
        "> ```sh\n> # quoted\n> {} -s A\n> ```\n",
        "```console\n$ {} -s A\nnym-proxy-client: listening\n```\n",
        "```sh\nnym@host:~$ {} -s A\n```\n",
        "```console\n$ {} \\\n    -s A\n$ ls\n```\n",
        "```sh\n{} -s <ADDRESS> --listen-port <PORT>\n```\n",
        "```ini\n[Service]\nExecStart={} -s A\n```\n",
        "```yaml\njobs:\n  a:\n    steps:\n      - run: {} -s A\n```\n",
        "```makefile\na:\n\t{} -s A\n```\n",
        "```python\nimport os\nos.system('{} -s A')\n```\n",
        "```sh\n{} -s A",
    ],
)  # fmt: skip
def test_blocks_are_rewritten_in_their_language(block: str) -> None:
    check(block.replace("{}", OLD), block.replace("{}", NEW))


def test_what_a_finding_says() -> None:
    (found,) = tools.findings("a.md", "```sh\nnym-proxy-client -s A\n```\n", DOCS)
    assert (found.code, found.kind, found.action) == ("NYM080", Kind.DOCS, Action.REWRITE)
    (found,) = tools.findings("a.md", "```sh\nnym-proxy-client -s A --nope\n```\n", DOCS)
    assert (found.code, found.kind, found.action) == ("NYM080", Kind.DOCS, Action.REPORT)
    assert "--nope" in found.message
    image = "```dockerfile\nFROM debian\nCMD nym-proxy-client -s A\n```\n"
    (found,) = tools.findings("a.md", image, DOCS)
    assert (found.code, found.action) == ("NYM080", Action.REPORT)
    (found,) = tools.findings("a.md", "```sh\ngrep 'Client created' nym.log\n```\n", DOCS)
    assert (found.code, found.edits) == ("NYM080", ())
    assert "--address-file" in found.next


def test_rust_and_go() -> None:
    rust = "use nym_sdk::tcp_proxy::NymProxyClient;\n"
    text = f"Text.\n\n```rust\n{rust}```\n"
    found = tools.findings("a.md", text, DOCS)
    assert {one.code for one in found} <= {"NYM080"}
    assert all(one.path == "a.md" for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "Start `nym-proxy-client -s A`.\n",
        "    nym-proxy-client -s A\n",
        "```sh\necho nym-proxy-client -s A\n```\n",
        "```\nINFO nym-proxy-client -s A\n```\n",
        "```console\n$ ls\nnym-proxy-client -s A\n```\n",
        "```unknown\nnym-proxy-client -s A\n```\n",
        "```yaml\nfoo: [nym-proxy-client\n```\n",
        "```sh\nnymproxy client -s A\n```\n",
        "```sh\n```\nnym-proxy-client\n",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    found = [one for one in tools.findings("a.md", text, DOCS) if one.edits]
    assert found == []


def test_without_docs_nothing_is_searched() -> None:
    assert tools.findings("a.md", "```sh\nnym-proxy-client -s A\n```\n") == []


def test_every_byte_of_a_block_has_its_place() -> None:
    data = "> ```sh\n> ä\n>  b\n> ```\n\n1. x\n\n   ~~~ sh\n   c\n   ~~~\n".encode()
    blocks = list(markdown.find(Text.whole(data)))
    assert [block.text.data.decode() for block in blocks] == ["ä\n b\n", "c\n"]
    for block in blocks:
        text = block.text
        for index, byte in enumerate(text.data):
            assert data[text.starts[index]] == byte
        alone = markdown.alone(block, len(data))
        assert len(alone) == len(data)
        assert alone.replace(b" ", b"") == text.data.replace(b" ", b"")


def test_lone_returns_are_left_alone() -> None:
    assert list(markdown.find(Text.whole(b"```sh\rnym-proxy-client -s A\r```\n"))) == []


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (
            "rust\nuse nym_sdk::tcp_proxy::NymProxyClient;\n...\n"
            'let c = NymProxyClient::new(a, "h", "1", 60, None, 2).await?;\nc.run(\n',
            "NymProxyClient::new is called with 6 arguments",
        ),
        ("rust\nlet s = NymProxyServer::new(\n...\n", "this excerpt shows an old program"),
        ("rust\nNymProxyClient::new_with_defaults(a, None)\n", "this excerpt shows"),
        ("rust\nuse crate::nymproxy_compat::NymProxyClient;\n", ""),
        (
            'go\nimport "nymffi/go-nym/bindings"\nbindings.NewProxyClientDefault("A", nil)\n...\n',
            "NewProxyClientDefault of the bindings is called",
        ),
        ("yaml\ncommand: [nym-proxy-client, -s\n", "this excerpt shows an old program"),
        ('json\n{ "command": ["nym-proxy-client"], ... }\n', "this excerpt shows an old program"),
    ],
)
def test_an_excerpt_is_judged_by_what_it_has(block: str, told: str) -> None:
    found = tools.findings("a.md", f"```{block}```\n", DOCS)
    assert not any("not valid" in each.message for each in found)
    assert told in " ".join(each.message for each in found)
    assert {each.code for each in found} == ({"NYM080"} if told else set())
