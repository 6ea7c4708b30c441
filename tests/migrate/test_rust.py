"""The old API in Rust: names through `use`, arities, helpers, pools, modes, internals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nymproxy_migrate.model import Action, Kind
from tests.migrate.tools import findings, source

CALL = 'NymProxyClient::new(address, "127.0.0.1", "8080", 60, None, 2).await?;'


def found(text: str, path: str = "src/proxy.rs") -> list[tuple[str, int, int]]:
    """Return code, line and column of each finding."""
    file = source(path, text)
    return [(each.code, *file.position(each.span.start)) for each in findings(path, file.data)]


def found_codes(text: str, path: str = "src/proxy.rs") -> list[str]:
    return [code for code, _, _ in found(text, path)]


def test_a_program_with_both_ends() -> None:
    text = """
use anyhow::Result;
use nym_sdk::tcp_proxy;

#[tokio::main]
async fn main() -> Result<()> {
    // tcp_proxy::NymProxyClient::new(address) is what this once was
    let client = tcp_proxy::NymProxyClient::new(
        address,
        "127.0.0.1",
        "8080",
        60,
        Some(env), // the network
        2,
    )
    .await?;
    let mut server = tcp_proxy::NymProxyServer::new("127.0.0.1:3", "/srv/nym", None, None).await?;
    println!("NymProxyClient::new() {}", server.nym_address());
    let stop = server.disconnect_signal();
    Ok(())
}
"""
    assert found(text) == [("NYM010", 7, 18), ("NYM011", 16, 22)]
    client, server = findings("a.rs", text)
    assert "6 arguments (the form with a pool)" in client.message
    assert "4 arguments (the form with a gateway)" in server.message
    assert (client.kind, client.action, client.needs_human) == (Kind.RUST_API, Action.REPORT, True)
    assert client.span.of(source("a.rs", text).data).endswith(b"2,\n    )")


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ('NymProxyClient::new(a, "::1", "1", 2)', "NYM010", "without env file and pool"),
        ('NymProxyClient::new(a, f(1, 2), "1", 2, None)', "NYM010", "without a pool"),
        ('NymProxyClient::new(a, "::1", "1", 2, None, [1, 2][0])', "NYM010", "with a pool"),
        ("NymProxyClient::new(a)", "NYM010", "1 argument (no published version"),
        ("NymProxyClient::new_with_defaults(a, None)", "NYM010", "127.0.0.1:8080"),
        ('NymProxyServer::new("h:1", "d")', "NYM011", "without env file and gateway"),
        ('NymProxyServer::new("h:1", "d", None)', "NYM011", "without a gateway"),
        ('NymProxyServer::new("h:1", "d", None, Some(g))', "NYM011", "with a gateway"),
        ("addresses.map(NymProxyClient::new_with_defaults)", "NYM010", "passed on as a function"),
        ("<NymProxyServer>::new(a, b)", "NYM011", "2 arguments"),
        ("tokio::join!(NymProxyClient::new_with_defaults(a, None))", "NYM010", "2 arguments"),
    ],
)
def test_constructors(call: str, code: str, words: str) -> None:
    text = f"use nym_sdk::tcp_proxy::*;\nasync fn f() {{\n    {call};\n}}\n"
    (finding,) = findings("a.rs", text)
    assert finding.code == code
    assert words in finding.message


@pytest.mark.parametrize(
    "text",
    [
        f"use nym_sdk::tcp_proxy::NymProxyClient;\nasync fn f() {{ {CALL} }}",
        "use nym_sdk::tcp_proxy::NymProxyClient as Proxy;\nasync fn f() { Proxy::new(a, b); }",
        "use nym_sdk::{mixnet, tcp_proxy::{self, NymProxyServer}};\n"
        "async fn f() { tcp_proxy::NymProxyClient::new(a); }",
        "use nym_sdk::{mixnet, tcp_proxy as old};\nasync fn f() { old::NymProxyClient::new(a); }",
        "async fn f() { nym_sdk::tcp_proxy::NymProxyClient::new(a); }",
        "async fn f() { ::nym_sdk::tcp_proxy::NymProxyClient::new(a); }",
        "use nym_sdk as sdk;\nuse sdk::tcp_proxy as t;\nfn f() { t::NymProxyClient::new(a); }",
        "extern crate nym_sdk as sdk;\nfn f() { sdk::tcp_proxy::NymProxyClient::new(a); }",
        "use nym_sdk::*;\nfn f() { tcp_proxy::NymProxyClient::new(a); }",
        "use nym_sdk;\nfn f() { nym_sdk::tcp_proxy::NymProxyClient::new(a); }",
        "fn f() { use nym_sdk::tcp_proxy::NymProxyClient;\n if x { NymProxyClient::new(a); } }",
        "use nym_sdk::tcp_proxy::NymProxyClient;\n"
        "mod tests { use super::*; fn f() { NymProxyClient::new(a); } }",
        "use nym_sdk::tcp_proxy::NymProxyClient;\n"
        "mod m { fn f() { super::NymProxyClient::new(a); } }",
        "type Proxy = nym_sdk::tcp_proxy::NymProxyClient;\nfn f() { Proxy::new(a); }",
        "use nym_sdk::tcp_proxy::r#NymProxyClient;\nfn f() { NymProxyClient::new(a); }",
        "pub use nym_sdk::tcp_proxy::NymProxyClient;",
    ],
)
def test_names_are_resolved(text: str) -> None:
    assert found_codes(text) == ["NYM010"]


def test_the_root_of_the_crate_counts_where_it_is_known() -> None:
    text = (
        "use nym_sdk::tcp_proxy::NymProxyServer;\n"
        "mod m { fn f() { crate::NymProxyServer::new(a, b); } }\n"
    )
    assert found_codes(text, "src/main.rs") == ["NYM011"]
    assert found_codes(text, "src/other.rs") == ["NYM093"]


@pytest.mark.parametrize(
    "text",
    [
        "use other::NymProxyClient;\nuse nym_sdk::mixnet;\nfn f() { NymProxyClient::new(a); }",
        "// nym_sdk::tcp_proxy::NymProxyClient::new(a)\nfn f() {}",
        "/* use nym_sdk::tcp_proxy::NymProxyClient; NymProxyClient::new(a) */",
        'const TEXT: &str = "nym_sdk::tcp_proxy::NymProxyClient::new(a)";',
        "use nym_sdk::tcp_proxy::NymProxyClient;\nmod m { fn f() { NymProxyClient::new(a); } }",
        "use nym_sdk::tcp_proxy::*;\nstruct NymProxyClient;\nfn f() { NymProxyClient::new(a); }",
        "use nym_sdk::tcp_proxy::NymProxyClient;\nfn f(client: &NymProxyClient) { client.run(); }",
        "use nym_sdk::mixnet::{MixnetClient, MixnetListener};\n"
        "async fn f(mut c: MixnetClient) { let l = c.listener()?; c.open_stream(a, None).await?; }",
        "use nym_sdk::mixnet::MixnetClient;\nasync fn f(mut c: MixnetClient, mut d: MixnetClient) "
        "{ let s = c.open_stream(a, None).await?; d.send_plain_message(a, b).await?; }",
        "use nym_sdk::mixnet::MixnetClient;\nasync fn f(mut c: MixnetClient) "
        "{ c.send_plain_message(a, b).await?; let s = c.open_stream(a, None).await?; }",
        "use nym_sdk::mixnet::Payload;\nuse tcp_proxy::ClientPool;\nfn f() { ClientPool::new(2); }",
        "use r2d2::Pool as ClientPool;\nuse nym_sdk::tcp_proxy;\nfn f() { ClientPool::new(2); }",
        "use a::b;\nuse b::a;\nuse nym_sdk::tcp_proxy;\nfn f() { a::NymProxyClient::new(2); }",
        "use self::x as y;\nuse self::y as x;\nuse nym_sdk::tcp_proxy;\nfn f() { x::new(2); }",
    ],
)
def test_what_is_no_use_of_the_old_api(text: str) -> None:
    # Whoever names it without a use that can be followed hears of the line, at most.
    assert set(found_codes(text)) <= {"NYM093"}


def test_helpers_and_builders() -> None:
    text = """
