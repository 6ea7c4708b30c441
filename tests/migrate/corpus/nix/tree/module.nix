{ pkgs, ... }: {
  systemd.services.nym = {
    description = "nym-proxy-client -s A";
    serviceConfig.ExecStart = "/run/current-system/sw/bin/nym-proxy-client -s \"a\"";
    script = ''
      exec nym-proxy-server -u ${cfg.up} -c "''${DATA}"
    '';
  };
  systemd.services.b.serviceConfig.ExecStart = "${pkgs.nym}/bin/nym-proxy-client -s a";
}
