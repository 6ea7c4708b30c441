#!/bin/sh
# démarrer
nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c '/données' # à côté