use nym_sdk::tcp_proxy::{NymProxyClient, NymProxyServer};
pub struct ProxyBuilder { port: String, server: Arc<Mutex<NymProxyServer>> }
impl ProxyBuilder {
    pub async fn build(self) -> anyhow::Result<NymProxyClient> {
        NymProxyClient::new(self.address, "::1", &self.port, 60, None, 2).await
    }
    pub async fn again(&self) -> Option<NymProxyClient> {
        self.build().await.ok()
    }
}
"""
    assert found(text) == [("NYM010", 5, 9), ("NYM010", 7, 18)]
    constructor, helper = findings("a.rs", text)
    assert constructor.message.endswith("build() gives it out")
    assert helper.message == "again() gives out a NymProxyClient"


def test_messages_and_buffers() -> None:
    text = """
use nym_sdk::tcp_proxy::utils::{MessageBuffer, Payload, ProxiedMessage};
fn f() {
    let message = ProxiedMessage::new(Payload::Data(bytes), session, 1);
    let mut buffer = MessageBuffer::new();
    match bincode::deserialize::<ProxiedMessage>(&bytes)?.message() {
        Payload::Data(data) => {}
        Payload::Close => {}
    }
}
"""
    assert found(text) == [("NYM012", 3, 19), ("NYM012", 3, 39), ("NYM012", 4, 22)]
    message, payload, _ = findings("a.rs", text)
    assert message.message.endswith("used directly (2 places)")
    assert payload.message.startswith("Payload ")


def test_pools() -> None:
    text = "use nym_sdk::client_pool::ClientPool;\nfn f() { let pool = ClientPool::new(4); }\n"
    assert found(text) == [("NYM013", 2, 21)]
    assert "ClientPool of 4" in findings("a.rs", text)[0].message


def test_internals() -> None:
    text = """
