#!/bin/sh
# démarrer
nym-proxy-server -u a:1 -c '/données' # à côté
