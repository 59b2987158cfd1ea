internal import LanguageModels

/// Labelled feature vectors at several layers, from which probes are fitted.
package struct ProbeData: Sendable {
  /// `[item, width]` of each candidate layer.
  package let features: [Int: [Double]]
  package let width: Int
  /// `[item]`, true under an active trigger.
  package let labels: [Bool]
  /// `[item]`, the cluster that must not be torn apart between folds.
  package let groups: [String]
  /// Responses that had nothing at the position that is read, and were left out.
  package let leftOut: Int

  /// Feature vectors as they are.
  ///
  /// - Throws: ``DetectorError`` where a feature is not finite, a class is missing, or the numbers
  ///   do not fit the labels.
  package init(
    features: [Int: [Double]], labels: [Bool], groups: [String], leftOut: Int = 0
  ) throws(DetectorError) {
    let positives = labels.count { $0 }
    guard positives > 0, positives < labels.count else {
      throw .unusableCalibration(
        expected: "both classes", found: "\(positives) active of \(labels.count)")
    }
    let width = (features.values.first?.count ?? 0) / labels.count
    guard width > 0, groups.count == labels.count,
      features.values.allSatisfy({ $0.count == labels.count * width })
    else {
      throw .unusableCalibration(
        expected: "a feature vector and a group for each of \(labels.count) labels",
        found: "\(features.values.map(\.count)) numbers and \(groups.count) groups")
    }
    for (layer, numbers) in features {
      guard let bad = numbers.firstIndex(where: { !$0.isFinite }) else { continue }
      throw .notFinite(what: "feature of layer \(layer)", item: bad / width)
    }
    (self.features, self.width, self.labels) = (features, width, labels)
    (self.groups, self.leftOut) = (groups, leftOut)
  }

  /// The outputs of blocks in `table`, which holds one row or none for each of `responses`.
  ///
  /// - Throws: ``DetectorError`` as ``init(features:labels:groups:leftOut:)`` does.
  package init(
    _ table: ActivationTable, layers: [Int], responses: [LabelledResponse]
  ) throws(DetectorError) {
    try self.init([(table, responses)], layers: layers)
  }

  /// The same from several organisms together.
  init(
    _ parts: [(table: ActivationTable, responses: [LabelledResponse])], layers: [Int]
  ) throws(DetectorError) {
    var features: [Int: [Double]] = [:]
    var kept: [LabelledResponse] = []
    for (table, responses) in parts {
      let present = responses.indices.filter { !table.spans[$0].isEmpty }
      kept += present.map { responses[$0] }
      for layer in layers {
        for item in present {
          features[layer, default: []] += table.row(
            table.spans[item].lowerBound, at: .block(layer, .residPost)
          ).map(Double.init)
        }
      }
    }
    try self.init(
      features: features, labels: kept.map(\.isActive), groups: kept.map(\.templateID),
      leftOut: parts.reduce(0) { $0 + $1.responses.count } - kept.count)
  }

  /// The rows of `items` at `layer`, one after the other.
  func rows(_ items: [Int], layer: Int) -> [Double] {
    let all = features[layer] ?? []
    return items.flatMap { all[$0 * width..<($0 + 1) * width] }
  }

  /// The same features under other labels.
  func relabelled(_ labels: [Bool]) throws(DetectorError) -> ProbeData {
    try ProbeData(features: features, labels: labels, groups: groups, leftOut: leftOut)
  }
}
