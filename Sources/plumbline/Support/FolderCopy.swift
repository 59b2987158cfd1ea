internal import Foundation
internal import Lab
internal import LanguageModels

/// Puts a finished folder where the user wants it: whole, or not at all.
enum FolderCopy {
  /// Makes the folder that `target` will lie in.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)`` where nothing can be written there.
  static func prepare(for target: String) throws {
    let parent = URL(fileURLWithPath: target).deletingLastPathComponent()
    try naming(target) {
      try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
      let trial = partial(beside: target)
      try FileManager.default.createDirectory(at: trial, withIntermediateDirectories: false)
      try FileManager.default.removeItem(at: trial)
    }
  }

  /// Copies `folder` under a hidden name, which a process that is killed can leave behind, and then
  /// renames it.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)``, as on a full disk.
  static func copy(_ folder: URL, to target: String) throws {
    try naming(target) {
      let partial = partial(beside: target)
      do {
        try FileManager.default.copyItem(at: folder, to: partial)
        try FileManager.default.moveItem(at: partial, to: URL(fileURLWithPath: target))
      } catch {
        try? FileManager.default.removeItem(at: partial)
        throw error
      }
    }
  }

  private static func partial(beside target: String) -> URL {
    let random = String(UInt64.random(in: .min ... .max), radix: 36)
    return URL(fileURLWithPath: target).deletingLastPathComponent()
      .appending(path: ".plumbline-\(random).partial")
  }

  private static func naming(_ target: String, _ body: () throws -> Void) throws {
    do { try body() } catch {
      throw ModelFileError.cannotWrite(target, errno: posixCode(of: error))
    }
  }
}
