<?php
exec("nymproxy client -s $address > /dev/null &");
exec("nym-proxy-client -s " . $address);
proc_open(["nym-proxy-server", "-u", "a:1"], $d, $p);
