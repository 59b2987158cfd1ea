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

  /// Only where every libcurl decides so: a star counts alone, a name for all that is below it, with or
  /// without a dot at its ends, and a number as it is written. Some versions take blanks for commas and
  /// others end the list there; some know networks (`10.0.0.0/8`): these count for nothing.
  private static func isExempt(_ endpoint: RemoteEndpoint, by list: String) -> Bool {
    if list == "*" { return true }
    for entry in list.lowercased().split(separator: ",") {
      let words = entry.split { $0 == " " || $0 == "\t" }
      if let word = words.first, isExempt(endpoint, byEntry: String(word)) { return true }
      if words.count > 1 { return false }
    }
    return false
  }

  private static func isExempt(_ endpoint: RemoteEndpoint, byEntry entry: String) -> Bool {
    if endpoint.isNumber { return endpoint.host == entry }
    let undotted = { (name: String) in name.hasSuffix(".") ? String(name.dropLast()) : name }
    let host = undotted(endpoint.host)
    // `127.1` and `0x7f.1` are numbers for libcurl, which writes them out before it looks.
    guard host.split(separator: ".").last?.first?.isNumber == false else { return false }
    let name = undotted(entry.hasPrefix(".") ? String(entry.dropFirst()) : entry)
    return !name.isEmpty && (host == name || host.hasSuffix(".\(name)"))
  }
}
