class App {
  void f() {
    new ProcessBuilder("nym-proxy-client", "-s", address).start();
    new ProcessBuilder(List.of("nym-proxy-server", "-u", up)).start();
  }
}
