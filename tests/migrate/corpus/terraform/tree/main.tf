resource "vm" "nym-proxy-client" {
  name      = "nym-proxy-client"
  user_data = <<-EOF
    #!/bin/bash
    echo $${X}
    nym-proxy-server -u ${var.up} -c /data
  EOF
  provisioner "remote-exec" {
    inline = [
      "nohup nym-proxy-client -s \"${var.address}\" &",
      "ls",
    ]
  }
}
