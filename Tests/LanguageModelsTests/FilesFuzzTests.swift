import Foundation
import LanguageModels
import Testing

@Suite struct `Fuzzing` {
  @Test(arguments: FuzzTarget.allCases)
  func `what the fuzzer once found does no harm any more`(target: FuzzTarget) throws {
    let regressions = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../Fuzz/regressions/\(target.rawValue)").standardized
    let names = (try? FileManager.default.contentsOfDirectory(atPath: regressions.path)) ?? []
    // Always some: a folder that is not found would make this test pass.
    #expect(!names.isEmpty, "\(regressions.path)")
    for name in names.sorted() {
      let input = try Data(contentsOf: regressions.appendingPathComponent(name))
      let start = ContinuousClock.now
      try ScratchFile.inFolder { folder in
        input.withUnsafeBytes { target.run($0, in: folder.path) }
      }
      #expect(ContinuousClock.now - start < .seconds(5), "\(name)")
    }
  }
}
