<?php
// nym-proxy-client
exec("nym-proxy-client -s " . $a);
