internal import Foundation
internal import Lab
internal import LanguageModels

/// The messages in a file given to `--chat`.
enum ChatFile {
  static func messages(path: String) throws(CommandError) -> [ChatMessage] {
    let json = try parse(read(path), path)
    guard case .array(let items) = json else {
      throw .badChat(path: path, problem: "JSON that is no array")
    }
    guard !items.isEmpty else { throw .badChat(path: path, problem: "an array without messages") }
    var messages: [ChatMessage] = []
    for (index, item) in items.enumerated() {
      guard let role = item["role"]?.string, let content = item["content"]?.string else {
        throw .badChat(path: path, problem: "no such message at index \(index)")
      }
      messages.append(ChatMessage(role: role, content: content))
    }
    return messages
  }

  private static func read(_ path: String) throws(CommandError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    do throws(SystemError) {
      guard descriptor >= 0 else { throw SystemError.last }
      defer { close(descriptor) }
      return try contents(of: descriptor)
    } catch {
      throw .unreadableChat(path: path, reason: error.reason)
    }
  }

  private static func parse(_ bytes: [UInt8], _ path: String) throws(CommandError) -> JSONValue {
    do {
      return try JSONValue(parsing: bytes)
    } catch {
      throw .badChat(path: path, problem: "no JSON (\(error))")
    }
  }
}
