FROM debian:12
RUN pip install nymproxy
HEALTHCHECK CMD pgrep nym-proxy-client
