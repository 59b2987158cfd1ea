internal import Instruments
internal import Lab
internal import LanguageModels
internal import Organisms
internal import Tensors
internal import Trials

/// What the exit status of the command means: the numbers of BSD's `sysexits.h`.
enum ExitStatus: Int32, CaseIterable {
  case usage = 64
  case data = 65
  case missingInput = 66
  case unavailable = 69
  case failure = 70
  case cannotCreate = 73
  case io = 74

  /// The lines of the help that say what the numbers mean.
  static var table: String {
    (["  0   done"] + allCases.map { "  \($0.rawValue)  \($0.meaning)" }).joined(separator: "\n")
  }

  private var meaning: String {
    switch self {
    case .usage: "the command line asks for something that does not exist"
    case .data: "an input was read and is not usable: malformed, empty, damaged"
    case .missingInput: "an input file, model or run is missing or not readable"
    case .unavailable: "a remote model did not answer, or not as it should"
    case .failure: "a computation failed"
    case .cannotCreate: "an output file cannot be written"
    case .io: "reading standard input or writing a stream or run failed"
    }
  }

  /// The status that an error of any layer ends the command with.
  init(of error: any Error) {
    switch error {
    case let error as CommandError: self = error.status
    case let error as ModelFileError: self = .init(of: error)
    case let error as LabError: self = .init(of: error)
    case let error as SiteError: self = .init(of: error)
    case let error as WorkerFailure: self = .init(of: error)
    case let error as RemoteModelError: self = .init(of: error)
    case ModelCatalogError.remote, TensorError.noGPU, WeightError.noSuchNeuron,
      CauseError.badReceiver, CauseError.noHead, NeuronError.noSuchNeuron, AutoencoderError.badSite:
      self = .usage
    case LineupError.taken: self = .cannotCreate
    case is ModelCatalogError, CauseError.unreadable, ZooError.unreadable,
      LineupError.unreadable, LineupError.noEnvelope, LineupError.noAnswerFile:
      self = .missingInput
    case is TokenizerError, is ChatTemplateError, is ChatTokensError, is GenerationError,
      is ModelError,
      is RecipeError, is AuditError, is LensError, is WeightError, is CauseError,
      is NeuronError, is AutoencoderError, is RoleError, is ZooError, is LineupError,
      is EvasionError:
      self = .data
    default: self = .failure
    }
  }

  private init(of error: ModelFileError) {
    switch error {
    case .unreadable: self = .missingInput
    case .malformed, .unsupported, .absent: self = .data
    case .unwritable: self = .cannotCreate
    }
  }

  private init(of error: RemoteModelError) {
    switch error {
    case .badAddress, .unencrypted, .proxied, .badKey, .badRequest: self = .usage
    case .unusableCache: self = .cannotCreate
    case .refused, .unavailable, .redirected, .malformed, .notOffered, .repeatsKey:
      self = .unavailable
    }
  }

  private init(of error: WorkerFailure) {
    switch error.cause {
    case .data: self = .data
    case .unwritable: self = .cannotCreate
    case .diskFull: self = .io
    case .subject, .other: self = .failure
    }
  }

  private init(of error: SiteError) {
    switch error {
    case .unknown: self = .usage
    case .neverReached, .shape: self = .failure
    }
  }

  private init(of error: LabError) {
    switch error {
    case .notARun, .noRuns, .noSuchRun: self = .missingInput
    case .fileSystem, .diskFull: self = .io
    case .noSuchInput, .notCodable, .cellIsRunning: self = .failure
    default: self = .data
    }
  }
}
