mod tcp_proxy;
use crate::tcp_proxy::client::NymProxyClient;
fn main() { NymProxyClient::new(); }
