import { NymProxyClient } from "./bindings";
new NymProxyClient(a);
