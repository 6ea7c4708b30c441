use nym_sdk::mixnet::MixnetClient;

async fn f() {
    let mut client = MixnetClient::connect_new().await.unwrap();
    let mut listener = client.listener().unwrap();
    while let Some(stream) = listener.accept().await {}
}
