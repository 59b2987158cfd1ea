import Foundation
import LanguageModels
import Testing

/// Files that live as long as a closure.
enum ScratchFile {
  /// A fresh folder, removed with everything in it when `body` returns.
  @discardableResult
  static func inFolder<R>(_ body: (URL) throws -> R) throws -> R {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("plumbline-files-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }

  /// Writes `bytes` to a file and lends its path.
  @discardableResult
  static func holding<R>(_ bytes: [UInt8], _ body: (String) throws -> R) throws -> R {
    try inFolder { folder in
      let file = folder.appendingPathComponent("model")
      try Data(bytes).write(to: file)
      return try body(file.path)
    }
  }
}

/// The path of a recorded file, written by `Scripts/reference/gguf_fixtures.py`.
func filesFixture(_ name: String) -> String {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures/files/\(name)").path
}

/// The bits of each number, so that comparing is exact and tells -0 from 0.
func floatBits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

/// Sebastiano Vigna's SplitMix64: the same mutations in every run.
private struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// Every way in which a hostile file is made of a good one: 2,000 with up to four random bytes,
/// and one for each position and each of four large numbers put there.
private func mutations(of bytes: [UInt8]) -> [[UInt8]] {
  var random = SplitMix64(state: 2)
  var result = (0..<2_000).map { _ in
    var mutated = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      mutated[Int.random(in: 0..<bytes.count, using: &random)] = .random(
        in: .min ... .max, using: &random)
    }
    return mutated
  }
  for number: UInt64 in [.max, 1 << 62, 1 << 32, 1 << 26] {
    let pattern = withUnsafeBytes(of: number.littleEndian) { Array($0) }
    for position in 0...bytes.count - 8 {
      result.append(bytes[..<position] + pattern + bytes[(position + 8)...])
    }
  }
  return result
}

/// Opens every mutation of `bytes` through `read`; returns how many were read and how many refused.
///
/// What a mutation costs is bounded: the process may grow by 64 MB in all, while the numbers that
/// are written into the files ask for 64 million elements and more. An allocation beyond that
/// ends the process, so this runs in an exit test.
func readMutations(
  of bytes: [UInt8], _ read: (String) throws(ModelFileError) -> Void
) throws -> (read: Int, refused: Int) {
  let mutations = mutations(of: bytes)
  try limitMemory(toFurther: 64 << 20)
  return try ScratchFile.inFolder { folder in
    let path = folder.appendingPathComponent("model").path
    var counts = (read: 0, refused: 0)
    for mutation in mutations {
      // Not through Foundation: this is the loop's whole cost.
      guard let file = fopen(path, "wb") else { throw POSIXError(.EIO) }
      fwrite(mutation, 1, mutation.count, file)
      fclose(file)
      do throws(ModelFileError) {
        try read(path)
        counts.read += 1
      } catch {
        #expect(error.description.contains(path))
        counts.refused += 1
      }
    }
    return counts
  }
}

/// Lets this process allocate `bytes` more than it has; without effect on a Mac, whose kernel
/// does not enforce the limit.
private func limitMemory(toFurther bytes: UInt) throws {
  #if os(Linux)
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(
      separator: " ")
    let pages = try #require(fields.count > 5 ? UInt(fields[5]) : nil)
    var limit = rlimit()
    limit.rlim_cur = pages * UInt(sysconf(Int32(_SC_PAGESIZE))) + bytes
    limit.rlim_max = limit.rlim_cur
    guard setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit) == 0 else {
      throw POSIXError(.EPERM)
    }
  #endif
}
