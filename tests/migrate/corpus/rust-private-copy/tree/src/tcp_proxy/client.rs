pub struct NymProxyClient {
    server: String,
}

impl NymProxyClient {
    pub fn new() -> Self { todo!() }
}
