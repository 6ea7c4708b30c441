Start-Process nym-proxy-client.exe -ArgumentList "-s $a"
