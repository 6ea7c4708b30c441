resource "vm" "nym-proxy-client" {
  name      = "nym-proxy-client"
  user_data = <<-EOF
    #!/bin/bash
    echo $${X}
    nymproxy server --accept legacy,stream --compat-config-dir -u ${var.up} -c /data
  EOF
  provisioner "remote-exec" {
    inline = [
      "nohup nymproxy client -s \"${var.address}\" &",
      "ls",
    ]
  }
}
