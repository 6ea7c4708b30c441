journalctl -u nym-proxy-server | sed -n 's/.*Client created: //p'
# grep 'Client created' nym.log
echo 'Client created: nym'
