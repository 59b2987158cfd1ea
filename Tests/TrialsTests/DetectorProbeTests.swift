import Foundation
import Instruments
import LanguageModels
import Statistics
import TestSupport
import Testing

/// Two Gaussian clouds whose means differ by `shift` in the first feature only, several items a
/// group, so that what a good probe must find is known.
private func clouds(
  items: Int = 240, width: Int = 12, shift: Double, layers: [Int: Double] = [:], seed: UInt64
) throws -> ProbeData {
  var generator = SeededGenerator(seed: seed)
  let labels = (0..<items).map { $0 % 2 == 0 }
  let layers = layers.isEmpty ? [3: shift] : layers
  var features: [Int: [Double]] = [:]
  for (layer, shift) in layers.sorted(by: { $0.key < $1.key }) {
    features[layer] = labels.flatMap { label in
      (0..<width).map { column in
        generator.normal() + (column == 0 && label ? shift : 0)
      }
    }
  }
  return try ProbeData(
    features: features, labels: labels, groups: (0..<items).map { "template \($0 / 8)" })
}

/// AUROC of a probe on data that it was not fitted on.
private func auroc(_ probe: LinearProbe, on data: ProbeData) throws -> Double {
  let features = try #require(data.features[probe.layer])
  let scores = data.labels.indices.map { item in
    probe.linear(features[item * data.width..<(item + 1) * data.width])
  }
  return try ROC(LabelledScores(scores: scores, labels: data.labels)).auroc
}

struct DetectorProbeTests {
  @Test func `the mass-mean direction is the difference of the class means`() throws {
    // Active: (3, 1), (5, 1); others: (0, 1), (2, 5).
    let linear = LinearScore.massMean(
      [3, 1, 0, 1, 5, 1, 2, 5], labels: [true, false, true, false])
    expectClose(linear.direction, [3, -2], atol: 1e-12)
    // Half way between the means (4, 1) and (1, 3) the score is zero.
    expectClose(linear([2.5, 2.0]), 0, atol: 1e-12)
    expectClose(linear([4.0, 1.0]), 6.5, atol: 1e-12)
  }

  @Test(arguments: [(40, 3, 0.5), (30, 80, 10.0), (25, 60, 0.01)])
  func `the logistic probe's gradient vanishes`(items: Int, width: Int, penalty: Double) throws {
    var generator = SeededGenerator(seed: UInt64(items))
    let labels = (0..<items).map { _ in generator.bernoulli(0.4) }
    let values = labels.flatMap { label in
      (0..<width).map { _ in 2 * generator.normal() + (label ? 0.7 : 0) + 5 }
    }
    let linear = try LinearScore.logistic(values, labels: labels, penalty: penalty)
    var slopes = linear.direction.map { 2 * penalty * $0 }
    var biasSlope = 0.0
    for (item, label) in labels.enumerated() {
      let x = values[item * width..<(item + 1) * width]
      let error = 1 / (1 + exp(-linear(x))) - (label ? 1 : 0)
      biasSlope += error
      for (column, value) in x.enumerated() {
        slopes[column] += error * (value - linear.centre[column]) / linear.scale[column]
      }
    }
    // The optimiser stops at 1e-10 an item; a slope sums over items.
    expectClose(slopes, [Double](repeating: 0, count: width), atol: 1e-8)
    expectClose(biasSlope, 0, atol: 1e-8)
  }

  @Test func `a balanced one-dimensional logistic fit agrees with its closed form`() throws {
    // Standardised, the items lie at ±1. By symmetry b = 0, and with n items 2λw = n σ(−w).
    let linear = try LinearScore.logistic(
      [4, 2, 4, 2], labels: [true, false, true, false], penalty: 0.5)
    let w = linear.direction[0]
    expectClose(w, 4 / (1 + exp(w)), atol: 1e-9)
    expectClose(linear.bias, 0, atol: 1e-9)
    #expect(w > 0)
  }

  @Test func `probes find a planted direction on fresh data`() throws {
    // Two unit Gaussians 2.5 apart: the best possible AUROC is Φ(2.5 / √2) = 0.9615.
    let training = ProbeTraining(layers: [3], seed: 1)
    let (fitted, fresh) = (
      try clouds(items: 400, shift: 2.5, seed: 1), try clouds(items: 2_000, shift: 2.5, seed: 2)
    )
    for method in [ProbeMethod.massMean, .logistic] {
      let probe = try training.fit(method, on: fitted)
      let found = try auroc(probe, on: fresh)
      #expect(found > 0.94 && found < 0.98, "\(method): \(found)")
      let cosine =
        probe.linear.direction[0]
        / probe.linear.direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(cosine > 0.95, "\(method): \(cosine)")
    }
  }

