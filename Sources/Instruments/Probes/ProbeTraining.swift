package import LanguageModels
internal import Statistics
package import Tensors

/// How a probe gets its direction.
package enum ProbeMethod: String, Codable, CaseIterable, Hashable, Sendable {
  /// The difference of the class means.
  case massMean = "mass_mean"
  /// Penalised logistic regression.
  case logistic
  /// Fisher's linear discriminant.
  case lda
  /// Control: the same mass-mean, labels shuffled.
  case shuffledMassMean = "shuffled_mass_mean"
  /// Control: the same regression, labels shuffled.
  case shuffledLogistic = "shuffled_logistic"
  /// Control: a direction drawn at random among standardised features.
  case randomDirection = "random_direction"

  /// Whether it is there to show what chance looks like.
  package var isControl: Bool {
    switch self {
    case .massMean, .logistic, .lda: false
    case .shuffledMassMean, .shuffledLogistic, .randomDirection: true
    }
  }
}

/// Everything that decides how probes are fitted.
package struct ProbeTraining: Codable, Hashable, Sendable {
  /// Candidate blocks.
  package var layers: [Int]
  package var position: ActivationPosition
  /// Folds in which the layer is chosen, whole templates each.
  package var folds: Int
  /// λ of the logistic probe.
  package var penalty: Double
  /// Deals templates into folds, shuffles labels and draws directions.
  package var seed: UInt64

  package init(
    layers: [Int], position: ActivationPosition = .lastPromptToken, folds: Int = 5,
    penalty: Double = 10, seed: UInt64
  ) {
    (self.layers, self.position, self.folds) = (layers, position, folds)
    (self.penalty, self.seed) = (penalty, seed)
  }

  /// What probes read.
  package var sites: [Site] { layers.map { .block($0, .residPost) } }

  /// Reads what probes are fitted on, once for all of them.
  ///
  /// - Throws: ``DetectorError``, or what reading activations throws.
  @TensorActor
  package func data(
    _ calibration: Calibration<ActivationsAndCalibration>
  ) throws -> ProbeData {
    let parts = try calibration.organisms.map { organism in
      (
        table: try organism.view.activations(
          of: organism.responses.map(\.response), at: sites, position: position),
        responses: organism.responses
      )
    }
    return try ProbeData(parts, layers: layers)
  }

  /// Fits a probe: the layer by AUROC on templates held out within `data`, then all of `data`.
  ///
  /// - Throws: ``DetectorError`` where the data cannot support it.
  package func fit(_ method: ProbeMethod, on data: ProbeData) throws -> LinearProbe {
    let data = try labelled(data, for: method)
    let aurocs = try layers.map { layer in
      LinearProbe.LayerAUROC(layer: layer, auroc: try heldOutAUROC(method, data, layer: layer))
    }
    // Of equals the earliest, whatever the order of the candidates.
    guard
      let best = aurocs.max(by: { ($0.auroc, -$0.layer) < ($1.auroc, -$1.layer) })
    else {
      throw DetectorError.unusableCalibration(expected: "a candidate layer", found: "none")
    }
    let everything = Array(data.labels.indices)
    return LinearProbe(
      method: method, position: position, layer: best.layer, layerAUROCs: aurocs,
      linear: try linear(method, data, items: everything, layer: best.layer),
      items: data.labels.count, active: data.labels.count { $0 }, leftOut: data.leftOut,
      templates: Set(data.groups).sorted())
  }

  /// Scores of the data that `probe` was fitted on, each item by a fit at the same layer on the
  /// templates of other folds; nil where those held one class only.
  ///
  /// A threshold set on a probe's own training items would promise too few false positives.
  ///
  /// - Throws: ``DetectorError`` where a fit does not converge.
  package func crossFittedScores(of probe: LinearProbe, on data: ProbeData) throws -> [Double?] {
    let data = try labelled(data, for: probe.method)
    let folds = GroupedFolds(groups: data.groups, count: folds, seed: seed)
    var scores = [Double?](repeating: nil, count: data.labels.count)
    for fold in 0..<folds.count {
      let (training, heldOut) = folds.split(fold)
      guard hasBothClasses(training, data) else { continue }
      let linear = try linear(probe.method, data, items: training, layer: probe.layer)
      let rows = Matrix(width: data.width, values: data.rows(heldOut, layer: probe.layer))
      for (row, item) in heldOut.enumerated() { scores[item] = linear(rows[row]) }
    }
    return scores
  }

  private func labelled(_ data: ProbeData, for method: ProbeMethod) throws -> ProbeData {
    switch method {
    case .massMean, .logistic, .lda, .randomDirection: return data
    case .shuffledMassMean, .shuffledLogistic:
      var generator = SeededGenerator(seed: seed, stream: "shuffled labels")
      return try data.relabelled(generator.shuffled(data.labels))
    }
  }

  /// Mean over folds of the AUROC on the fold's templates, fitted on the others.
  private func heldOutAUROC(
    _ method: ProbeMethod, _ data: ProbeData, layer: Int
  ) throws -> Double {
    let folds = GroupedFolds(groups: data.groups, count: folds, seed: seed)
    var aurocs: [Double] = []
    for fold in 0..<folds.count {
      let (training, heldOut) = folds.split(fold)
      guard hasBothClasses(training, data), hasBothClasses(heldOut, data) else { continue }
      let linear = try linear(method, data, items: training, layer: layer)
      let rows = Matrix(width: data.width, values: data.rows(heldOut, layer: layer))
      let scores = heldOut.indices.map { linear(rows[$0]) }
      aurocs.append(
        try ROC(LabelledScores(scores: scores, labels: heldOut.map { data.labels[$0] })).auroc)
    }
    guard !aurocs.isEmpty else {
      throw DetectorError.unusableCalibration(
        expected: "at least two templates that have responses of both classes",
        found: "\(Set(data.groups).count) templates and no fold with both")
    }
    return aurocs.reduce(0, +) / Double(aurocs.count)
  }

  private func hasBothClasses(_ items: [Int], _ data: ProbeData) -> Bool {
    let active = items.count { data.labels[$0] }
    return active > 0 && active < items.count
  }

  private func linear(
    _ method: ProbeMethod, _ data: ProbeData, items: [Int], layer: Int
  ) throws -> LinearScore {
    let values = data.rows(items, layer: layer)
    let labels = items.map { data.labels[$0] }
    switch method {
    case .massMean, .shuffledMassMean: return .massMean(values, labels: labels)
    case .lda: return try .discriminant(values, labels: labels)
    case .logistic, .shuffledLogistic:
      return try .logistic(values, labels: labels, penalty: penalty)
    case .randomDirection:
      let x = Matrix(width: data.width, values: values)
      let centre = x.mean(of: Array(items.indices))
      var generator = SeededGenerator(seed: seed, stream: "random direction \(layer)")
      return LinearScore(
        centre: centre, scale: x.scale(around: centre),
        direction: (0..<data.width).map { _ in generator.normal() }, bias: 0)
    }
  }
}
