x=(proxy_client --server-address 'B
