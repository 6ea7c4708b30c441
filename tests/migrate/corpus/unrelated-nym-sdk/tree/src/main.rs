use nym_sdk::client_pool::ClientPool;
use nym_sdk::mixnet::MixnetClient;

#[tokio::main]
async fn main() {
    let pool = ClientPool::new(4);
    let client = MixnetClient::connect_new().await.unwrap();
}
