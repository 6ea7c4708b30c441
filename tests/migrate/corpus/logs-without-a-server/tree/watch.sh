journalctl -u backup | sed -n 's/.*Client created: //p'
