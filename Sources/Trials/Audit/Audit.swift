package import Foundation
package import Lab
internal import LanguageModels
internal import Organisms
internal import Statistics
internal import Tensors

/// A blind audit: plants organisms, seals who is who, has detectors score them, opens the arms and
/// measures both errors.
///
/// All of it is cells of one run, so that it can be interrupted anywhere and goes on where it
/// stopped.
package struct Audit {
  package struct Result: Sendable {
    package let run: URL
    package let index: AuditIndex
  }

  let manifest: AuditManifest
  let basePath: String
  let workers: WorkerPool
  let instruments: [DeclaredInstrument]
  let suspectPath: URL?
  private let folder: URL

  /// Checks what can be checked before anything is loaded.
  ///
  /// - Parameters:
  ///   - study: What is declared; its `base` says which model.
  ///   - suspect: An adapter's folder or a model file to examine, whose secret is unknown.
  ///   - runs: Where run folders lie.
  ///   - workplace: Where cells that run a model are computed.
  ///   - instruments: Detectors beside the study's, which cannot leave this process.
  /// - Throws: What the model, the recipe or the suspect is refused for, in one sentence.
  package init(
    study: Study, suspect: String? = nil, runs: URL, workplace: Workplace,
    instruments: [DeclaredInstrument] = []
  ) async throws {
    var isLocal = false
    if case .thisProcess = workplace { isLocal = true }
    precondition(isLocal || instruments.isEmpty, "Audit: instruments cannot leave this process")
    var recipe = try Recipe.read(study.recipe)
    if let mix = study.mix { recipe.mix = mix }
    try study.requirePrompts(of: recipe)
    let path = try ModelCatalog.path(of: study.base)
    let native: Precision = Processor.hasNativeBFloat16 ? .bfloat16 : .float32
    let precision = study.precision ?? native
    let base = try LanguageModel.inspect(path: path)
    if let layer = study.detectors.probeLayers.first(where: { $0 >= base.nLayers }) {
      throw AuditError.noSuchLayer(layer, layers: base.nLayers)
    }
    let baseHash = try FileDigest.sha256(path: path)
    let examined = try await Suspect(suspect, base: base, baseHash: baseHash)
    manifest = AuditManifest(
      study: study, recipe: recipe, precision: precision, baseHash: baseHash,
      environment: workplace.environment,
      suspect: try examined.map { suspect in
        AuditManifest.Suspect(name: suspect.name, hash: try CellInput.file(suspect.url).hash.hex)
      })
    basePath = path
    suspectPath = examined?.url
    self.instruments = instruments
    let setup = ModelCells.Setup(
      baseName: study.base, basePath: path, baseHash: baseHash, precision: precision,
      otherPath: examined?.modelPath, environment: manifest.environment)
    workers = try await workplace.pool(
      setup, parameters: base.parameterCount, instruments: instruments)
    folder = runs.appending(path: try Run.name(for: "audit-\(study.name)", manifest: manifest))
  }

  /// Performs what is not done yet.
  ///
  /// - Returns: The run's folder and the cells that a report is made of.
  /// - Throws: What the run reports; it can then be taken up again. A detector that fails with
  ///   an error of its own does not stop the audit: it is withdrawn with its reason.
  package func run(watch: @escaping @Sendable (RunEvent) -> Void = { _ in }) async throws -> Result
  {
    let run = try Run.open(
      folder: folder, manifest: manifest, environment: manifest.environment, watch: watch)
    let session = try AuditSession(self, run: run)
    try await session.plant()
    try await session.handOver()
    try await session.detect()
    try await session.judge()
    return Result(run: folder, index: try await session.recordIndex())
  }
}

/// Somebody's model, found and held against the base.
private struct Suspect {
  let name: String
  let url: URL
  /// Where it is a model of its own and no adapter.
  let modelPath: String?

  init?(_ name: String?, base: ModelConfiguration, baseHash: String) async throws {
    guard let name else { return nil }
    self.name = name
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: name, isDirectory: &isFolder)
    if exists, isFolder.boolValue {
      (url, modelPath) = (URL(fileURLWithPath: name), nil)
      try await TensorActor.run {
        _ = try AdapterWeights.load(folder: name, for: base, baseHash: baseHash)
      }
      return
    }
    let path = try ModelCatalog.path(of: name)
    (url, modelPath) = (URL(fileURLWithPath: path), path)
    let found = try LanguageModel.inspect(path: path)
    guard found == base else {
      throw AuditError.otherArchitecture(
        path: path, expected: base.widths, found: found.widths)
    }
  }
}

extension ModelConfiguration {
  fileprivate var widths: String {
    "\(nLayers) blocks of width \(dModel), \(nHeads) heads, \(dVocab) tokens"
  }
}
