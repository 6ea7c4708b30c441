use std::process::Command;

fn main() {
    Command::new("nym-proxy-client").arg("-s").arg(address).spawn();
    Command::new("/opt/nym/nym-proxy-server").args(["-u", "127.0.0.1:80"]).spawn();
    // Command::new("nym-proxy-client")
    Command::new("nym-proxy-client")
        .arg("--server-address")
        .arg(&address)
        .spawn();
}
