from nymproxy import NymProxyClient
NymProxyClient("a")
