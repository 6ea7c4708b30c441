use nym_sdk::tcp_proxy::NymProxyClient;
mod inner {
    fn f() {
        crate::NymProxyClient::new(a, "127.0.0.1", "8080", 60, None, 2);
    }
}
