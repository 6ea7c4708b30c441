synonym-proxy-client -s A
nym-proxy-client-wrapper -s A
my-nym-proxy-client -s A
nym-proxy-clients -s A
acronym proxy
