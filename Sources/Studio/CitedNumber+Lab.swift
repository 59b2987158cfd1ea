package import Lab
package import Statistics

// The only ways to make a number of a report: from a value that a run cited from one of its cells.
extension CitedNumber {
  /// An estimate with its interval.
  package init(_ estimate: Cited<Estimate>, unit: Unit = .plain) {
    self.init(
      estimate.value.value, interval: estimate.value.interval, unit: unit, tally: nil,
      cells: [estimate.cell.hex])
  }

  /// A rate of independent units with its exact interval; `counted` names them in the plural.
  ///
  /// Not for units that share a template or a model: see ``init(_:_:estimate:)``.
  package init(_ count: Cited<Proportion>, _ counted: String, level: Double = 0.95) {
    let proportion = count.value
    let interval = try? clopperPearson(
      successes: proportion.successes, trials: proportion.trials, level: level)
    self.init(
      proportion.value ?? .nan, interval: interval, unit: .rate,
      tally: Tally(proportion, counted), cells: [count.cell.hex])
  }

  /// A counted rate with an interval that was computed for it, such as one over clusters.
  package init(_ count: Cited<Proportion>, _ counted: String, estimate: Cited<Estimate>) {
    self.init(
      estimate.value.value, interval: estimate.value.interval, unit: .rate,
      tally: Tally(count.value, counted), cells: Self.cells([count.cell, estimate.cell]))
  }

  /// A number without an interval, such as a score or a threshold.
  package init(_ value: Cited<Double>, unit: Unit = .plain) {
    self.init(value.value, interval: nil, unit: unit, tally: nil, cells: [value.cell.hex])
  }

  /// A whole number of things, named in the plural; an empty name leaves the bare number.
  package init(_ count: Cited<Int>, _ things: String) {
    self.init(
      Double(count.value), interval: nil, unit: .count(things), tally: nil, cells: [count.cell.hex])
  }

  private static func cells(_ ids: [CellID]) -> [String] {
    ids.map(\.hex).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}

extension CitedNumber.Tally {
  fileprivate init(_ proportion: Proportion, _ counted: String) {
    self.init(successes: proportion.successes, trials: proportion.trials, counted: counted)
  }
}

extension CellRecord {
  /// A cell as the run recorded it; `wasCached` where this program read it back.
  package init(_ summary: CellSummary, label: String = "", wasCached: Bool = false) {
    self.init(
      id: summary.id.hex, kind: summary.kind, label: label, tokens: summary.cost.tokens,
      seconds: summary.cost.seconds, origin: Origin(summary, wasCached: wasCached))
  }
}

extension CellRecord.Origin {
  fileprivate init(_ summary: CellSummary, wasCached: Bool) {
    switch summary.state {
    case .finished: self = wasCached ? .cached : .run
    case .failed: self = .failed(summary.reason ?? "no reason recorded")
    case .started: self = .failed("not finished")
    }
  }
}
