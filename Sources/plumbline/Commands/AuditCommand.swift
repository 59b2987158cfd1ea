internal import ArgumentParser
internal import Foundation
internal import Lab
internal import LanguageModels
internal import Studio
internal import Trials

/// `plumbline audit`.
struct AuditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Plants organisms, has detectors examine them blind, and reports both errors.",
    discussion: """
      Without arguments it runs the default study on the default model. Interrupted, the same
      command goes on where it stopped. With --suspect it calibrates on freshly planted organisms
      and then examines somebody's model; error rates hold for the planted recipe only.

      EXAMPLE
        plumbline audit
        plumbline audit --suspect organisms/m1-secret
      """)

  @Option(help: "A YAML file with another study; --print-study shows the default one.")
  var study: String?

  @Option(help: "A name from `plumbline models`, or a GGUF file; in place of the study's base.")
  var base: String?

  @Option(help: "An adapter's folder or a GGUF file of the base's architecture to examine.")
  var suspect: String?

  @Option(help: "Where run folders lie.")
  var runs = "runs"

  @Option(
    help: """
      Processes to compute in, of one thread each; as a rule one for each core, as far as memory \
      reaches. Results do not depend on it.
      """)
  var workers: Int?

  @OptionGroup var device: DeviceOption

  @Flag(help: "Print the default study and do nothing.")
  var printStudy = false

  @Flag(help: "Print {\"run\", \"report\", \"outcome\", \"gates\", \"models\", …} as JSON.")
  var json = false

  func validate() throws {
    if let workers, !(1...64).contains(workers) {
      throw ValidationError("Expected --workers from 1 to 64, found \(workers).")
    }
  }

  func run() async throws {
    if printStudy { return try StandardOutput.write(line: Study.defaultYAML) }
    try await device.use()
    var declared = try study.map { try Study.read(readable($0)) } ?? Study.standard()
    if let base { declared.base = base }
    let audit = try await Audit(
      study: declared, suspect: suspect, runs: URL(fileURLWithPath: runs),
      workplace: workers.map { .processes($0) } ?? .processesAsFit)
    let result = try await audit.run(watch: ProgressReporter().show)
    let report = try AuditReport(run: result.run)
    let page = result.run.appending(path: "report.html").path
    try AtomicFile.write(Array(try report.html().utf8), to: page)
    guard json else {
      return try StandardOutput.write(lines: report.lines(run: result.run.path, page: page))
    }
    try StandardOutput.write(json: AuditSummary(report, run: result.run.path, page: page))
  }

  private func readable(_ path: String) throws -> URL {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard exists, !isFolder.boolValue, FileManager.default.isReadableFile(atPath: path) else {
      throw ModelFileError.unreadable(
        .init(
          path: path, expected: "a YAML file with a study",
          found: isFolder.boolValue ? "a folder" : "no readable file",
          remedy: "check --study"))
    }
    return URL(fileURLWithPath: path)
  }
}
