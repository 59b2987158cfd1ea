internal import Foundation
internal import Instruments
package import Lab
package import LanguageModels
package import Organisms
internal import Statistics
internal import Tensors

/// A kind of cell that runs a model, made from what a worker has loaded.
package protocol ModelCellKind: CellKind {
  init(_ models: ModelCells)
}

extension AnswersCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(model: models.loader.base) }
}

extension PlantCell: ModelCellKind {
  package init(_ models: ModelCells) {
    self.init(model: models.loader.base, baseName: models.baseName)
  }
}

extension GateCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(loader: models.loader) }
}

extension BenignPromptsCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(model: models.loader.base) }
}

extension OwnPairsCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(model: models.loader.base) }
}

extension TrialLensCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(model: models.loader.base) }
}

extension WitnessCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(loader: models.loader) }
}

extension ReadCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(loader: models.loader) }
}

extension TryCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(loader: models.loader) }
}

extension TransferCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(loader: models.loader) }
}

extension FitMonitorsCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(loader: models.loader) }
}

extension MonitorCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(loader: models.loader) }
}

extension StressCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(loader: models.loader) }
}

extension ObserveCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(loader: models.loader) }
}

extension EquivalenceCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(loader: models.loader) }
}

extension FitProbesCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(shelf: SpecimenShelf(models.loader)) }
}

extension ReadProbesCell: ModelCellKind {
  package init(_ models: ModelCells) { self.init(shelf: SpecimenShelf(models.loader)) }
}

extension DetectCell: ModelCellKind {
  package init(_ models: ModelCells) {
    self.init(shelf: SpecimenShelf(models.loader), instruments: models.instruments)
  }
}

/// The models of an audit, loaded, and all cells that need them: what a worker is.
package struct ModelCells: CellWorker {
  /// What has to be loaded, as it is told to another process.
  package struct Setup: Codable, Sendable {
    /// As reports name it.
    package var baseName: String
    package var basePath: String
    package var baseHash: String
    package var precision: Precision
    /// A model that is examined as a whole.
    package var otherPath: String?
    /// What the numbers are said to depend on.
    package var environment: Environment
  }

  let loader: OrganismLoader
  let baseName: String
  let instruments: [DeclaredInstrument]

  /// Loads the models.
  ///
  /// - Throws: ``AuditError/otherProgram(expected:found:)`` where this is not the program that was
  ///   asked for the audit, or whatever a model is refused for.
  package init(_ setup: Setup, instruments: [DeclaredInstrument] = []) async throws {
    let found = Environment.current()
    guard found == setup.environment else {
      throw AuditError.otherProgram(expected: setup.environment, found: found)
    }
    let base = try await LanguageModel(path: setup.basePath, precision: setup.precision)
    var other: LanguageModel?
    if let path = setup.otherPath {
      other = try await LanguageModel(path: path, precision: setup.precision)
    }
    loader = OrganismLoader(base: base, baseHash: setup.baseHash, other: other)
    (baseName, self.instruments) = (setup.baseName, instruments)
  }

  private static var kinds: [any ModelCellKind.Type] {
    [
      AnswersCell.self, PlantCell.self, GateCell.self, ObserveCell.self, FitProbesCell.self,
      ReadProbesCell.self, DetectCell.self, EquivalenceCell.self, BenignPromptsCell.self,
      TrialLensCell.self, OwnPairsCell.self,
      WitnessCell.self, ReadCell.self, TryCell.self, TransferCell.self,
      FitMonitorsCell.self, MonitorCell.self, StressCell.self,
    ]
  }

  package func run(
    kind: String, config: JSONValue, in context: CellContext
  ) async throws -> JSONValue {
    guard let type = Self.kinds.first(where: { $0.kind == kind }) else {
      preconditionFailure("ModelCells: no kind \(kind)")
    }
    return try await run(type, config, context)
  }

  private func run<Kind: ModelCellKind>(
    _ type: Kind.Type, _ config: JSONValue, _ context: CellContext
  ) async throws -> JSONValue {
    try await JSONValue(encoding: Kind(self).run(config.decode(), in: context))
  }

  /// Whether an error is a detector's own, for which it is withdrawn.
  ///
  /// A full disk, a damaged run, a model that cannot be loaded: whatever a detector does not throw
  /// itself is no fault of the one that met it, and stops the audit, which can then be taken up
  /// again. A withdrawal could not be.
  package static func isDetectors(_ error: any Error) -> Bool {
    error is DetectorError || error is AccessError || error is StatisticsError
      || error is ProbeMissing || (error as? WorkerFailure)?.cause == .subject
  }
}

