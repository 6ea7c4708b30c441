resource "x" "y" {
  command = "nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /keys"
}
