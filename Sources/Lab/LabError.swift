import Foundation

/// What can go wrong between asking for a cell and having its result on disk.
///
/// Every case prints as one sentence: what was expected, what was found, and what to do about it.
package enum LabError: Error, Equatable, Sendable {
  /// A run folder holds another study than the one asked for.
  case otherStudy(folder: String)
  /// A run folder was written by a version of Plumbline with another layout.
  case otherFormat(folder: String, found: Int, expected: Int)
  /// The folder is no run.
  case notARun(folder: String)
  /// The folder in which runs should lie is not there.
  case noRuns(folder: String)
  /// No run in the folder has this name.
  case noSuchRun(String, folder: String)
  /// Another process works on this run.
  case runIsInUse(folder: String, process: Int32?)
  /// This process already runs the same cell.
  case cellIsRunning(CellID)
  /// A file of a finished cell is missing or differs from what the ledger recorded.
  case damagedCell(CellID, file: String, found: String)
  /// A ledger line that is not the last one is not what was written.
  case damagedLedger(file: String, line: Int, byte: Int, reason: String)
  /// The index knows entries that the ledger no longer has, or has otherwise.
  case indexDisagrees(folder: String, problem: String)
  /// A record does not follow from the ones before it.
  case outOfOrder(String)
  /// A cell asked its context for an input that it was not given.
  case noSuchInput(name: String, given: [String])
  /// An artifact is a symbolic link, a socket or the like, which cannot be recorded by content.
  case unrecordableFile(String)
  /// A value cannot be written as JSON, or JSON cannot be read as the wanted type.
  case notCodable(String)
  /// The disk is full.
  case diskFull(path: String)
  /// The system refused a file operation.
  case fileSystem(operation: String, path: String, reason: String)
  /// Somebody asked for the sealed arms before all declared detectors had committed.
  case scoresMissing(lineUp: String, detectors: [String])
  /// A line-up is sealed already with other contents, or not at all, or is already open.
  case seal(lineUp: String, problem: String)
  /// A monitor that training or selection touched was to be used as if it were held out.
  case revoked(monitor: String, touch: String, reason: String)
  /// A study file says something that it may not say.
  case study(file: String, line: Int?, problem: String)
}

extension LabError: CustomStringConvertible, LocalizedError {
  package var description: String {
    switch self {
    case .otherStudy, .otherFormat, .notARun, .noRuns, .noSuchRun, .runIsInUse, .cellIsRunning:
      runDescription
    case .damagedCell, .damagedLedger, .indexDisagrees, .outOfOrder: damageDescription
    case .scoresMissing, .seal, .revoked: sealDescription
    case .noSuchInput(let name, let given):
      "Expected an input named \"\(name)\", found "
        + (given.isEmpty ? "none" : given.sorted().joined(separator: ", "))
        + ": pass it in `inputs` when the cell is performed."
    case .unrecordableFile(let path):
      "Expected a regular file or a folder at \(path), found something else (a symbolic link, "
        + "perhaps): copy its contents there instead."
    case .notCodable(let problem): problem
    case .diskFull(let path):
      "The disk is full, so \(path) could not be written: free some space and run the same command "
        + "again, finished work is kept."
    case .fileSystem(let operation, let path, let reason):
      "Expected to \(operation) \(path), found \(reason): check the path, its permissions and the "
        + "disk that it is on."
    case .study(let file, let line, let problem):
      line.map { "\(file):\($0): \(problem)" } ?? "\(file): \(problem)"
    }
  }

  package var errorDescription: String? { description }

  private var runDescription: String {
    switch self {
    case .otherStudy(let folder):
      "Expected the run in \(folder) to be of this study, found another study in its "
        + "manifest.json: choose a new run folder."
    case .otherFormat(let folder, let found, let expected):
      "Expected a run of format \(expected) in \(folder), found format \(found): use the version "
        + "of Plumbline that wrote it, or choose a new run folder."
    case .notARun(let folder):
      "Expected a run folder with manifest.json and ledger.jsonl at \(folder), found none: check "
        + "the path."
    case .noRuns(let folder):
      "Expected a folder of runs at \(folder), found none: check the path, or begin a run there."
    case .noSuchRun(let name, let folder):
      "Expected a run named \(name) in \(folder), found none: `plumbline runs` lists them."
    case .runIsInUse(let folder, let process):
      "The run in \(folder) is in use by " + (process.map { "process \($0)" } ?? "another process")
        + ": wait until it ends, or choose another run folder."
    case .cellIsRunning(let id):
      "Cell \(id.short) is already running in this process: wait for its result instead of "
        + "asking for it twice."
    default: ""
    }
  }

  private var damageDescription: String {
    switch self {
    case .damagedCell(let id, let file, let found):
      "Expected \(file) of finished cell \(id.short) as the ledger recorded it, found \(found): "
        + "restore that file, or start over in a new run folder."
    case .damagedLedger(let file, let line, let byte, let reason):
      "Expected \(file) as it was written, found damage in line \(line) (byte \(byte)): \(reason); "
        + "restore it from a copy, or start over in a new run folder."
    case .indexDisagrees(let folder, let problem):
      "Expected ledger.jsonl in \(folder) to hold what ledger.sqlite beside it recorded, found "
        + "\(problem), so entries were removed or rewritten: restore ledger.jsonl, or delete "
        + "ledger.sqlite to accept it as it is."
    case .outOfOrder(let problem): problem
    default: ""
    }
  }

  private var sealDescription: String {
    switch self {
    case .scoresMissing(let lineUp, let detectors):
      "The arms of line-up \"\(lineUp)\" stay sealed until every declared detector has committed "
        + "its scores, and "
        + detectors.map { "\"\($0)\"" }.joined(separator: ", ")
        + (detectors.count == 1 ? " has" : " have") + " not: commit or withdraw first."
    case .seal(let lineUp, let problem):
      "Line-up \"\(lineUp)\": \(problem)."
    case .revoked(let monitor, let touch, let reason):
      "Expected a monitor that was held out, found \"\(monitor)\", which \(touch) has touched (\(reason)): "
        + "fit another one that nothing was trained against or chosen by."
    default: ""
    }
  }
}
