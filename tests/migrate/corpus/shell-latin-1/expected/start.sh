#!/bin/sh
# démarrer
nymproxy server --accept legacy,stream -u a:1 -c "$HOME/données" # à côté
