use nym_sdk::tcp_proxy::NymProxyClient;
fn f(client: &NymProxyClient) {}
