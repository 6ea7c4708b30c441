use other::tcp_proxy::Proxy;
