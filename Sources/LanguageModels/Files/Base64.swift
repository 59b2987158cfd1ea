internal import Foundation

/// Bytes written as text.
enum Base64 {
  /// The bytes; nil where the text is none.
  static func decode(_ text: String) -> [UInt8]? {
    Data(base64Encoded: text).map { Array($0) }
  }
}
