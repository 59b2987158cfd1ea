internal import ArgumentParser
internal import Lab
internal import Trials

/// `plumbline work`: what an audit starts other processes of this program with.
struct WorkCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "work",
    abstract: "Computes cells for an audit, which starts it; nothing for a person to call.",
    shouldDisplay: false)

  @OptionGroup var device: DeviceOption

  func run() async throws {
    try await device.use()
    let loop = WorkerLoop(
      prepare: { try await ModelCells($0.decode()) }, classify: ModelCells.cause)
    try await loop.run()
  }
}
