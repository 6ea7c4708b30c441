{ pkgs, ... }: {
  systemd.services.nym = {
    description = "nym-proxy-client -s A";
    serviceConfig.ExecStart = "/usr/local/bin/nymproxy client -s \"a\"";
    script = ''
      exec nymproxy server --accept legacy,stream --compat-config-dir -u ${cfg.up} -c "''${DATA}"
    '';
  };
  systemd.services.b.serviceConfig.ExecStart = "${pkgs.nym}/bin/nym-proxy-client -s a";
}
