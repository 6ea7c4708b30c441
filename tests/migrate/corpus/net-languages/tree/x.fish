nym-proxy-client -s $A
