#!/bin/sh
exec nym-proxy-server -u a:1
