/// What makes a statistic undefined or its input unusable.
///
/// Undefined is an error, never a number: an AUROC without negatives is not 0.5, and a rate of
/// nothing is not 0.
package enum StatisticsError: Error, Hashable, Sendable {
  /// A score or value that is NaN or infinite.
  case notFinite(what: String, index: Int, found: Double)
  /// Two inputs that have to describe the same items differ in length.
  case countMismatch(what: String, expected: Int, found: Int)
  /// A statistic that compares two classes was given one.
  case oneClass(statistic: String, positives: Int, negatives: Int)
  /// Fewer units than the statistic needs to be defined.
  case tooFew(what: String, needed: Int, found: Int)
  /// A number outside its range.
  case outOfRange(what: String, expected: String, found: Double)
  /// No variation to estimate a variance from.
  case noVariation(statistic: String, remedy: String)
  /// A statistic that the data themselves leave undefined.
  case undefinedOnData(statistic: String)
  /// Every bootstrap replicate left the statistic undefined.
  case noDefinedReplicate(replicates: Int)
}

extension StatisticsError: CustomStringConvertible {
  /// Expected, found and remedy in one sentence.
  package var description: String {
    switch self {
    case .notFinite(let what, let index, let found):
      "Expected a finite \(what) at index \(index), found \(found): fix what computed it, or count "
        + "the item as unscored."
    case .countMismatch(let what, let expected, let found):
      "Expected \(expected) \(what), found \(found): pass one for each item."
    case .oneClass(let statistic, let positives, let negatives):
      "Expected scored items of both classes, found \(positives) positives and \(negatives) "
        + "negatives: \(statistic) is undefined, so report it as such."
    case .tooFew(let what, let needed, let found):
      "Expected at least \(needed) \(what), found \(found): collect more, or report the statistic "
        + "as undefined."
    case .outOfRange(let what, let expected, let found):
      "Expected \(what) \(expected), found \(found): pass a value in that range."
    case .noVariation(let statistic, let remedy):
      "Expected values that vary, found none that do, so \(statistic) has no variance to go by: "
        + "\(remedy)."
    case .undefinedOnData(let statistic):
      "Expected \(statistic) to be defined on the data, found no finite value: report it as "
        + "undefined."
    case .noDefinedReplicate(let replicates):
      "Expected bootstrap replicates on which the statistic is defined, found none in "
        + "\(replicates): use more clusters of each class, or report it as undefined."
    }
  }
}

/// Checks that `level` is a confidence level: strictly between 0 and 1.
func checkLevel(_ level: Double) throws(StatisticsError) {
  guard level > 0, level < 1 else {
    throw .outOfRange(what: "a confidence level", expected: "between 0 and 1", found: level)
  }
}
