import Foundation

/// The path of the default model that `make bootstrap` puts in place, or nil where it is missing.
///
/// Tests that need real weights say `@Test(.enabled(if: defaultModelPath() != nil, …))`.
package func defaultModelPath() -> String? {
  let path = packageRoot.appendingPathComponent(
    ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf"
  ).path
  return FileManager.default.fileExists(atPath: path) ? path : nil
}

/// The package's folder: two above the folder that this file is in.
private let packageRoot = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