  @Test(arguments: [
    ProbeMethod.shuffledMassMean, .shuffledLogistic, .randomDirection,
  ])
  func `controls are at chance on average`(method: ProbeMethod) throws {
    // One control may find the planted feature by accident; their mean must not. The spread of
    // one is about 0.17 (a random cosine in 12 dimensions times the signal), of 60 about 0.022.
    let fitted = try clouds(items: 120, shift: 1.5, seed: 3)
    let fresh = try clouds(items: 400, shift: 1.5, seed: 4)
    let aurocs = try (0..<60).map { seed in
      try auroc(
        try ProbeTraining(layers: [3], folds: 3, seed: UInt64(seed)).fit(method, on: fitted),
        on: fresh)
    }
    let mean = aurocs.reduce(0, +) / 60
    #expect(abs(mean - 0.5) < 0.08, "mean AUROC \(mean)")
  }

  @Test func `the layer with the signal is chosen`() throws {
    let data = try clouds(shift: 0, layers: [2: 0, 5: 1, 9: 2.5, 12: 0.5], seed: 5)
    for method in [ProbeMethod.massMean, .logistic] {
      let probe = try ProbeTraining(layers: [2, 5, 9, 12], seed: 6).fit(method, on: data)
      #expect(probe.layer == 9)
      #expect(probe.layerAUROCs.map(\.layer) == [2, 5, 9, 12])
      #expect(probe.items == 240 && probe.active == 120 && probe.templates.count == 30)
    }
  }

  @Test func `a layer is judged on templates that its fit did not see`() throws {
    // More features than items: fitted and judged on the same items, noise would look perfect.
    let data = try clouds(items: 80, width: 200, shift: 0, seed: 7)
    let probe = try ProbeTraining(layers: [3], penalty: 0.1, seed: 8).fit(.logistic, on: data)
    #expect(try auroc(probe, on: data) == 1)
    #expect(try abs(#require(probe.layerAUROCs.first).auroc - 0.5) < 0.25)
  }

  @Test func `folds never tear a template apart`() {
    let groups = (0..<53).map { "template \($0 * $0 % 17)" }
    let folds = GroupedFolds(groups: groups, count: 4, seed: 1)
    var foldsOfGroup: [String: Set<Int>] = [:]
    for (group, fold) in zip(groups, folds.assignment) {
      foldsOfGroup[group, default: []].insert(fold)
    }
    #expect(foldsOfGroup.values.allSatisfy { $0.count == 1 })
    let sizes = (0..<4).map { folds.split($0).heldOut.count }
    #expect(folds.count == 4 && sizes.reduce(0, +) == 53 && sizes.allSatisfy { $0 > 5 })
    #expect(folds.assignment != GroupedFolds(groups: groups, count: 4, seed: 2).assignment)
  }

  @Test func `one template is not enough to choose a layer on`() throws {
    let data = try ProbeData(
      features: [0: [1, 2, 3, 4]], labels: [true, false, true, false],
      groups: ["a", "a", "a", "a"])
    #expect(throws: DetectorError.self) {
      try ProbeTraining(layers: [0], seed: 1).fit(.massMean, on: data)
    }
  }

  @Test func `numbers that are not finite are rejected`() {
    #expect(throws: DetectorError.notFinite(what: "feature of layer 4", item: 1)) {
      try ProbeData(features: [4: [1, 2, .nan, 4]], labels: [true, false], groups: ["a", "b"])
    }
    #expect(throws: DetectorError.notFinite(what: "activation at blocks.0.resid_post", item: 2)) {
      try ActivationTable(
        spans: [0..<1, 1..<1, 1..<3],
        values: [.block(0, .residPost): [1, 2, 3, 4, 5, .infinity]])
    }
    #expect(throws: DetectorError.self) {
      try ProbeData(features: [0: [1, 2]], labels: [true, true], groups: ["a", "b"])
    }
  }

  @Test func `an item without a row is unscored, not zero`() throws {
    let data = try clouds(shift: 2, seed: 9)
    let probe = try ProbeTraining(layers: [3], seed: 1).fit(.massMean, on: data)
    let table = try ActivationTable(
      spans: [0..<1, 1..<1, 1..<2],
      values: [probe.site: [Float](repeating: 1, count: 24)])
    let scores = probe.scores(table)
    #expect(scores.count == 3 && scores[1] == nil)
    #expect(scores[0] != nil && scores[0] == scores[2])
  }

  @Test func `a fitted probe survives being written down`() throws {
    let probe = try ProbeTraining(layers: [3], seed: 1).fit(
      .logistic, on: clouds(shift: 2, seed: 10))
    let copy = try JSONDecoder().decode(
      LinearProbe.self, from: JSONEncoder().encode(probe))
    #expect(copy == probe)
  }
}
