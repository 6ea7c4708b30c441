resource "x" "y" {
  command = "nym-proxy-server -u a:1 -c /keys"
}
