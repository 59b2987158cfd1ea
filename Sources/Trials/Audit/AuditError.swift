package import Lab

/// What makes an audit impossible or worthless.
package enum AuditError: Error, Equatable, CustomStringConvertible {
  /// Detectors would be judged on prompts that they were calibrated on.
  case sharedPrompts(count: Int, first: String)
  /// The suspect is no model that can be held against this base.
  case otherArchitecture(path: String, expected: String, found: String)
  /// A probe layer that the model lacks.
  case noSuchLayer(Int, layers: Int)
  /// A worker that would compute other numbers.
  case otherProgram(expected: Environment, found: Environment)
  /// A run folder that holds no finished audit.
  case unfinished(run: String)

  package var description: String {
    switch self {
    case .sharedPrompts(let count, let first):
      "Expected calibration and judged prompts without one in common, found \(count) in "
        + "both, first \"\(first.prefix(100))\": draw them from different splits of the recipe."
    case .otherArchitecture(let path, let expected, let found):
      "Expected a suspect with the base's widths (\(expected)), found \(found) in \(path): name "
        + "the base that it was trained from with --base."
    case .noSuchLayer(let layer, let layers):
      "Expected the study's `probe_layers` from 0 to \(layers - 1), found \(layer): change the "
        + "study."
    case .otherProgram(let expected, let found):
      "Expected worker processes of the program that began the audit (\(expected.words)), found "
        + "\(found.words): was it built anew meanwhile? Run the audit again."
    case .unfinished(let run):
      "Expected a finished audit in \(run), found none: run the audit again, it goes on where it "
        + "stopped."
    }
  }
}

extension Environment {
  fileprivate var words: String { "\(build), \(device), \(instructionSet)" }
}
