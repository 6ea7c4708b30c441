class App {
  void f() {
    new ProcessBuilder("nymproxy", "client", "-s", address).start();
    new ProcessBuilder(List.of("nymproxy", "server", "--accept", "legacy,stream", "--compat-config-dir", "-u", up)).start();
  }
}