extension ModelCells {
  /// The cause of an error, as it is told to another process.
  package static func cause(of error: any Error) -> WorkerFailure.Cause {
    switch error {
    case ModelFileError.unwritable(let problem):
      problem.found == ModelFileError.fullDisk ? .diskFull : .unwritable
    case is ModelFileError, is RecipeError, is AuditError, is GenerationError: .data
    default: isDetectors(error) ? .subject : .other
    }
  }
}

/// Where an audit's cells that run a model are computed; it has no part in their numbers but for
/// the threads of this process.
package enum Workplace: Sendable {
  case thisProcess
  /// So many processes.
  case processes(Int)
  /// A process for each core, as far as memory reaches.
  case processesAsFit

  /// The environment that cells computed there are named by.
  var environment: Environment {
    if case .thisProcess = self { return .current() }
    return .current(threads: 1)
  }

  /// Its workers, with the models loaded.
  func pool(
    _ setup: ModelCells.Setup, parameters: Int, instruments: [DeclaredInstrument] = []
  ) async throws -> WorkerPool {
    switch self {
    case .thisProcess: WorkerPool([try await ModelCells(setup, instruments: instruments)])
    case .processes(let count): try .processes(count, setup: setup)
    case .processesAsFit:
      try .processes(
        WorkerPool.fittingCount(
          parameters: parameters, models: setup.otherPath == nil ? 1 : 2), setup: setup)
    }
  }
}

extension WorkerPool {
  /// What a process takes beside its models while it trains the default one: 1.5 GB were measured
  /// with that.
  private static let bytesForWork = 700_000_000
  /// Of each parameter: two layouts in bf16, and fp32 where it is not packed.
  private static let bytesPerParameter = 8

  /// A worker for each core that this process may use, as far as memory reaches for models of so many
  /// parameters each; one on a GPU.
  static func fittingCount(parameters: Int, models: Int) -> Int {
    if Processor.device == .gpu { return 1 }
    let bytes = bytesForWork + models * parameters * bytesPerParameter
    return max(1, min(processors, memory / bytes))
  }

  private static var processors: Int {
    let all = ProcessInfo.processInfo.activeProcessorCount
    let granted = Processor.grantedProcessors(groups: "/proc/self/cgroup", root: "/sys/fs/cgroup")
    return min(all, granted.map { Int($0.rounded(.up)) } ?? all)
  }

  /// What this machine has, or the container that this process is in.
  private static var memory: Int {
    let all = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    let limit = try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8)
    let number = limit.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    return min(all, number ?? all)
  }

  /// Other processes of this program.
  ///
  /// Each computes on one thread. Products of this size gain little from a second one, whereas two
  /// cells side by side share nothing that they would have to wait for; and numbers then do not
  /// depend on how many cores there are.
  package static func processes(_ count: Int, setup: ModelCells.Setup) throws -> WorkerPool {
    let program = URL(fileURLWithPath: Bundle.main.executablePath ?? CommandLine.arguments[0])
    return WorkerPool(
      try (0..<count).map { _ in
        try WorkerProcess(
          program: program, arguments: ["work", "--device", Processor.device.rawValue],
          environment: ["OMP_NUM_THREADS": "1"],
          setup: setup)
      })
  }
}
