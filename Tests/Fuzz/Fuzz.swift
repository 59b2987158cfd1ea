import Foundation

/// The target that `PLUMBLINE_FUZZ` names, and a folder for its files: in memory on Linux.
private let target: (FuzzTarget, folder: String) = {
  let name = ProcessInfo.processInfo.environment["PLUMBLINE_FUZZ"] ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    fatalError("Expected PLUMBLINE_FUZZ to be one of \(FuzzTarget.allCases), found '\(name)'")
  }
  guard let folder = ProcessInfo.processInfo.environment["PLUMBLINE_FUZZ_FOLDER"] else {
    fatalError("Expected a scratch folder in PLUMBLINE_FUZZ_FOLDER: start Tests/Fuzz/run")
  }
  return (target, folder)
}()

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target.0.run(UnsafeRawBufferPointer(start: start, count: count), in: target.folder)
  return 0
}
