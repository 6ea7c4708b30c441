use other::tcp_proxy::NymProxyClient;
fn f() { NymProxyClient::new(1); }
