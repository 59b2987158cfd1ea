/// The proxies that libcurl, which is below URLSession on Linux, takes from the environment.
enum Proxies {
  /// The variable through which unencrypted requests to `endpoint` would go to a proxy, key and
  /// all, or nil where they go straight to the server.
  static func variable(
    for endpoint: RemoteEndpoint, in environment: [String: String]
  ) -> String? {
    let isSet = { (name: String) in environment[name].map { !$0.isEmpty } ?? false }
    guard let name = ["http_proxy", "all_proxy", "ALL_PROXY"].first(where: isSet) else {
      return nil
    }
    let exempt = ["no_proxy", "NO_PROXY"].first(where: isSet).flatMap { environment[$0] } ?? ""
    return isExempt(endpoint, by: exempt) ? nil : name
  }

  /// Read as libcurl does: a star counts alone, a name for all that is below it, with or without dots at its
  /// ends, and a number for itself only. Its newer versions also know networks (`10.0.0.0/8`): which one
  /// runs is not known here, so these count for nothing.
  private static func isExempt(_ endpoint: RemoteEndpoint, by list: String) -> Bool {
    if list == "*" { return true }
    let undotted = { (name: String) in name.hasSuffix(".") ? String(name.dropLast()) : name }
    let host = undotted(endpoint.host)
    return list.lowercased().split { [",", " ", "\t"].contains($0) }.contains { entry in
      let name = undotted(entry.hasPrefix(".") ? String(entry.dropFirst()) : String(entry))
      guard !name.isEmpty else { return false }
      return host == name || (!endpoint.isNumber && host.hasSuffix(".\(name)"))
    }
  }
}
