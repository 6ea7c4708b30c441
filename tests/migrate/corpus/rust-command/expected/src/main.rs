use std::process::Command;

fn main() {
    Command::new("nymproxy").arg("client").arg("-s").arg(address).spawn();
    Command::new("/usr/local/bin/nymproxy").arg("server").arg("--accept").arg("legacy,stream").arg("--compat-config-dir").args(["-u", "127.0.0.1:80"]).spawn();
    // Command::new("nym-proxy-client")
    Command::new("nymproxy").arg("client")
        .arg("--server-address")
        .arg(&address)
        .spawn();
}