use nym_sdk::tcp_proxy::NymProxyServer;
struct Holder { server: Arc<Mutex<NymProxyServer>>, channel: Channel }
async fn make() -> Result<NymProxyServer> { NymProxyServer::new(a, b, None, None).await }
async fn f(holder: &Holder) -> Result<()> {
    let mut server = make().await?;
    let tx = server.tx();
    let rx = holder.server.lock().await.rx();
    let other = holder.channel.tx();
    let sender = unknown.mixnet_client_sender();
    info!("{}", server.session_map().len());
    tokio::spawn(async move { server.mixnet_client_mut().send_plain_message(a, b).await });
}
impl Holder {
    fn g(&self) { debug!("{:?} {:?}", self.server.tx(), self.channel.rx()); }
}
"""
    assert found(text) == [
        ("NYM011", 3, 45),
        ("NYM017", 6, 21),
        ("NYM017", 7, 41),
        ("NYM017", 9, 26),
        ("NYM017", 10, 24),
        ("NYM017", 11, 38),
        ("NYM016", 11, 58),
        ("NYM017", 14, 51),
    ]


def test_messages_on_a_client_in_stream_mode() -> None:
    text = """
use nym_sdk::mixnet::{self, MixnetClient, MixnetMessageSender};
async fn f() -> Result<()> {
    let mut client = mixnet::MixnetClient::connect_new().await?;
    client.send_plain_message(to, "before").await?;
    let stream = client.open_stream(to, None).await?;
    client.send_plain_message(to, "after").await?;
    while let Some(messages) = client.wait_for_messages().await {}
    Ok(())
}
struct Node { client: MixnetClient }
impl Node {
    async fn say(&self) { self.client.send_reply(tag, "x").await; }
    async fn accept(&mut self) { let listener = self.client.listener(); }
}
"""
    assert found(text) == [("NYM016", 6, 12), ("NYM016", 7, 39), ("NYM016", 12, 39)]


def test_built_clients_are_known() -> None:
    text = """
use nym_sdk::mixnet::MixnetClientBuilder;
async fn f() {
    let client = MixnetClientBuilder::new_ephemeral().build()?.connect_to_mixnet().await?;
    let listener = client.listener()?;
    client.next().await;
}
"""
    assert found(text) == [("NYM016", 5, 12)]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("use nym_sdk::tcp_proxy;\nfn f( {\n", (2, 1)),
        ("use nym_sdk::tcp_proxy::{NymProxyClient;\nfn f() {}\n", (1, 1)),
    ],
)
def test_what_does_not_parse_is_a_finding(text: str, place: tuple[int, int]) -> None:
    last = findings("a.rs", text)[-1]
    assert (last.code, last.kind) == ("NYM090", Kind.RUST_API)
    assert source("a.rs", text).position(last.span.start)[0] <= place[0]


def test_files_without_the_names_are_not_parsed() -> None:
    assert found("fn f( {\n// nym_sdk\n") == []
    assert found("fn f( {\n// NymProxyClient\n") == []


def test_line_ends_marks_and_bytes_keep_their_places() -> None:
    text = f"\ufeffuse nym_sdk::tcp_proxy::NymProxyClient;\r\nfn f() {{ /* é */ {CALL} }}\r\n"
    assert found(text) == [("NYM010", 2, 19)]
    latin = text.removeprefix("\ufeff").encode("latin-1")
    (finding,) = findings("a.rs", latin)
    assert source("a.rs", latin).position(finding.span.start) == (2, 18)


def test_a_comment_keeps_it_quiet() -> None:
    text = "use nym_sdk::tcp_proxy::NymProxyClient;\n// nymproxy: ignore[NYM010]\n"
    text += f"fn f() {{ {CALL} }}\n"
    assert found(text) == []


PIECES = (
    *("use nym_sdk::tcp_proxy::", "{", "}", "NymProxyClient", "::new(", ")", "as", "*", ";", "a"),
    *("mod m", "super::", "self.", "tx()", "fn f()", "let x =", "!", "::", "<", ">", '"', ","),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=24))
def test_no_file_ends_the_scan(pieces: list[str]) -> None:
    text = "use nym_sdk::tcp_proxy;\n" + " ".join(pieces)
    for finding in findings("a.rs", text):
        assert "cannot be judged" not in finding.message
