/// The proxies that libcurl, which is below URLSession on Linux, takes from the environment.
enum Proxies {
  /// The variable through which unencrypted requests to `endpoint` would go to a proxy, key and
  /// all, or nil where they go straight to the server.
  static func variable(
    for endpoint: RemoteEndpoint, in environment: [String: String]
  ) -> String? {
    let names = ["http_proxy", "all_proxy", "ALL_PROXY"]
    guard let name = names.first(where: { environment[$0].map { !$0.isEmpty } ?? false }) else {
      return nil
    }
    let exempt = (environment["no_proxy"] ?? environment["NO_PROXY"] ?? "").lowercased()
    let isExempt = exempt.split(whereSeparator: { $0 == "," || $0 == " " }).contains { entry in
      entry == "*" || endpoint.host == entry
        || endpoint.host.hasSuffix(entry.hasPrefix(".") ? String(entry) : ".\(entry)")
    }
    return isExempt ? nil : name
  }
}
