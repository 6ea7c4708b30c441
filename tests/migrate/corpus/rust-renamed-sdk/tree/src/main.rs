use nym::tcp_proxy::NymProxyClient;

fn main() {
    NymProxyClient::new(a, "127.0.0.1", "8080", 60, None, 2);
}
