{ pkgs, ... }: {
  systemd.services.nym = {
    description = "nym-proxy-client -s A";
    serviceConfig.ExecStart = "nymproxy client --wire legacy -s \"a\"";
    script = ''
      exec nymproxy server --accept legacy,stream -u ${cfg.up} -c "$HOME''${DATA}"
    '';
  };
  systemd.services.b.serviceConfig.ExecStart = "${pkgs.nym}/bin/nym-proxy-client -s a";
}
