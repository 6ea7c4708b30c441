module.exports = {
  apps: [{ name: "nym-proxy-client", script: "/opt/nym/nym-proxy-client", args: "-s A" }],
};
