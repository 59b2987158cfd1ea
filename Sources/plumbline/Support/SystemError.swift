internal import Foundation

/// Why the system refused a call.
struct SystemError: Error {
  let code: Int32

  /// The error of the call that has just failed.
  static var last: SystemError { SystemError(code: errno) }

  /// As the rest of a sentence.
  var reason: String {
    "the system says \"\(String(cString: strerror(code)).lowercased())\" (errno \(code))"
  }
}

/// All bytes of an open file up to its end.
///
/// The system calls are used because Foundation's handles do not report every failure.
func contents(of descriptor: Int32) throws(SystemError) -> [UInt8] {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = read(descriptor, &buffer, buffer.count)
    if count == 0 { return bytes }
    if count > 0 {
      bytes += buffer[..<count]
    } else if errno != EINTR {
      throw .last
    }
  }
}
